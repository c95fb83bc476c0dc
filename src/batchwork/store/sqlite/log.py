"""The write-ahead log of a store: kept short while it is written, and missed when it was removed or lost. Nothing is mended here.

How many transactions the store has had is noted in a small file beside it after each commit, and never synced; the note
may lag behind, and then a loss is not noticed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import apsw

from batchwork.ports import Opening
from batchwork.store.sqlite.reader import Readers
from batchwork.store.sqlite.rows import integer_in
from batchwork.store.sqlite.statements import statement

MOVE_PAGES = 4000  # 16 MB of log, then it is moved into the database
WARN_PAGES = 131072  # 512 MB of log: some reader does not let go
SYNC_S = 1.0  # with durability "fast": what a power loss may take


class Log:
    """Moves the log into the database when it is long, and each second where a commit does not sync it."""

    def __init__(self, path: str, opening: Opening) -> None:
        self._path, self._opening = path, opening
        self._pages = 0
        self._move_at = MOVE_PAGES
        self._unsynced_since: float | None = None
        self._warned = False

    def watch(self, connection: apsw.Connection) -> apsw.Connection:
        connection.set_wal_hook(self._note_pages)
        return connection

    def grown(self) -> None:
        """There has been a commit."""
        if self._opening.durability == "fast" and self._unsynced_since is None:
            self._unsynced_since = self._opening.clock.now()

    def due_in(self) -> float | None:
        """Seconds after which `keep_short` may have something to do; None where only commits give it some."""
        if self._unsynced_since is None:
            return None
        return SYNC_S

    def keep_short(self, connection: apsw.Connection) -> None:
        """Move the log where it is due. Raises apsw.Error."""
        since = self._unsynced_since
        if self._pages >= self._move_at or (since is not None and self._opening.clock.now() - since >= SYNC_S):
            self._unsynced_since = None
            self.move(connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._move_at = self._pages + MOVE_PAGES  # where a reader is in the way, not after each commit
        if self._pages >= WARN_PAGES and not self._warned:
            self._warned = True
            self._opening.warn(
                f"the log of the store {self._path} has grown to {self._pages * 4096 >> 20} MB, "
                "because another process has been reading it for a long time"
            )

    def move(self, connection: apsw.Connection, mode: int) -> None:
        """Move the log, unless a reader is in the way: then the next time. Raises apsw.Error."""
        with suppress(apsw.BusyError):
            left, moved = connection.wal_checkpoint(mode=mode)
            if left == moved:
                self._pages = 0

    def _note_pages(self, connection: apsw.Connection, name: str, pages: int) -> int:
        if pages < self._pages:  # the log has begun anew
            self._move_at = MOVE_PAGES
        self._pages = pages
        return apsw.SQLITE_OK


class Head:
    """A small file: the identity of the store and its latest known number of transactions."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    def read(self, identity: int) -> int:
        """The number that was noted for this store; 0 where there is none, or one of another store."""
        try:
            with open(self._path, encoding="ascii") as file:
                noted, commits = (int(word) for word in file.read().split())
        except (OSError, ValueError):
            return 0
        return commits * (noted == identity)

    def write(self, identity: int, commits: int) -> None:
        """Note a number. That this cannot be done is no reason to stop."""
        with suppress(OSError):
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                os.fchmod(self._descriptor, 0o600)
            os.pwrite(self._descriptor, f"{identity:<21} {commits:<20}".encode(), 0)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def warn_of_loss(head: Head, readers: Readers, path: str, warn: Callable[[str], None]) -> None:
    """Warn if the store has had more transactions than it has now."""
    noted = head.read(integer_in(readers.read(statement("mark_store"))[0][0]))
    lost = noted - integer_in(readers.read(statement("mark_commits"))[0][0])  # read after it: the number only grows
    if lost > 0:
        warn(
            f"the store {path} has lost its last {lost} transactions (was its -wal file removed?): "
            "what they recorded is not known any more, and will be run again"
        )
