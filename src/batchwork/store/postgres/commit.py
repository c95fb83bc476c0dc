"""The transactions of the one connection that writes: fenced, tried again while the server is away. No thread is here."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg import Connection, RawCursor

from batchwork.errors import StoreError
from batchwork.faults import fails_after, fault
from batchwork.ports import Opening
from batchwork.store.postgres.owning.lease import Held, Leases
from batchwork.store.postgres.owning.notes import Notes
from batchwork.store.postgres.server.connecting import Server
from batchwork.store.postgres.server.silence import Silence
from batchwork.store.postgres.server.trouble import Kind, explain, kind_of
from batchwork.store.postgres.session import PostgresSession
from batchwork.store.postgres.statements import statement
from batchwork.store.tables.orders import ChangeOrder, Order
from batchwork.store.tables.rows import Row, integer_in

PAUSE_MAX_S: Final = 0.4
OWN_TRIES: Final = 3


class Beside(Struct, frozen=True):
    """What a transaction depends on besides the server: the runs that are ours, and the notes on what they have had."""

    leases: Leases
    notes: Notes


class ServerTransactions:
    """Owns the writing connection. Implements tables.orders.Transactions."""

    def __init__(self, server: Server, opening: Opening, beside: Beside, connection: Connection[Any]) -> None:
        self._server, self._opening, self._beside = server, opening, beside
        self._connection: Connection[Any] | None = connection
        self._apart = ""  # the mark for what is written to runs that are not ours, if something is
        self._token = 0
        self._pause = threading.Event()  # never set
        self._silence = Silence(server.address.shown, opening.clock, opening.warn)

    def commit(self, orders: Sequence[Order]) -> Exception | None:
        token = int.from_bytes(os.urandom(7))
        started, tries = self._opening.clock.now(), 0
        while True:
            try:
                self._execute(orders, token)
                return None
            except (psycopg.Error, OSError) as error:
                tries += 1
                self._discard()
                kind = _kind(error, tries)
                if kind == "fenced":
                    raise self._late() from error
                if not self._survives(kind, tries, self._opening.clock.now() - started):
                    raise explain(error, self._server.address, kind) from error
                if tries == 2:
                    self._say(explain(error, self._server.address, kind))
            except Exception as error:
                self._discard()
                if isinstance(orders[0], ChangeOrder):  # refused, or a bug that is its caller's to see
                    return error
                raise explain(error, self._server.address) from error

    def look_after(self) -> None:
        """The server looks after itself."""

    def due_in(self) -> None:
        return None

    def close(self) -> None:
        """Leave nothing of ours on the server but what is recorded."""
        connection = self._connection
        if connection is not None and self._apart:
            with suppress(psycopg.Error), self._server.transaction(connection, "write") as session:
                session.run("mark_drop", (self._apart,))
                connection.execute("commit")
        self._discard()
        self._silence.close()

    # ------------------------------------------------------------ one transaction

    def _execute(self, orders: Sequence[Order], token: int) -> None:
        held = self._beside.leases.held()
        if self._connection is None:
            self._connection = self._server.connect(to_write=True)
            if self._has_taken_place(self._connection, held, token):
                return
        self._transact(self._connection, orders, held, token)

    def _transact(self, connection: Connection[Any], orders: Sequence[Order], held: Sequence[Held], token: int) -> None:
        claims = any(order.claims for order in orders)
        outcomes = any(order.outcomes for order in orders)
        may_last = isinstance(orders[0], ChangeOrder)
        noticed = self._silence.noticed(connection, may_last=may_last)
        with noticed as underway, self._server.transaction(connection, "write") as session:
            underway.session = session
            whose: Sequence[Held | None] = held or [None]
            marks = [self._mark(session, owned, token) for owned in whose]
            for order in orders:
                fault("state.write")
                order.execute(session)
            _strike(claims, "claim.before_commit")
            _strike(outcomes, "flush.before_commit", "flush.commit")
            fault("state.commit")
            _strike(self._opening.durability == "full", "fsync")
            self._token = token
            connection.execute("commit")
        for owned, mark in zip(held, marks, strict=False):
            owned.commits = _commits(mark)
            self._beside.notes.write(owned.run, owned.commits, self._opening.durability)
        _strike(claims, "claim.after_commit")
        _strike(outcomes, "flush.after_commit")
        if fails_after("state.commit"):
            raise OSError(5, "the commit took place, but is reported to have failed")

    def _mark(self, session: PostgresSession, owned: Held | None, token: int) -> RawCursor[Row]:
        if owned is None:
            self._apart = self._apart or f"~{os.urandom(9).hex()}"
            return session.execute(statement("mark_apart"), (self._apart, token))
        return session.execute(statement("mark_set"), (owned.run, token, owned.epoch))

    def _has_taken_place(self, connection: Connection[Any], held: Sequence[Held], token: int) -> bool:
        """Whether a commit that seemed to fail took place. Raises StoreError where some that succeeded are lost."""
        with self._server.transaction(connection, "read") as session:
            found = [session.row("mark_read", (owned.run,)) for owned in held] or [
                session.row("mark_read", (self._apart,))
            ]
            connection.execute("commit")
        taken = [row is not None and row[0] == token for row in found]
        for owned, row in zip(held, found, strict=False):
            there = 0 if row is None else integer_in(row[1])
            if there < owned.commits:
                raise StoreError(
                    f"the store {self._server.address.shown} has lost transactions of run {owned.run}: "
                    f"it had {owned.commits}, now it has {there}",
                    "another server may have taken its place; see with `batchwork status` what is left, "
                    "then `batchwork resume`",
                )
            owned.commits = there
        return token == self._token and all(taken)

    # ------------------------------------------------------------ when it goes wrong

    def _survives(self, kind: Kind, tries: int, waited_s: float) -> bool:
        """Whether to try again, after a pause."""
        if kind == "other" or (tries > 1 and waited_s >= self._opening.patience_s):
            return False
        self._pause.wait(min(0.05 * 2 ** min(tries - 1, 8), PAUSE_MAX_S))
        return True

    def _say(self, trouble: StoreError) -> None:
        self._opening.warn(f"{trouble.message}; trying again for {self._opening.patience_s:g} s")

    def _late(self) -> StoreError:
        runs = " and ".join(owned.run for owned in self._beside.leases.held())
        return StoreError(
            f"run {runs} is not ours any more: another process has taken it over, and nothing of this one is recorded since",
            f"look at it with `batchwork status {runs}`",
        )

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


def _kind(error: psycopg.Error | OSError, tries: int) -> Kind:
    """What it is. An error of this machine is given a few more chances, whatever it is."""
    if isinstance(error, psycopg.Error):
        return kind_of(error)
    return "again" if tries < OWN_TRIES else "other"


def _commits(mark: RawCursor[Row]) -> int:
    row = mark.fetchone()
    return 0 if row is None else integer_in(row[0])


def _strike(wanted: bool, *points: str) -> None:
    if wanted:
        for point in points:
            fault(point)
