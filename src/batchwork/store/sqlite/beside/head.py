"""A note beside a store: whose it is and how many transactions it has had, so that what was emptied, replaced or lost is missed.

It is made after each commit and never synced, so it may lag behind, and then a loss is not noticed. No row is read here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NoReturn

from msgspec import Struct

from batchwork.errors import StoreError
from batchwork.folders import private_folder
from batchwork.text.wording import plural


class Noted(Struct, frozen=True):
    """What was noted: a store, its transactions, and how many of these no power cut can have taken."""

    store: int
    commits: int
    synced: int


class Mark(Struct, frozen=True):
    """What stands in the database itself."""

    store: int
    commits: int


class Head:
    """The note of the store at `path`, in the file `note`."""

    def __init__(self, path: str, note: str) -> None:
        self._path, self._note = path, note
        self._descriptor = -1
        self._latest = Noted(0, 0, 0)

    def read(self) -> Noted | None:
        """What was noted; None where nothing was, or it cannot be read."""
        try:
            with open(self._note, encoding="ascii") as file:
                store, commits, *synced = (int(word) for word in file.read().split())
        except (OSError, ValueError):
            return None
        return Noted(store, commits, min([commits, *synced]))

    def write(self, mark: Mark, *, synced: bool) -> None:
        """Note a commit, and whether it is safe from a power cut. That this cannot be done is no reason to stop."""
        self._latest = Noted(mark.store, mark.commits, mark.commits if synced else self._latest.synced)
        self._put()

    def all_synced(self) -> None:
        """All that was noted is safe now."""
        if self._latest.synced < self._latest.commits:
            self._latest = Noted(self._latest.store, self._latest.commits, self._latest.commits)
            self._put()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _put(self) -> None:
        store, commits, synced = self._latest.store, self._latest.commits, self._latest.synced
        with suppress(OSError):
            if self._descriptor < 0:
                private_folder(os.path.dirname(self._note))
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._descriptor = os.open(self._note, flags, 0o600)
                os.fchmod(self._descriptor, 0o600)
            os.pwrite(self._descriptor, f"{store:<21} {commits:<20} {synced:<20}".encode(), 0)

    # ------------------------------------------------------------ what is missed

    def expect_file(self) -> None:
        """See that the file of a store that had something is there and not empty. Raises StoreError."""
        noted = self.read()
        if noted is None or not noted.commits:
            return
        try:
            empty = os.stat(self._path).st_size == 0
        except OSError:
            self._refuse(f"the store {self._path} is gone", noted)
        if empty:
            self._refuse(f"the store {self._path} has been emptied: its file has no content", noted)

    def _refuse(self, what: str, noted: Noted) -> NoReturn:
        raise StoreError(
            f"{what}; it had {plural(noted.commits, 'transaction')}",
            f"put it back from a copy; to begin anew without what it had, remove {self._note}",
        )

    def lost(self, noted: Noted | None, mark: Mark | None, *, to_write: bool) -> str:
        """What the store has lost since it was noted, for a warning; "" if nothing. `noted` must have been read before `mark`.

        Raises StoreError where this is not the store that was here; where nothing is left; and where it is to be
        written and has lost more than a power cut may take from it.
        """
        if noted is None or not noted.commits:
            return ""
        if mark is not None and mark.store != noted.store:
            raise StoreError(
                f"{self._path} is not the store that was here before: it was replaced, or its -wal file was",
                f"put the right one back; to go on with this one, remove {self._note}",
            )
        left = mark.commits if mark is not None else 0
        if left >= noted.commits:
            return ""
        what = (
            f"the store {self._path} has lost its last {plural(noted.commits - left, 'transaction')} "
            "(was its -wal file removed?)"
        )
        if left < noted.synced if to_write else mark is None:
            raise StoreError(
                what,
                "put what was removed back; to go on with what is left, "
                f"so that what is not known any more is run again, remove {self._note}",
            )
        return f"{what}: what they recorded is not known any more, and will be run again"
