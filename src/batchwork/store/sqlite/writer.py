"""The one thread that writes to a store: a bounded queue of orders, executed in order, many in one transaction.

Checkpoints share transactions (group commit); any other change has one of its own. What goes wrong is retried where
that may help (see `_survives`), else the writer is broken: this and all later orders fail with the same StoreError.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import apsw
from msgspec import Struct, field

from batchwork.errors import BatchworkError, StoreError
from batchwork.faults import fails_after, fault
from batchwork.model import Checkpoint
from batchwork.ports import Committed, Opening
from batchwork.store.sqlite.head import Head
from batchwork.store.sqlite.recording import record
from batchwork.store.sqlite.schema import open_to_write
from batchwork.store.sqlite.statements import statement
from batchwork.store.sqlite.trouble import Kind, explain, kind_of

QUEUE_MAX = 64
CHECKPOINT_PAGES = 4000  # 16 MB of log, then it is moved into the database
WARN_PAGES = 131072  # 512 MB of log: some reader does not let go
SYNC_S = 1.0  # with durability "fast": what a power loss may take
IO_TRIES = 3
CLOSE_WAIT_MS = 500  # for readers in other processes; what stays in the log is not lost

T = TypeVar("T")


class _Written(Struct):
    """A checkpoint in the queue."""

    checkpoint: Checkpoint
    committed: Committed


class _Change(Struct, Generic[T]):
    """Any other change in the queue: a function of the connection, and where its caller waits for what it returns."""

    execute: Callable[[apsw.Connection], T]
    ready: threading.Event = field(default_factory=threading.Event)
    values: list[T] = field(default_factory=list)
    error: Exception | None = None

    def run(self, connection: apsw.Connection) -> None:
        value = self.execute(connection)
        if not self.values:  # what the first execution found is the answer, even if it is executed again
            self.values.append(value)


class Writer:
    """Owns the writing connection. Raises apsw.Error, StoreError where it cannot be opened."""

    def __init__(self, path: str, opening: Opening, head: Head) -> None:
        self._path = path
        self._opening = opening
        self._head = head
        self._connection = self._watched(open_to_write(path, opening))
        self._token = 0
        self._pages = 0
        self._move_at = CHECKPOINT_PAGES
        self._unsynced_since: float | None = None
        self._suspect = False
        self._warned_of_log = False
        self._queue: deque[_Written | _Change[object]] = deque()
        self._taken: deque[_Written | _Change[object]] = deque()  # being written, and not yet reported
        self._changed = threading.Condition()
        self._closing = False
        self._broken: StoreError | None = None
        self._dead = False
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------ from any thread

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        """Queue a checkpoint; waits while the queue is full."""
        self._put(_Written(checkpoint, committed))

    def call(self, execute: Callable[[apsw.Connection], T]) -> T:
        """Execute a change in its turn, in a transaction of its own, and return its value once that is on disk."""
        change = _Change(execute)
        if threading.current_thread() is self._thread:  # from a `committed`: no transaction is open
            self._process(deque([change]))  # type: ignore[list-item]
        else:
            self._put(change)  # type: ignore[arg-type]
            change.ready.wait()
        if change.error is not None:
            raise change.error
        return change.values[0]

    def close(self) -> None:
        """Write what is queued, move the log into the database, end the thread."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
            self._connection.set_busy_timeout(CLOSE_WAIT_MS)
            self._move_log("truncate")
        self._connection.close()
        self._head.close()

    def _put(self, order: _Written | _Change[object]) -> None:
        with self._changed:
            own = threading.current_thread() is self._thread
            while len(self._queue) >= QUEUE_MAX and not (own or self._closing or self._dead):
                self._changed.wait()
            if self._dead and self._broken is not None:
                raise self._broken
            if self._closing and not own:
                raise StoreError(f"the store {self._path} is closed")
            self._queue.append(order)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # a `committed` raised: nobody may wait for ever for what follows
            self._abandon(error)
            raise

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    if not self._changed.wait(SYNC_S if self._unsynced_since is not None else None):
                        break
                if self._closing and not self._queue:
                    return
                self._take()
                self._changed.notify_all()
            if self._taken:
                self._process(self._taken)
            self._keep_log_short()

    def _abandon(self, error: BaseException) -> None:
        broken = self._broken or StoreError(f"the writer of the store {self._path} has ended: {error!r}")
        with self._changed:
            self._broken, self._dead = broken, True
            left = [*self._taken, *self._queue]
            self._queue.clear()
            self._changed.notify_all()
        for order in left:
            if isinstance(order, _Change):
                order.error = broken
                order.ready.set()
            else:
                order.committed(broken)

    def _take(self) -> None:
        """All checkpoints at the head of the queue, or the one change that stands there."""
        while self._queue and (not self._taken or isinstance(self._queue[0], _Written)):
            self._taken.append(self._queue.popleft())
            if isinstance(self._taken[-1], _Change):
                break

    def _process(self, orders: deque[_Written | _Change[object]]) -> None:
        error = self._broken or self._commit(orders)
        while orders:
            order = orders.popleft()
            if isinstance(order, _Written):
                order.committed(error)
            else:
                order.error = error
                order.ready.set()

    def _commit(self, orders: deque[_Written | _Change[object]]) -> Exception | None:
        """Execute the orders in one transaction; None when they are on disk."""
        token = int.from_bytes(os.urandom(7))
        started, tries = self._opening.clock.now(), 0
        while True:
            try:
                if self._suspect:
                    self._begin_anew()
                if self._committed_already(token):
                    return None
                self._transact(orders, token)
                return None
            except BatchworkError as error:  # refused by what the change found; nothing is wrong with the store
                self._roll_back()
                return error if isinstance(orders[0], _Change) else self._break(error)
            except (apsw.Error, OSError) as error:
                tries += 1
                kind = kind_of(error, self._path, self._errno())
                self._roll_back()
                if not self._survives(kind, tries, self._opening.clock.now() - started):
                    return self._break(error, kind)
                if kind == "full" and tries == 2:  # the first time, moving the log may have made room
                    text = f"there is no space left for the store {self._path}; trying again for {self._opening.patience_s:g} s"
                    self._opening.warn(text)
            except Exception as error:  # noqa: BLE001 a bug in a change is its caller's to see, one in a checkpoint ends all
                self._roll_back()
                return error if isinstance(orders[0], _Change) else self._break(error)

    def _transact(self, orders: deque[_Written | _Change[object]], token: int) -> None:
        claims = any(isinstance(order, _Written) and order.checkpoint.claims for order in orders)
        outcomes = any(
            isinstance(order, _Written) and (order.checkpoint.successes or order.checkpoint.records) for order in orders
        )
        connection = self._connection
        connection.execute("begin immediate")
        for order in orders:
            fault("state.write")
            if isinstance(order, _Written):
                record(connection, order.checkpoint)
            else:
                order.run(connection)
        commits, store = connection.execute(statement("mark_set"), (token,)).get
        _strike(claims and "claim.before_commit", outcomes and "flush.before_commit", outcomes and "flush.commit")
        fault("state.commit")
        if self._opening.durability == "full":
            fault("fsync")
        self._token = token
        connection.execute("commit")
        self._head.write(store, commits)
        _strike(claims and "claim.after_commit", outcomes and "flush.after_commit")
        if fails_after("state.commit"):
            raise OSError(5, "the commit took place, but is reported to have failed")
        if self._opening.durability == "fast" and self._unsynced_since is None:
            self._unsynced_since = self._opening.clock.now()

    # ------------------------------------------------------------ when it goes wrong

    def _survives(self, kind: Kind, tries: int, waited_s: float) -> bool:
        """Whether to try again, after a pause and on a fresh connection where the old one cannot be trusted.

        After a failed fsync the kernel may have dropped what it could not write, and the next fsync may succeed
        nevertheless. So the connection is opened anew, which checks the log's sums, and the log is moved into the
        database and synced there, before anything is tried again or believed to be on disk.
        """
        if kind == "full" and waited_s < self._opening.patience_s:
            self._pause(min(0.5, self._opening.patience_s / 10) if tries > 1 else 0.01)
        elif kind == "io" and tries < IO_TRIES:
            self._pause(0.05 * tries)
        else:
            return False
        self._suspect = True
        return True

    def _begin_anew(self) -> None:
        self._connection.close()
        self._connection = self._watched(open_to_write(self._path, self._opening))
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._suspect = False

    def _committed_already(self, token: int) -> bool:
        """Whether a commit that seemed to fail took place."""
        return token == self._token and token == self._connection.execute(statement("mark_token")).get

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
        except apsw.Error:
            self._suspect = True

    def _break(self, error: Exception, kind: Kind | None = None) -> StoreError:
        self._broken = explain(error, self._path, kind)
        return self._broken

    def _errno(self) -> int:
        try:
            return self._connection.system_errno
        except apsw.Error:
            return 0

    def _pause(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    # ------------------------------------------------------------ the log

    def _watched(self, connection: apsw.Connection) -> apsw.Connection:
        connection.set_wal_hook(self._note_pages)
        return connection

    def _note_pages(self, connection: apsw.Connection, name: str, pages: int) -> int:
        if pages < self._pages:  # the log has begun anew
            self._move_at = CHECKPOINT_PAGES
        self._pages = pages
        return apsw.SQLITE_OK

    def _keep_log_short(self) -> None:
        """Move the log into the database when it is long, and each second where a commit does not sync it."""
        since = self._unsynced_since
        if self._pages >= self._move_at or (since is not None and self._opening.clock.now() - since >= SYNC_S):
            self._unsynced_since = None
            self._move_log("passive")
            self._move_at = self._pages + CHECKPOINT_PAGES  # where a reader is in the way, not after each commit
        if self._pages >= WARN_PAGES and not self._warned_of_log:
            self._warned_of_log = True
            self._opening.warn(
                f"the log of the store {self._path} has grown to {self._pages * 4096 >> 20} MB, "
                "because another process has been reading it for a long time"
            )

    def _move_log(self, mode: str) -> None:
        modes = {"passive": apsw.SQLITE_CHECKPOINT_PASSIVE, "truncate": apsw.SQLITE_CHECKPOINT_TRUNCATE}
        try:
            left, moved = self._connection.wal_checkpoint(mode=modes[mode])
        except apsw.BusyError:
            return  # a reader is in the way: next time
        except apsw.Error:
            self._suspect = True  # nothing is lost, but the next transaction begins on a fresh connection
            return
        if left == moved:
            self._pages = 0


def _strike(*points: str | bool) -> None:
    for point in points:
        if isinstance(point, str):
            fault(point)
