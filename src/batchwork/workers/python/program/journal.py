"""The journal of a worker: a file that it maps, in which stands what runs and what came of what ran, whoever dies first. No pipe here.

The pages belong to the system, so they outlive the worker and the coordinator; writing costs no call of the system. Every
word is written by one store of eight bytes, so that nobody ever sees half of one. The layout, in the machine's own order:

    words of 8 bytes: flags in the first byte (RECALLED: look at RECALL, ENDING: this worker is being ended; the coordinator's)
      · RECALL (calls up to this number are to be handed back; the coordinator's) · CALL (number of the call that
      runs) · SETTLED (frames of outcomes that are on disk; the coordinator's) · START (units of the call that were started; 0
      at rest) · ACTIVE (the segment that is written) · END of each segment · UNKEPT (one more than the offset of a unit whose
      outcome found no room) · BEGAN (monotonic seconds, a double) · MARK (where the output of the running unit begins)
      · BLIND (not everything could be noted) · PID of the worker
    256: whose it is, a line of JSON
    4096: two segments of records, a line each:
      `B call` of which call the next ones are, or `B call first count` if it has room in the segment's table · `S offset` started (reactors; Python workers count in START)
      `D offset µs JSON` done · `F offset µs ms JSON` failed, and when · `C offset µs` cancelled · `L offset JSON` its output
    behind them: a table for each segment, of units whose result is a whole number of 64 bits: COLUMN words with results, then
      COLUMN words with one more than the µs (0: no outcome here). A call's unit at `offset` is entry `first` + `offset`.

A unit is noted as started before the flags are looked at for the last time: whoever sets a flag and then finds no unit
started knows that none will be. A segment is written anew only when all that stands in it is on disk elsewhere.
"""

from __future__ import annotations

import mmap
import os
import time

from .output import punch_hole

VERSION = 2
RECALLED, ENDING = 1, 2
RECALL, CALL, SETTLED, START, ACTIVE, END, UNKEPT, BEGAN, MARK, BLIND, PID = 1, 2, 3, 8, 9, 10, 12, 13, 14, 15, 16
IDENTITY_AT, HEADER = 256, 4096
SEGMENT = 16 << 20
COLUMN = 1 << 15
"""Entries of a table: some calls of the largest size."""
SIZE = HEADER + 2 * SEGMENT + 2 * 16 * COLUMN
EVER = (1 << 64) - 1
"""As RECALL: all calls. As SETTLED: nobody will ask for what stands here once its frame is sent."""

_GROW = 1 << 20
SWITCH_AT = 1 << 20
"""So much in a segment, and the next call begins in the other one: what is touched stays small."""
_GIVE_BACK_AT = 4 << 20
_LOOK_S = 0.001


def base_of(segment: int) -> int:
    """Where the records of a segment begin."""
    return HEADER + segment * SEGMENT


def table_of(segment: int) -> int:
    """The number of the word where the table of a segment begins."""
    return (HEADER + 2 * SEGMENT) // 8 + segment * 2 * COLUMN


class Pages:
    """The file in memory: as bytes, as words, as whole numbers, as doubles."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.map = mmap.mmap(descriptor, SIZE)
        self.words, self.times = memoryview(self.map).cast("Q"), memoryview(self.map).cast("d")
        self.numbers = memoryview(self.map).cast("q")


class Room:
    """A call's room in a table: its results, and one more than the microseconds, each at the number of its unit, from 1."""

    def __init__(self, numbers: memoryview, first: int, count: int) -> None:
        self.values = numbers[first - 1 : first + count]
        self.ends = numbers[first + COLUMN - 1 : first + COLUMN + count]


