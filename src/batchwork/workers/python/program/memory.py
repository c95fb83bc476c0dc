"""The memory that a worker shares with the coordinator: which unit runs since when, and outcomes not yet sent. No pipe here.

Layout, in the machine's own byte order:
     0  one byte, of flags: 1 look at `recall`, 2 this worker is being ended            written by the coordinator
     8  recall: calls up to this number are to be handed back what has not started
    16  number of the call that runs
    24  offset of the unit that runs, -1: none · began (monotonic seconds) · where its output begins · end of the records
    64  records, a line each: `D offset µs JSON` (done), `F offset µs JSON` (failed), `L offset from to` (its output)
"""

from __future__ import annotations

import mmap
import struct

CALL_NUMBER = struct.Struct("@Q")
RUNNING_UNIT = struct.Struct("@qdQQ")
RECALLED, ENDING = 1, 2
RECALL_AT, CALL_AT, UNIT_AT, RECORDS_AT = 8, 16, 24, 64


class Memory:
    """The shared memory behind a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.map = mmap.mmap(descriptor, 0)
        self.size = len(self.map)

    def begin(self, call: int) -> None:
        """A call begins; there are no records yet."""
        RUNNING_UNIT.pack_into(self.map, UNIT_AT, -1, 0.0, 0, RECORDS_AT)
        CALL_NUMBER.pack_into(self.map, CALL_AT, call)

    def rest(self, end: int) -> None:
        """Nothing runs; the records end at `end`."""
        RUNNING_UNIT.pack_into(self.map, UNIT_AT, -1, 0.0, 0, end)

    def recalled(self, call: int) -> bool:
        """Whether this call is to be handed back."""
        return bool(self.map[0]) and bool(CALL_NUMBER.unpack_from(self.map, RECALL_AT)[0] >= call)

    def ending(self) -> bool:
        """Whether the coordinator is ending this worker."""
        return bool(self.map[0] & ENDING)

    def running(self) -> bool:
        return bool(RUNNING_UNIT.unpack_from(self.map, UNIT_AT)[0] >= 0)

    def output_from(self) -> int:
        """Where the output of the unit that runs begins."""
        return int(RUNNING_UNIT.unpack_from(self.map, UNIT_AT)[2])
