"""The window of one step: which units wait, are claimed, run. Pure: no clock, no store, no worker; what is due comes as an argument.

A unit enters in a Piece (from the feed, a retry, or given back by a worker) and leaves when it is settled. The window
never holds more than the calls that are out and the retries that wait, whatever the number of items.
"""

from __future__ import annotations

import heapq
from bisect import insort_left
from collections.abc import Iterator, Mapping
from itertools import chain, pairwise

from msgspec import Struct, field

from batchwork.engine.unit.attempt import Attempt, Piece, joined
from batchwork.model import Call, Failure, Report

WAITING_MOST = 10_000
"""Retries that wait at once; while there are more, no fresh units are taken (memory stays flat when everything fails)."""


class Out(Struct):
    """A call that is out: claimed (or being claimed), then running. `left` counts its units that are not reported."""

    call: Call
    base: int
    left: int
    started_ms: int = 0
    doubted: list[int] = field(default_factory=list)
    """Offsets of units that may have run or not, and for which the step stops: they stay claimed."""

    def attempt(self, offset: int, report: Report, failure: Failure | None = None, duration_us: int = 0) -> Attempt:
        """The attempt of one of its units, as a worker reported it."""
        units = self.call.units.pick([offset])
        return Attempt(units, self.call.attempt, self.base, self.started_ms, report.worker, duration_us, failure)


class Window(Struct):
    """Where the units are. `strict`: one after another, in order; a retry that waits holds everything behind it."""

    strict: bool = False
    stopped: bool = False
    out: dict[int, Out] = field(default_factory=dict)
    ready: list[Piece] = field(default_factory=list)
    units_ready: int = 0
    waiting: list[tuple[float, int, Piece]] = field(default_factory=list)
    calls_made: int = 0
    units_out: int = 0

    # ------------------------------------------------------------ in

    def give_back(self, piece: Piece) -> None:
        """Units that did not start: next in turn again. Pieces stand in the order of their first unit."""
        insort_left(self.ready, piece, key=_first)
        self.units_ready += len(piece.units)
        if self.strict and any(before.units.indexes[-1] > _first(after) for before, after in pairwise(self.ready)):
            self.ready = sorted(chain.from_iterable(map(_singly, self.ready)), key=_first)

    def wait(self, piece: Piece, due: float) -> None:
        """A unit that gets its next attempt at `due`."""
        heapq.heappush(self.waiting, (due, piece.units.seqs[0], piece))

    def set_aside(self, piece: Piece, due: Mapping[int, float]) -> Piece | None:
        """Of fresh units, those that may run now; others wait until they are due, and with strict order so do all behind them."""
        if not due:
            return piece
        seqs = piece.units.seqs
        for offset in [offset for offset, seq in enumerate(seqs) if seq in due]:
            self.wait(Piece(piece.attempt, piece.base, piece.units.pick([offset])), due[seqs[offset]])
        rest = [offset for offset, seq in enumerate(seqs) if seq not in due]
        if not rest:
            return None
        left = Piece(piece.attempt, piece.base, piece.units.pick(rest))
        if not self.strict:
            return left
        self.give_back(left)
        return None

    def wake(self, now: float) -> None:
        """Retries that are due become ready, ahead of what has not started at all."""
        while self.waiting and self.waiting[0][0] <= now:
            self.give_back(heapq.heappop(self.waiting)[2])

    # ------------------------------------------------------------ out

    def may_start(self) -> bool:
        """Whether anything at all may be handed out now."""
        return not self.stopped and not (self.strict and (self.waiting or self._overtaking()))

    def may_take_fresh(self) -> bool:
        """Whether units may be taken from the feed: not before what is ready, nor while too many retries wait."""
        return self.may_start() and not self.ready and len(self.waiting) < WAITING_MOST

    def next_piece(self, most: int) -> Piece | None:
        """At most `most` ready units of one attempt, or None. Retries, which come one by one, go out together."""
        parts: list[Piece] = []
        left = most
        for piece in self.ready:
            if left <= 0 or (parts and piece.kind != parts[0].kind):
                break
            parts.append(piece)
            left -= len(piece.units)
        if not parts:
            return None
        del self.ready[: len(parts)]
        piece = joined(parts)
        self.units_ready -= len(piece.units)
        if left < 0:
            self.give_back(Piece(piece.attempt, piece.base, piece.units.cut(most, len(piece.units))))
            piece = Piece(piece.attempt, piece.base, piece.units.cut(0, most))
        return piece

    def number(self) -> int:
        """The number of the next call."""
        self.calls_made += 1
        return self.calls_made

    def claim(self, call: Call, base: int) -> None:
        """A call is about to be claimed."""
        self.out[call.id] = Out(call, base, len(call.units))
        self.units_out += len(call.units)

    def reported(self, call: int, count: int) -> bool:
        """`count` units of a call are settled or given back; True when they were the last and the claim ends."""
        out = self.out[call]
        out.left -= count
        self.units_out -= count
        if out.left:
            return False
        del self.out[call]
        return True

    # ------------------------------------------------------------ asked

    @property
    def busy(self) -> bool:
        """Whether any call is out."""
        return bool(self.out)

    def has_work(self, exhausted: bool) -> bool:
        """Whether there is anything left to do; `exhausted`: the feed is at its end."""
        return self.busy or (not self.stopped and bool(self.ready or self.waiting or not exhausted))

    def units_known(self) -> int:
        """Units that are out, ready, or waiting for a retry."""
        return self.units_out + len(self.waiting) + self.units_ready

    def before(self, call: Call) -> bool:
        """Whether anything that waits, is ready or is being claimed has its turn before (the last unit of) a claimed call."""
        last = call.units.indexes[-1]
        return bool(self.waiting) or self._ready_before(last) or any(first < last for first in self._unstarted(call))

    def next_due(self) -> float | None:
        """When the next retry is due."""
        if not self.waiting:
            return None
        return self.waiting[0][0]

    def _overtaking(self) -> bool:
        # What is ready came back from a worker: it must not be claimed beside what is claimed already and comes after it.
        lasts = (out.call.units.indexes[-1] for out in self.out.values() if not out.started_ms)
        return any(self._ready_before(last) for last in lasts)

    def _ready_before(self, index: int) -> bool:
        return bool(self.ready) and _first(self.ready[0]) < index

    def _unstarted(self, but: Call) -> Iterator[int]:
        """The positions of the first units of calls that are claimed and not handed out."""
        for out in self.out.values():
            if not out.started_ms and out.call is not but:
                yield out.call.units.indexes[0]


def _first(piece: Piece) -> int:
    return piece.units.indexes[0]


def _singly(piece: Piece) -> Iterator[Piece]:
    """Its units as pieces of their own, so that others can stand between them."""
    for offset in range(len(piece.units)):
        yield Piece(piece.attempt, piece.base, piece.units.pick([offset]))