class Segment:
    """A part for records. `allocated` is how far the system has found room, `until` the frame with the last outcome in it.

    `taken` are entries of its table that calls have, `has_table` whether the system has found room for it.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.base = self.allocated = base_of(number)
        self.until = 0
        self.taken = 0
        self.has_table = False


class Journal:
    """The worker's side. `end` is where the next record goes, `limit` how far they may go without asking for room.

    `frames` counts what was sent of outcomes. `room` is that of the call in a table, if it has some.
    """

    def __init__(self, descriptor: int) -> None:
        self.pages = Pages(descriptor)
        self.frames = 0
        self._call = b""
        self.room: Room | None = None
        self._active, self._other = Segment(0), Segment(1)
        self.end = self.limit = self._active.base
        for segment in (self._active, self._other):
            self.pages.words[END + segment.number] = segment.base
        self.pages.words[PID] = os.getpid()

    @property
    def end_at(self) -> int:
        """The number of the word in which `end` stands."""
        return END + self._active.number

    # ------------------------------------------------------------ calls

    def begin(self, number: int, call: int, count: int = 0) -> None:
        """A call of so many units begins: nothing of it has started."""
        words = self.pages.words
        words[START] = 0
        words[CALL] = number
        if self._all_on_disk():  # nothing that stands here is needed any more
            self._enter()
            words[BLIND] = 0
        elif self.used > SWITCH_AT or self._active.taken + count > COLUMN:
            self.switch(self.frames)
        self._call = b"B%d%b\n" % (call, self._reserve(count))
        while not (self.append(self._call) or (self.switch(self.frames) and self.append(self._call))):
            if self._all_on_disk():
                words[BLIND] = 1
                break
            time.sleep(_LOOK_S)
        self.expect()

    def rest(self) -> None:
        """Nothing runs."""
        self.pages.words[START] = 0

    def running(self) -> bool:
        return bool(self.pages.words[START])

    def output_from(self) -> int:
        """Where the output of the unit that runs begins."""
        return self.pages.words[MARK]

    def recalled(self, number: int) -> bool:
        """Whether this call is to be handed back."""
        return bool(self.pages.map[0] & RECALLED) and self.pages.words[RECALL] >= number

    def ending(self) -> bool:
        """Whether the coordinator is ending this worker."""
        return bool(self.pages.map[0] & ENDING)

    def recall_all(self) -> None:
        """Nothing more is to be started, whoever asks for it."""
        self.pages.words[RECALL] = EVER
        self.pages.map[0] |= RECALLED

    # ------------------------------------------------------------ records

    @property
    def used(self) -> int:
        """Bytes of records in the active segment."""
        return self.end - self._active.base

    def expect(self) -> None:
        """From here on a frame's worth of records may come; then it is asked for room, and is time for a frame."""
        self.limit = min(self._active.allocated, self.end + _GROW)

    def append(self, record: bytes) -> bool:
        """Note a record in the active segment; False where it does not fit."""
        end = self.end + len(record)
        if end > self._active.allocated and not self._allocate(end):
            return False
        self.pages.map[self.end : end] = record
        self.end = end
        self.pages.words[self.end_at] = end
        return True

    def add(self, record: bytes) -> bool:
        """Note a record of the running call, in the other segment if need be; False where there is no room for it."""
        if self.append(record):
            return True
        return self.switch(self.frames + 1) and self.append(self._call) and self.append(record)

    def switch(self, until: int) -> bool:
        """Go on in the other segment, if all that stands there is on disk. `until`: the frame that has the last of this one.

        The room in the table goes with the segment, which may be written anew before the call is over.
        """
        if self.pages.words[SETTLED] < self._other.until:
            return False
        self.room, self._call = None, self._call.split(b" ")[0].rstrip() + b"\n"
        self._active.until = until
        self._active, self._other = self._other, self._active
        self._enter()
        return True

    def unkept(self, offset: int) -> None:
        """There was no room for the outcome of this unit: it goes by the pipe alone."""
        self.pages.words[UNKEPT] = offset + 1
        self.pages.words[START] = 0

    def wait_until_kept(self) -> None:
        """Nothing more may start before what was sent is on disk, or more would be in doubt than runs."""
        words = self.pages.words
        while not self._all_on_disk() and words[RECALL] != EVER:
            time.sleep(_LOOK_S)
        if self._all_on_disk():
            words[UNKEPT] = 0

    def _all_on_disk(self) -> bool:
        """Whether all frames that were sent are on disk."""
        return self.pages.words[SETTLED] >= self.frames

    # ------------------------------------------------------------ room

    def _enter(self) -> None:
        """Write the active segment anew."""
        segment, words = self._active, self.pages.words
        at = END + segment.number
        if words[at] - segment.base > _GIVE_BACK_AT:
            punch_hole(self.pages.descriptor, segment.base + _GROW, SEGMENT - _GROW)
            segment.allocated = segment.base + _GROW
        words[at] = segment.base
        segment.taken = 0
        words[ACTIVE] = segment.number
        self.end = segment.base

    def _allocate(self, end: int) -> bool:
        """Have the system find room up to `end` at least: a store into a page that it cannot give would kill the worker."""
        segment = self._active
        wanted = min(segment.base + SEGMENT, segment.base + (end - segment.base + _GROW - 1) // _GROW * _GROW)
        if end > wanted or not self._found(segment.allocated, wanted):
            return False
        segment.allocated = wanted
        return True

    def _reserve(self, count: int) -> bytes:
        """Have entries in the table for a call's units, if there are enough; which, as it is noted where the call begins."""
        self.room, segment = None, self._active
        table, first = table_of(segment.number), segment.taken
        if not count or first + count > COLUMN:
            return b""
        if not segment.has_table:
            segment.has_table = self._found(8 * table, 8 * (table + 2 * COLUMN))
            if not segment.has_table:
                return b""
        segment.taken += count
        ends = 8 * (table + COLUMN + first)
        self.pages.map[ends : ends + 8 * count] = bytes(8 * count)
        self.room = Room(self.pages.numbers, table + first, count)
        return b" %d %d" % (first, count)

    def _found(self, start: int, end: int) -> bool:
        """Whether the system has found room for what stands there."""
        try:
            os.posix_fallocate(self.pages.descriptor, start, end - start)
        except AttributeError:  # not every system can; it finds it when it is written then
            pass
        except OSError:
            return False
        return True
