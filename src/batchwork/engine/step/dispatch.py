"""Making calls and handing them to lanes: how many, how large, when."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.engine.step.call_size import SLOW_UNIT_US, Crew, Outstanding, Reach, UnitTime, wanted
from batchwork.engine.step.checkpoint_draft import Draft
from batchwork.engine.step.desk import Desk
from batchwork.engine.step.gates.call_ends import CallEnds
from batchwork.engine.step.gates.entrance import Entrance
from batchwork.engine.step.window import Out, Window
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.binding import Bound
from batchwork.engine.unit.brief import StepBrief
from batchwork.model import Call, Counts, Failure, Report


class Dispatch:
    """The calls of one step between the window and the desk: made, claimed (`clear`), handed out."""

    def __init__(self, window: Window, desk: Desk, entrance: Entrance, clock: Clock, brief: StepBrief) -> None:
        self._window, self._desk, self._entrance, self._clock = window, desk, entrance, clock
        self.unit_time = UnitTime(slow_us=max(SLOW_UNIT_US, self._latency_us))
        self._reach = Reach()
        self._ends = CallEnds.of(brief)
        self._cleared: deque[Call] = deque()

    @property
    def _latency_us(self) -> float:
        return self._desk.latency_s * 1e6

    @property
    def depth(self) -> int:
        """Calls that a lane takes. Where gates hold up starts, one that waits there would start when nobody counts."""
        if not self.unit_time.short or self._ends.alone or self._entrance.limits:
            return 1
        return 2

    def warm(self, units: int | None) -> None:
        """Start workers for what is out and what is to come: `units` from the feed if that is known, retries beside them."""
        if units is not None:
            units += self._window.units_known()
        self._desk.warm(units)

    def sizes(self, busy: int, left: int | None) -> list[int]:
        """Sizes of the calls to be made now; `busy` slots are taken by `on_item_error`, `left` are to come, if that is known.

        Only for workers that are ready: what is claimed while they start would be in doubt without need after a crash.
        """
        desk = self._desk
        if not desk.ready:
            return []
        if left is not None:
            left += self._window.units_ready
        out = Outstanding(len(self._window.out) - desk.held, self._window.units_out, busy, left)
        sizes = wanted(self.unit_time, out, Crew(desk.ready, desk.width, self.depth, self._latency_us))
        if desk.width == 1:
            sizes = self._as_far_as_they_come(sizes, out)
        elif self._entrance.limits:  # what waits for a slot inside a reactor would start uncounted
            sizes = [min(size, desk.width - busy - out.units) for size in sizes]
        return self._entrance.claimable(sizes, self._clock.now())

    def _as_far_as_they_come(self, sizes: list[int], out: Outstanding) -> list[int]:
        """Calls that failures are not likely to end.

        In strict order a failure takes back what is claimed ahead. So where failures are near, a retry and what follows it are
        claimed together, and nothing more until both have run: one commit for each failure.
        """
        limited = [self._reach.limit(size) for size in sizes]
        if self._ends.in_order and limited != sizes and out.calls:
            return []
        return limited

    def saw(self, out: Out, report: Report) -> None:
        """Learn from a report how long units take, and how far calls come."""
        self.unit_time.heard(report)
        if out.call.attempt - out.base == 1:
            returned = len(report.returned)
            self._reach.saw(report.count - returned, returned, bool(report.failures))

    def make(self, draft: Draft, piece: Piece, bound: Bound) -> Sequence[tuple[int, Failure]]:
        """Make a call of a piece and put its claim into the draft. Returns what could not be bound, by offset in the piece."""
        self._entrance.claimed(len(piece.units))
        if len(bound.units):
            call = Call(self._window.number(), piece.attempt, bound.units, bound.payloads)
            self._window.claim(call, piece.base)
            draft.claim(call, self._clock.now())
        return bound.refused

    def clear(self, call: Call) -> None:
        """The call's claim is on disk: it may start."""
        self._cleared.append(call)

    def hand_out(self, counts: Counts) -> None:
        """Cleared calls go to lanes, the emptiest first, as far as these take them and the gates let them start.

        `counts` are those of the step now: how many units may still fail is known best as late as this.
        """
        now, depth = self._clock.now(), self.depth
        while self._cleared and self._desk.takes(depth):
            call = self._cleared[0]
            if not self._entrance.may_start(len(call.units), now):
                return
            self._cleared.popleft()
            self._entrance.started(len(call.units))
            out = self._window.out[call.id]
            out.started_ms = self._clock.wall_ms()
            ends_after, forgives = self._ends.at(call.attempt - out.base, self._entrance.spare(counts))
            self._desk.submit(replace(call, ends_after=ends_after, forgives=forgives))

    def hand_on(self, reports: Sequence[Report], counts: Counts) -> None:
        """Hand out before these reports are settled, where that changes nothing of what starts next: so no lane waits for it."""
        if self._window.stopped or not all(map(self._ends.goes_on_after, reports)):
            return
        if not (self._ends.in_order and self.overtaken()):
            self.hand_out(counts)

    def occupied(self) -> int:
        """Slots that are taken, or will be by what is claimed."""
        if self._desk.width > 1:
            return self._window.units_out
        return len(self._window.out)

    def overtaken(self) -> bool:
        """Where order is strict: whether something has come in before what was claimed ahead, a retry for example."""
        return bool(self._cleared) and self._window.before(self._cleared[0])

    def withdraw(self, draft: Draft) -> None:
        """What is claimed and not handed out goes back into the window; the claims end."""
        while self._cleared:
            self.give_back(self._cleared.pop(), draft)

    def give_back(self, call: Call, draft: Draft) -> None:
        """A claimed call that will not be handed out."""
        out = self._window.out[call.id]
        self._window.give_back(Piece(call.attempt, out.base, call.units))
        self._window.reported(call.id, len(call.units))
        draft.rows.ended.append(call.id)
        draft.touch(self._clock.now(), 1)
