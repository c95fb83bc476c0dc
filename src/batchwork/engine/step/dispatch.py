"""Making calls and handing them to lanes: how many, how large, when. What becomes of them is in settling.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from batchwork.clock import Clock
from batchwork.engine.step.call_size import Pace, Standing, wanted
from batchwork.engine.step.checkpoint_draft import Draft
from batchwork.engine.step.gates.rate import Throttle
from batchwork.engine.step.window import Out, Window
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.binding import Binding
from batchwork.engine.unit.brief import StepBrief
from batchwork.model import Call, Failure
from batchwork.ports import Executor


class Dispatch:
    """The calls of one step between the window and the executor: made, claimed (`clear`), handed out, over."""

    def __init__(self, order: StepBrief, window: Window, executor: Executor, binding: Binding, clock: Clock) -> None:
        batch = order.plan.batch
        self.pace = Pace()
        self.started_ms: dict[int, int] = {}
        self._window, self._executor, self._binding, self._clock = window, executor, binding, clock
        rate = batch.rate_limit if batch is not None else None
        # Claims keep to the rate, so that none waits long for its start; so do starts, however long the disk took.
        self._throttle = Throttle(rate) if rate is not None else None
        self._starts = Throttle(rate) if rate is not None else None
        self._held_s: float | None = None
        self._strict = batch is None or not batch.parallel or not batch.continue_on_error
        self._cleared: deque[Call] = deque()
        self._lane_calls = [0] * executor.lanes

    @property
    def depth(self) -> int:
        """Calls that a lane takes. One that waits inside a worker would start in spite of a failure before it."""
        return 2 if self.pace.short and not self._strict and self._throttle is None else 1

    def warm(self, units: int | None) -> None:
        """Start workers for what is out and what is to come: `units` from the feed if that is known, retries beside them."""
        lanes = self._executor.lanes
        self._executor.warm(lanes if units is None else min(units + self._window.units_known(), lanes))

    def sizes(self, busy: int) -> list[int]:
        """Sizes of the calls to be made now; `busy` slots are taken by `on_item_error`.

        Only for workers that are ready: what is claimed while they start would be in doubt without need after a crash.
        """
        standing = Standing(len(self._window.out), self._window.units_out)
        lanes = sum(self._executor.ready())
        sizes = wanted(self.pace, standing, lanes, self._executor.width, self.depth, busy) if lanes else []
        if self._throttle is None:
            return sizes
        if self._executor.width > 1:  # what waits for a slot inside a reactor would start when nobody counts
            sizes = [min(size, self._executor.width - busy - standing.units) for size in sizes]
        allowed = self._throttle.allows(self._clock.now())
        if not allowed and any(size > 0 for size in sizes):
            self._held_s = self._throttle.next_in()
        permitted = []
        for size in sizes:
            if (part := min(size, allowed)) > 0:
                permitted.append(part)
                allowed -= part
        return permitted

    def make(self, draft: Draft, piece: Piece, now: float) -> Sequence[tuple[int, Failure]]:
        """Bind a piece and put its claim into the draft. Returns what could not be bound, by offset in the piece."""
        if self._throttle is not None:
            self._throttle.spend(len(piece.units))
        bound = self._binding.bind(piece)
        if len(bound.units):
            call = Call(self._window.number(), piece.attempt, bound.units, bound.payloads)
            self._window.claim(call, piece.base)
            draft.claim(call, now)
        return bound.refused

    def clear(self, call: Call) -> None:
        """The call's claim is on disk: it may start."""
        self._cleared.append(call)

    def hand_out(self) -> None:
        """Cleared calls go to lanes, the emptiest first, as far as these take them."""
        while self._cleared and self._permitted(len(self._cleared[0].units)):
            if self._executor.width > 1:
                self._hand(0)
                continue
            # A lane that is not ready comes last: its worker has died and is being started anew.
            _, calls, lane = min(
                (not ready, calls, lane)
                for lane, (calls, ready) in enumerate(zip(self._lane_calls, self._executor.ready(), strict=True))
            )
            if calls >= self.depth:
                return
            self._hand(lane)

    def over(self, out: Out) -> None:
        """The last unit of a call is reported."""
        self.started_ms.pop(out.call.id, None)
        if out.lane is not None:
            self._lane_calls[out.lane] -= 1

    def occupied(self) -> int:
        """Slots that are taken, or will be by what is claimed."""
        return self._window.units_out if self._executor.width > 1 else len(self._window.out)

    def overtaken(self) -> bool:
        """Where order is strict: whether something has come in before what was claimed ahead, a retry for example."""
        return bool(self._cleared) and self._window.before(self._cleared[0])

    def withdraw(self, draft: Draft, now: float) -> None:
        """What is claimed and not handed out goes back into the window; the claims end."""
        while self._cleared:
            self.give_back(self._cleared.pop(), draft, now)

    def give_back(self, call: Call, draft: Draft, now: float) -> None:
        """A claimed call that will not be handed out."""
        out = self._window.out[call.id]
        self._window.give_back(Piece(call.attempt, out.base, call.units))
        self._window.reported(call.id, len(call.units))
        draft.ended.append(call.id)
        draft.touch(now, 1)

    def held_s(self) -> float | None:
        """Seconds until the rate permits what it has held up since the last call; None where it has held up nothing."""
        held, self._held_s = self._held_s, None
        return held

    def _permitted(self, count: int) -> bool:
        """Whether the rate lets so many start now."""
        if self._starts is None or self._starts.allows(self._clock.now()) >= min(count, int(self._starts.burst)):
            return True
        wait_s = self._starts.next_in(min(count, int(self._starts.burst)))
        self._held_s = wait_s if self._held_s is None else min(self._held_s, wait_s)
        return False

    def _hand(self, lane: int) -> None:
        call = self._cleared.popleft()
        if self._starts is not None:
            self._starts.spend(len(call.units))
        self._window.out[call.id].lane = lane
        self._lane_calls[lane] += 1
        self.started_ms[call.id] = self._clock.wall_ms()
        self._executor.submit(lane, call)
