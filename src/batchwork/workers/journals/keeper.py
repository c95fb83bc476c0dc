"""The journals of executions, as ports.Journals: in the machine's shared memory, which is no disk, and outlives processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress

from batchwork.clock import Clock, SystemClock
from batchwork.folders import private_folder
from batchwork.ports.journals import NOBODY, ExecutionMark, Noted, Owner
from batchwork.workers.journals.folder import (
    boot_id,
    files_of,
    is_held,
    own_folder,
    owner_of,
    remove_folder,
    remove_step,
    taken,
)

SHARED_MEMORY = "/dev/shm"  # noqa: S108  a folder of our own is made in it
ROOM_LEAST = 64 << 20
"""Bytes free in it, below which it is left to others (a container may have no more)."""
FORGOTTEN_S = 7 * 24 * 3600.0
"""Journals of our own that nobody writes and that are older were forgotten by runs that are gone."""


class KeptJournals:
    """See ports.Journals. `memory` is a folder in memory, `least` what must be free there."""

    def __init__(self, clock: Clock | None = None, memory: str = SHARED_MEMORY, least: int = ROOM_LEAST) -> None:
        self._clock: Clock = clock or SystemClock()
        self._memory, self._least = memory, least
        self._held: dict[str, int] = {}  # the open folders of executions that go on here

    def close(self) -> None:
        """Let go of all folders. What is in them stays."""
        while self._held:
            os.close(self._held.popitem()[1])

    def begin(self, execution: str, spare: str | None, owner: Owner = NOBODY) -> ExecutionMark:
        boot = boot_id()
        for folder in self._places(execution, spare):
            try:
                private_folder(os.path.dirname(folder))
                os.mkdir(folder, 0o700)
                self._held[execution] = taken(folder, owner)
            except OSError:
                continue
            return ExecutionMark(execution, boot, folder)
        return ExecutionMark(execution, boot)

    def _places(self, execution: str, spare: str | None) -> list[str]:
        places = []
        if in_memory(self._memory) and self._room() >= self._least:
            places.append(os.path.join(self._memory, f"{self._prefix}{execution}"))
        if spare is not None:
            places.append(os.path.join(spare, execution))
        return places

    @property
    def _prefix(self) -> str:
        return f"batchwork-{os.geteuid()}-"

    def _room(self) -> int:
        with suppress(OSError):
            found = os.statvfs(self._memory)
            return found.f_bavail * found.f_frsize
        return 0

    def sweep(self, owner: Owner, needed: Callable[[], Container[str]]) -> None:
        known: Container[str] | None = None
        for folder in self._left():
            found = owner_of(folder)
            if found == owner != NOBODY:
                known = needed() if known is None else known
                past = folder.removeprefix(os.path.join(self._memory, self._prefix)) not in known
            else:
                past = found != NOBODY and not os.path.isdir(found.folder)
            if (past or self._is_old(folder)) and not is_held(folder) and not _writers(folder):
                remove_folder(folder)

    def _left(self) -> list[str]:
        """The folders of executions in memory: of living ones, too."""
        names: list[str] = []
        with suppress(OSError):
            names = [name for name in os.listdir(self._memory) if name.startswith(self._prefix)]
        return [folder for folder in (os.path.join(self._memory, name) for name in names) if own_folder(folder)]

    def _is_old(self, folder: str) -> bool:
        with suppress(OSError):
            return self._clock.wall_ms() / 1000 - os.lstat(folder).st_mtime > FORGOTTEN_S
        return False

    # ------------------------------------------------------------ after a death

    def writers(self, marks: Sequence[ExecutionMark]) -> list[int]:
        return [pid for mark in _of_this_boot(marks) for pid in _writers(mark.folder)]

    def read(
        self, marks: Sequence[ExecutionMark], step: int, calls: Container[int] | None = None
    ) -> Mapping[int, Noted] | None:
        from batchwork.workers.journals.shelf import complete  # journals are read after a death

        # The latest that has any: a step's claims end, and its journals go, before it claims anew.
        for mark in reversed(_of_this_boot(marks)):
            files = files_of(mark.folder, step).get(str(step), [])
            if not complete(mark.folder, step, len(files)):
                if files:
                    return None
                continue
            return _read(mark, step, files, calls)
        return None

    def forget(self, marks: Sequence[ExecutionMark], step: int) -> None:
        for mark in marks:
            if mark.folder:
                remove_step(mark.folder, step)

    def left(self, marks: Sequence[ExecutionMark]) -> list[ExecutionMark]:
        found = []
        for mark in marks:
            if mark.folder and files_of(mark.folder):
                found.append(mark)
            elif mark.folder:
                remove_folder(mark.folder)
        return found

    def end(self, mark: ExecutionMark) -> None:
        if (held := self._held.pop(mark.id, None)) is not None:
            os.close(held)
        if mark.folder:
            remove_folder(mark.folder)


def _of_this_boot(marks: Sequence[ExecutionMark]) -> list[ExecutionMark]:
    """What is older was lost with the memory, or stands in a copy of a folder."""
    boot = boot_id()
    return [mark for mark in marks if mark.folder and mark.boot == boot]


def _writers(folder: str) -> list[int]:
    from batchwork.workers.journals.shelf import writer_of

    found = (writer_of(path) for paths in files_of(folder).values() for path in paths)
    return [pid for pid in found if pid is not None]


def _read(
    mark: ExecutionMark, step: int, files: Sequence[str], calls: Container[int] | None
) -> Mapping[int, Noted] | None:
    from batchwork.workers.journals.reading import Unreadable
    from batchwork.workers.journals.shelf import read_journal

    noted: dict[int, Noted] = {}
    try:
        for path in files:
            noted.update(read_journal(path, mark, step, calls))
    except (OSError, Unreadable):
        return None
    return noted


def in_memory(folder: str) -> bool:
    """Whether a folder is a file system that is in memory, so that what stands in it reaches no disk."""
    with suppress(OSError), open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        return any(line.split(" ")[1:3] == [folder, "tmpfs"] for line in mounts)
    return False
