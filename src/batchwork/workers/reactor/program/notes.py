"""What a reactor notes of its units in its journal: that they are about to start, and what came of them. See the journal's own format."""

from __future__ import annotations

import time
from typing import Protocol

from batchwork.workers.python.program.journal import BLIND, EVER, SETTLED, SWITCH_AT, Journal


class Noted(Protocol):
    """A unit, as far as it is noted."""

    call: int
    offset: int


class Notes:
    """The journal of one reactor. `running` are the units that are started and have no outcome, which both segments must tell of."""

    def __init__(self, descriptor: int) -> None:
        self._journal = Journal(descriptor)
        self._running: dict[tuple[int, int], None] = {}
        self._call = -1
        self._unsent = 0
        """Calls with outcomes that no frame has yet."""
        self._unkept: list[tuple[int, int]] = []
        """Units whose outcomes found no room: they stay in doubt until the frame `_held_for` is on disk."""
        self._held_for: int | None = None

    @property
    def held(self) -> bool:
        """Whether nothing may start: more would be in doubt than runs."""
        if self._held_for is not None and self._settled >= self._held_for:
            for unit in self._unkept:
                self._running.pop(unit, None)
            self._unkept, self._held_for = [], None
        return bool(self._unkept)

    def started(self, unit: Noted) -> bool:
        """Note that a unit is about to start; False where there is no room for that now."""
        self._running[unit.call, unit.offset] = None
        if self._write(unit.call, b"S%d\n" % unit.offset) or self._turn():
            return True
        if self._settled >= self._journal.frames and not self._unsent:  # there will never be any
            self._journal.pages.words[BLIND] = 1
            return True
        del self._running[unit.call, unit.offset]
        return False

    def done(self, unit: Noted, us: int, result: str, log: str) -> None:
        self._ended(unit, log, f"D{unit.offset} {us} {result}\n")

    def failed(self, unit: Noted, us: int, fields: str, log: str) -> None:
        self._ended(unit, log, f"F{unit.offset} {us} {time.time_ns() // 1_000_000} {fields}\n")

    def cancelled(self, unit: Noted) -> None:
        self._ended(unit, "", f"C{unit.offset} 0\n")

    def outcomes(self, calls: int) -> None:
        """So many calls have outcomes that no frame has yet."""
        self._unsent = calls

    def sent(self, *, written: bool) -> None:
        """All outcomes are in frames now, one for each call; `written`: the pipe has taken them."""
        self._journal.frames += self._unsent
        self._unsent = 0
        if self._unkept:
            self._held_for = self._journal.frames
        if self._journal.used > SWITCH_AT and (written or self._settled != EVER):
            self._turn()

    @property
    def _settled(self) -> int:
        return self._journal.pages.words[SETTLED]

    def _ended(self, unit: Noted, log: str, record: str) -> None:
        """Note an outcome. Where it finds no room, the unit stays in doubt until its frame is on disk."""
        text = (f"L{unit.offset} {log}\n{record}" if log else record).encode()
        if self._write(unit.call, text) or (self._may_turn() and self._turn() and self._write(unit.call, text)):
            self._running.pop((unit.call, unit.offset), None)
            return
        self._unkept.append((unit.call, unit.offset))
        self._held_for = None

    def _write(self, call: int, record: bytes) -> bool:
        head = b"" if call == self._call else b"B%d\n" % call
        if not self._journal.append(head + record):
            return False
        self._call = call
        return True

    def _may_turn(self) -> bool:
        """Where nobody says what has arrived, what was not sent must not be written over."""
        return self._settled != EVER

    def _turn(self) -> bool:
        """Go on in the other segment, with all that runs. False where that one is still needed."""
        if not self._journal.switch(self._journal.frames + self._unsent):
            return False
        self._call = -1
        if all(self._write(call, b"S%d\n" % offset) for call, offset in list(self._running)):
            return True
        self._journal.pages.words[BLIND] = 1
        return False
