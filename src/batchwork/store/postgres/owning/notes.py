"""Notes beside the runs of a store: how many transactions each has had, so that a server that has lost some is found out.

One is made after each commit and never synced, so it may lag behind, and then a loss is not noticed. No row is read here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from batchwork.errors import StoreError
from batchwork.folders import private_folder
from batchwork.ports import Durability
from batchwork.text.wording import plural


class Notes:
    """The notes of one store, by its identity, in a folder of the state folder."""

    def __init__(self, state_dir: str, identity: int, name: str, warn: Callable[[str], None]) -> None:
        self._folder = os.path.join(state_dir, "postgres", f"{identity & (1 << 64) - 1:016x}")
        self._name, self._warn = name, warn
        self._open: dict[str, int] = {}

    def write(self, run: str, commits: int, durability: Durability) -> None:
        """Note how many transactions there are. That this cannot be done is no reason to stop."""
        with suppress(OSError):
            if run not in self._open:
                private_folder(self._folder)
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._open[run] = os.open(self._path(run), flags, 0o600)
            os.pwrite(self._open[run], f"{commits:<20} {durability:<5}".encode(), 0)

    def compare(self, run: str, commits: int) -> None:
        """See that the store has not lost what was noted. Raises StoreError; warns where that had to be reckoned with."""
        noted, durability = self._read(run)
        if commits >= noted:
            return
        what = f"the store {self._name} has lost the last {plural(noted - commits, 'transaction')} of run {run}"
        if durability == "fast":
            self._warn(f"{what}: what they recorded is not known any more, and will be run again")
            return
        raise StoreError(
            f"{what} (is this another server, or a copy that was put back?)",
            "put back what is missing; to go on with what is left, so that what is not known any more is run again, "
            f"remove {self._path(run)}",
        )

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _read(self, run: str) -> tuple[int, str]:
        try:
            with open(self._path(run), encoding="ascii") as file:
                commits, durability = file.read().split()
            return int(commits), durability
        except (OSError, ValueError):
            return 0, ""

    def _path(self, run: str) -> str:
        return os.path.join(self._folder, run)
