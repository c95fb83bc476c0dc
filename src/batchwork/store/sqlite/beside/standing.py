"""Whether the files of an open store still stand where they were opened, or somebody has taken them away meanwhile."""

from __future__ import annotations

import os
from typing import TypeAlias

from batchwork.errors import StoreError

Identity: TypeAlias = tuple[int, int]
"""Of a file: its device and its number there."""

PAGE_BYTES = 4096


class Standing:
    """The database at `path` and its log, as they were at the first transaction of a connection.

    Without it a process would write on into files that have no name any more, and all would be gone with the process.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[str, Identity] = {}
        self.emptied = False
        """Whether the database is not what the log belongs to any more, so that nothing may be moved into it."""

    def opened_anew(self) -> None:
        """There is another connection, which may have made another log."""
        self._known.clear()

    def check(self) -> None:
        """See that both files are there, and that the database has its first page. Raises StoreError."""
        self._see(self._path, PAGE_BYTES)
        self._see(f"{self._path}-wal", 0)  # another run's process that ends may have emptied it

    def _see(self, file: str, least: int) -> None:
        try:
            found = os.stat(file)
        except OSError as error:
            raise self._gone(file, "removed") from error
        identity = found.st_dev, found.st_ino
        if self._known.setdefault(file, identity) != identity:
            raise self._gone(file, "replaced")
        if found.st_size < least:
            self.emptied = True
            raise self._gone(file, "emptied")

    def _gone(self, file: str, what: str) -> StoreError:
        return StoreError(
            f"the file {file} of the store was {what} while it was written to",
            "see with `batchwork status` what is left, put back what is missing, then `batchwork resume`",
        )
