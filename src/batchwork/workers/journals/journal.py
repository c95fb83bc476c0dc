"""The coordinator's side of a worker's journal: made before the worker starts, told what is on disk, read when the worker is dead."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Container
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from batchwork.ports.journals import Noted
from batchwork.workers.journals.reading import Unreadable, noted_in
from batchwork.workers.python.program.journal import (
    BEGAN,
    CALL,
    END,
    ENDING,
    EVER,
    MARK,
    RECALL,
    RECALLED,
    SETTLED,
    SIZE,
    START,
    base_of,
)


class Running(NamedTuple):
    """The unit that a Python worker runs: `offset` in call number `call`, since `began`; its output begins at `output`."""

    call: int
    offset: int
    began: float
    output: int


class WorkerJournal:
    """The journal in an open file, which `remove` takes from its folder once the worker and what it did are past.

    Without `remove` nobody reads it after this process, and the worker need not wait for anything to be on disk.
    """

    def __init__(self, descriptor: int, remove: Callable[[], None] | None = None) -> None:
        self.descriptor = descriptor
        os.ftruncate(descriptor, SIZE)
        self._map = mmap.mmap(descriptor, SIZE)
        self._words, self._times = memoryview(self._map).cast("Q"), memoryview(self._map).cast("d")
        self._remove = remove
        self._given = self._settled = 0
        self._retired = False
        for segment in (0, 1):
            self._words[END + segment] = base_of(segment)
        if remove is None:
            self._words[SETTLED] = EVER

    # ------------------------------------------------------------ what is on disk

    def receipt(self) -> Callable[[], None]:
        """For the next report of this worker: to be called once what it says is on disk."""
        self._given += 1
        return partial(self._settle, self._given)

    def _settle(self, frames: int) -> None:
        self._settled = frames
        if not self._retired:
            self._words[SETTLED] = frames if self._remove is not None else EVER
        self._remove_if_past()

    def _remove_if_past(self) -> None:
        if self._retired and self._settled >= self._given and self._remove is not None:
            self._remove()
            self._remove = None

    def close(self) -> None:
        """The worker is dead, and all its reports have their receipts. The file goes when the last of these comes."""
        if self._retired:
            return
        self._retired = True
        self._words.release()
        self._times.release()
        self._map.close()
        os.close(self.descriptor)
        self._remove_if_past()

    # ------------------------------------------------------------ the worker at work, and dead

    def recall(self, upto: int) -> None:
        """Calls up to this number are to be handed back."""
        self._words[RECALL] = upto
        self._map[0] |= RECALLED

    def go_on(self) -> None:
        """What comes now is to be run again."""
        self._map[0] &= ~RECALLED & 0xFF

    def end(self) -> None:
        """The worker is being ended: SIGTERM comes from here."""
        self._map[0] |= ENDING

    def running(self) -> Running | None:
        """What runs now, None if nothing does. The last to run, if the worker is dead."""
        started = self._words[START]
        if not started:
            return None
        return Running(self._words[CALL], started - 1, self._times[BEGAN], self._words[MARK])

    @property
    def call(self) -> int:
        """The number of the call that runs or ran last."""
        return self._words[CALL]

    def noted(self, wanted: Container[int], worker: str = "") -> dict[int, Noted]:
        """What is noted of these calls; nothing where that cannot be read. The worker is dead, or has been at one unit for a while."""
        with suppress(Unreadable):
            return noted_in(self._map, wanted, worker)
        return {}
