"""The coordinator's view of the memory that it shares with a Python worker: what runs, and what was noted of a dead one."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import NamedTuple

from batchwork.workers.nameless_file import nameless_file
from batchwork.workers.python.program.memory import (
    CALL_AT,
    CALL_NUMBER,
    ENDING,
    RECALL_AT,
    RECALLED,
    RECORDS_AT,
    RUNNING_UNIT,
    UNIT_AT,
)

SIZE = 1 << 20


class Running(NamedTuple):
    """The unit that a worker runs: `offset` in call number `call`, since `began`; its output begins at `output`."""

    call: int
    offset: int
    began: float
    output: int


class Record(NamedTuple):
    """An outcome that was noted and perhaps not sent. `kind`: D done, F failed, C cancelled; `text` is JSON."""

    kind: str
    offset: int
    us: int
    text: str
    log: tuple[int, int] | None


class WorkerMemory:
    """Shared memory without a name: it is gone with the two processes."""

    def __init__(self) -> None:
        self.descriptor = nameless_file("batchwork")
        os.ftruncate(self.descriptor, SIZE)
        self._map = mmap.mmap(self.descriptor, SIZE)
        RUNNING_UNIT.pack_into(self._map, UNIT_AT, -1, 0.0, 0, RECORDS_AT)

    def recall(self, upto: int) -> None:
        """Calls up to this number are to be handed back."""
        CALL_NUMBER.pack_into(self._map, RECALL_AT, upto)
        self._map[0] |= RECALLED

    def end(self) -> None:
        """The worker is being ended: SIGTERM comes from here."""
        self._map[0] |= ENDING

    def running(self) -> Running | None:
        """What runs now, None if nothing does."""
        offset, began, output, _ = RUNNING_UNIT.unpack_from(self._map, UNIT_AT)
        return Running(CALL_NUMBER.unpack_from(self._map, CALL_AT)[0], offset, began, output) if offset >= 0 else None

    def records(self) -> tuple[int, list[Record]]:
        """The number of the call that runs or ran last, and what was noted of it. Only for a worker that is dead."""
        end = min(RUNNING_UNIT.unpack_from(self._map, UNIT_AT)[3], SIZE)
        text = self._map[RECORDS_AT : max(RECORDS_AT, end)].decode("ascii", "replace")
        return CALL_NUMBER.unpack_from(self._map, CALL_AT)[0], list(_parsed(text))

    def close(self) -> None:
        self._map.close()
        os.close(self.descriptor)


def _parsed(text: str) -> Iterator[Record]:
    log: tuple[int, int] | None = None
    for line in text.split("\n"):
        kind, (offset, first, rest) = line[:1], [*line[1:].split(" ", 2), "", ""][:3]
        if kind == "L":
            log = int(first), int(rest)
        elif kind in {"D", "F", "C"}:
            yield Record(kind, int(offset), int(first), rest, log)
            log = None
