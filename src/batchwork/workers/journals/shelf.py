"""The shelf of one step in the folder of an execution's journals: `STEP.index` and a file `STEP.N` for each worker.

The index counts files that were made and files that were removed. It is raised after a file is made and before its worker
starts, and before a file is removed: as long as there are as many files as it says, nothing is missing.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Container
from contextlib import ExitStack, closing, suppress
from mmap import ACCESS_READ, mmap

from batchwork.ports.journals import ExecutionMark, Noted
from batchwork.workers.journals.folder import NEW, boot_id
from batchwork.workers.journals.journal import WorkerJournal
from batchwork.workers.journals.reading import Unreadable, noted_in, word
from batchwork.workers.nameless_file import nameless_file
from batchwork.workers.python.program.journal import HEADER, IDENTITY_AT, PID, SIZE, VERSION

_INDEX_SIZE = 16


def identity(boot: str, execution: str, step: str) -> bytes:
    """What stands at the head of a journal, so that no other is taken for it."""
    line = json.dumps({"version": VERSION, "boot": boot, "execution": execution, "step": step})
    return line.encode("ascii") + b"\n"


class Shelf:
    """Makes the journals of one step's workers. `place` is the folder and the step; empty: they have no names."""

    def __init__(self, place: str) -> None:
        self._folder, self._step = os.path.split(place)
        self._index: mmap | None = None
        self._made = 0

    def new(self) -> WorkerJournal:
        """The journal of a new worker. Raises OSError where there can be none at all."""
        if not self._folder:
            return WorkerJournal(nameless_file("batchwork"))
        try:
            return self._on_shelf()
        except OSError:  # no room: this one is not kept, and the index says that one is missing
            self._count(0)
            return WorkerJournal(nameless_file("batchwork"))

    def _on_shelf(self) -> WorkerJournal:
        self._made += 1
        path = os.path.join(self._folder, f"{self._step}.{self._made}")
        with ExitStack() as undo:
            descriptor = os.open(path, NEW, 0o600)
            undo.callback(os.close, descriptor)
            undo.callback(os.unlink, path)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(
                descriptor, bytes(HEADER), 0
            )  # not a hole: a store into a page that there is no room for would kill
            own = identity(boot_id(), os.path.basename(self._folder).rpartition("-")[2], self._step)
            os.pwrite(descriptor, own, IDENTITY_AT)
            journal = WorkerJournal(descriptor, lambda: self._remove(path))
            undo.pop_all()
        self._count(0)
        return journal

    def _remove(self, path: str) -> None:
        self._count(1)
        with suppress(OSError):
            os.unlink(path)

    def _count(self, which: int) -> None:
        """One more that was made (0) or removed (1)."""
        with suppress(OSError):  # then none is complete
            if self._index is None:
                self._index = self._new_index()
            with memoryview(self._index) as view, view.cast("Q") as words:
                words[which] += 1

    def _new_index(self) -> mmap:
        descriptor = os.open(os.path.join(self._folder, f"{self._step}.index"), NEW, 0o600)
        try:
            os.pwrite(descriptor, bytes(_INDEX_SIZE), 0)
            return mmap(descriptor, _INDEX_SIZE)
        finally:
            os.close(descriptor)


# ---------------------------------------------------------------- after a death


def complete(folder: str, step: int, files: int) -> bool:
    """Whether these are all the journals that there were."""
    with suppress(OSError, Unreadable), _opened(os.path.join(folder, f"{step}.index"), _INDEX_SIZE) as pages:
        return files >= word(pages, 0) - word(pages, 1)
    return False


def read_journal(path: str, mark: ExecutionMark, step: int, calls: Container[int] | None) -> dict[int, Noted]:
    """What stands in a journal of these calls (None: of all). Raises OSError, Unreadable."""
    with _opened(path, SIZE) as pages:
        own = identity(mark.boot, mark.id, str(step))
        if pages[IDENTITY_AT : IDENTITY_AT + len(own)] != own:
            raise Unreadable
        return noted_in(pages, calls, f"worker/{word(pages, PID)}")


def writer_of(path: str) -> int | None:
    """The worker that may still write into a journal (0: some process), None where none can."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(OSError, Unreadable), _opened(path, SIZE) as pages:
            return word(pages, PID)
        return 0
    finally:
        os.close(descriptor)
    return None


def _opened(path: str, size: int) -> closing[mmap]:
    """A file of ours of this size, mapped. Raises OSError, Unreadable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_size != size:
            raise Unreadable
        return closing(mmap(descriptor, size, access=ACCESS_READ))
    finally:
        os.close(descriptor)
