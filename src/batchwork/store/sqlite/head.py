"""How many transactions the store has had, kept beside it: so that a log that was removed or lost is noticed. Nothing is mended here.

The number is written after each commit and never synced; it may lag behind, and then nothing is noticed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from batchwork.store.sqlite.reader import Readers
from batchwork.store.sqlite.rows import integer
from batchwork.store.sqlite.statements import statement


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
        return commits if noted == identity else 0

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
    noted = head.read(integer(readers.read(statement("mark_store"))[0][0]))
    lost = noted - integer(readers.read(statement("mark_commits"))[0][0])  # read after it: the number only grows
    if lost > 0:
        warn(
            f"the store {path} has lost its last {lost} transactions (was its -wal file removed?): "
            "what they recorded is not known any more, and will be run again"
        )
