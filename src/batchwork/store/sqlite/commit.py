"""The transactions of the one connection that writes to the file: tried again where that may help. No thread is here."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress

import apsw

from batchwork.errors import StoreError
from batchwork.faults import fails_after, fault
from batchwork.ports import Opening
from batchwork.store.sqlite.beside.head import Head, Mark
from batchwork.store.sqlite.beside.log import Log
from batchwork.store.sqlite.beside.standing import Standing
from batchwork.store.sqlite.schema import open_to_write
from batchwork.store.sqlite.session import SqliteSession
from batchwork.store.sqlite.statements import statement
from batchwork.store.sqlite.trouble import Kind, explain, kind_of
from batchwork.store.tables.orders import ChangeOrder, Order

IO_TRIES = 3
CLOSE_WAIT_MS = 500  # for readers in other processes; what stays in the log is not lost


class FileTransactions:
    """Owns the writing connection. Raises apsw.Error, StoreError where it cannot be opened."""

    def __init__(self, path: str, opening: Opening, head: Head) -> None:
        self._path, self._opening, self._head = path, opening, head
        self._log = Log(path, opening)
        self._standing = Standing(path)
        self._session = self._opened()
        self._token = 0
        self._suspect = False

    def commit(self, orders: Sequence[Order]) -> Exception | None:
        """Execute orders in one transaction: None when they are on disk, or what the one change was refused for.

        Raises StoreError where the store cannot be written, now and later.
        """
        token = int.from_bytes(os.urandom(7))
        started, tries = self._opening.clock.now(), 0
        while True:
            try:
                self._execute(orders, token)
                return None
            except (apsw.Error, OSError) as error:
                tries += 1
                kind = kind_of(error, self._path, self._errno())
                self._roll_back()
                if not self._survives(kind, tries, self._opening.clock.now() - started):
                    raise explain(error, self._path, kind) from error
            except Exception as error:
                self._roll_back()
                if isinstance(orders[0], ChangeOrder):  # refused, or a bug that is its caller's to see
                    return error
                if isinstance(error, StoreError):
                    raise
                raise explain(error, self._path) from error

    def look_after(self) -> None:
        try:
            if self._log.keep_short(self._connection):
                self._head.all_synced()
        except apsw.Error:
            self._suspect = True  # nothing is lost, but the next transaction begins on a fresh connection

    def due_in(self) -> float | None:
        return self._log.due_in()

    @property
    def harmed(self) -> bool:
        """Whether somebody has emptied the database meanwhile: what is in the log must stay there."""
        return self._standing.emptied

    def close(self) -> None:
        """Close the file. What has been written is moved from the log into the database, unless a reader is in the way."""
        with suppress(
            apsw.Error
        ):  # what stays in the log is not lost; and a file that could not be opened anew is closed
            self._leave_in_order()
        self._connection.close()
        self._head.close()

    def _leave_in_order(self) -> None:
        if self.harmed:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        elif self._token:
            self._connection.set_busy_timeout(CLOSE_WAIT_MS)
            if self._log.move(self._connection, apsw.SQLITE_CHECKPOINT_TRUNCATE):
                self._head.all_synced()

    # ------------------------------------------------------------ one transaction

    def _execute(self, orders: Sequence[Order], token: int) -> None:
        if self._suspect:
            self._begin_anew()
        if not self._committed_already(token):
            self._transact(orders, token)

    def _transact(self, orders: Sequence[Order], token: int) -> None:
        claims = any(order.claims for order in orders)
        outcomes = any(order.outcomes for order in orders)
        connection = self._connection
        connection.execute("begin immediate")
        self._standing.check()
        for order in orders:
            fault("state.write")
            order.execute(self._session)
        mark = connection.execute(statement("mark_set"), (token,)).get
        _strike(claims, "claim.before_commit")
        _strike(outcomes, "flush.before_commit", "flush.commit")
        fault("state.commit")
        _strike(self._opening.durability == "full", "fsync")
        self._token = token
        connection.execute("commit")
        self._head.write(Mark(*mark), synced=self._opening.durability == "full")
        _strike(claims, "claim.after_commit")
        _strike(outcomes, "flush.after_commit")
        if fails_after("state.commit"):
            raise OSError(5, "the commit took place, but is reported to have failed")
        self._log.grown()

    def _committed_already(self, token: int) -> bool:
        """Whether a commit that seemed to fail took place."""
        return token == self._token and token == self._connection.execute(statement("mark_token")).get

    # ------------------------------------------------------------ when it goes wrong

    def _survives(self, kind: Kind, tries: int, waited_s: float) -> bool:
        """Whether to try again, after a pause and on a fresh connection where the old one cannot be trusted.

        After a failed fsync the kernel may have dropped what it could not write, and the next fsync may succeed
        nevertheless. So the connection is opened anew, which checks the log's sums. The log is moved into the database
        and synced there, before anything is tried again or believed to be on disk.
        """
        patience_s = self._opening.patience_s
        if kind == "full" and waited_s < patience_s:
            self._wait_for_room(tries, patience_s)
        elif kind == "io" and tries < IO_TRIES:
            _pause(0.05 * tries)
        else:
            return False
        self._suspect = True
        return True

    def _wait_for_room(self, tries: int, patience_s: float) -> None:
        if tries == 1:  # moving the log may make room
            _pause(0.01)
            return
        _pause(min(0.5, patience_s / 10))
        if tries == 2:
            text = f"there is no space left for the store {self._path}; trying again for {patience_s:g} s"
            self._opening.warn(text)

    def _begin_anew(self) -> None:
        self._connection.close()
        self._session = self._opened()
        self._standing.opened_anew()
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._suspect = False

    def _opened(self) -> SqliteSession:
        return SqliteSession(self._log.watch(open_to_write(self._path, self._opening, self._head)))

    @property
    def _connection(self) -> apsw.Connection:
        return self._session.connection

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
        except apsw.Error:
            self._suspect = True

    def _errno(self) -> int:
        try:
            return self._connection.system_errno
        except apsw.Error:
            return 0


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def _strike(wanted: bool, *points: str) -> None:
    if wanted:
        for point in points:
            fault(point)
