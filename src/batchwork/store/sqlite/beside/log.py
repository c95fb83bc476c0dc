"""The write-ahead log of a store, kept short while it is written. Nothing is mended here."""

from __future__ import annotations

from contextlib import suppress

import apsw

from batchwork.ports import Opening

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

    def keep_short(self, connection: apsw.Connection) -> bool:
        """Move the log where it is due; whether all of it has been moved, and so synced. Raises apsw.Error."""
        moved = False
        since = self._unsynced_since
        if self._pages >= self._move_at or (since is not None and self._opening.clock.now() - since >= SYNC_S):
            self._unsynced_since = None
            moved = self.move(connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._move_at = self._pages + MOVE_PAGES  # where a reader is in the way, not after each commit
        if self._pages >= WARN_PAGES and not self._warned:
            self._warned = True
            self._opening.warn(
                f"the log of the store {self._path} has grown to {self._pages * 4096 >> 20} MB, "
                "because another process has been reading it for a long time"
            )
        return moved

    def move(self, connection: apsw.Connection, mode: int) -> bool:
        """Move the log, unless a reader is in the way: then the next time. Whether all was moved. Raises apsw.Error."""
        with suppress(apsw.BusyError):
            left, moved = connection.wal_checkpoint(mode=mode)
            if left == moved:
                self._pages = 0
                return True
        return False

    def _note_pages(self, connection: apsw.Connection, name: str, pages: int) -> int:
        if pages < self._pages:  # the log has begun anew
            self._move_at = MOVE_PAGES
        self._pages = pages
        return apsw.SQLITE_OK
