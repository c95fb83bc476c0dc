"""All gates of a step, asked as one: the strictest holds, and the first that says so ends the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from batchwork.engine.step.gates.failures import FirstFailure, TooManyFailures
from batchwork.engine.step.gates.gate import Gate, Settled
from batchwork.engine.step.gates.rate import Throttle
from batchwork.model import Counts, Failure
from batchwork.plan.model import BatchPlan

GATES: Final[tuple[Callable[[BatchPlan | None], Gate | None], ...]] = (Throttle.of, FirstFailure.of, TooManyFailures.of)


class Entrance:
    """Every call passes the gates twice: when it is claimed, so that no claim waits long for its start, and when it starts.

    Starts keep to the gates too, however long the disk took.
    """

    def __init__(self, batch: BatchPlan | None) -> None:
        self._claims = [gate for of in GATES if (gate := of(batch)) is not None]
        self._starts = [gate for of in GATES if (gate := of(batch)) is not None]
        self.limits = any(gate.limits for gate in self._claims)
        self._held_s: float | None = None

    def claimable(self, sizes: list[int], now: float) -> list[int]:
        """As much of calls of these sizes as may be claimed now."""
        if not self.limits:
            return sizes
        allowed = min(gate.allows(now) for gate in self._claims)
        if not allowed and any(size > 0 for size in sizes):
            self._held_s = max(gate.next_in() for gate in self._claims)
        permitted = []
        for size in sizes:
            if (part := min(size, allowed)) > 0:
                permitted.append(part)
                allowed -= part
        return permitted

    def claimed(self, count: int) -> None:
        """So many attempts are being claimed."""
        for gate in self._claims:
            gate.spend(count)

    def may_start(self, count: int, now: float) -> bool:
        """Whether so many attempts, which have been claimed, may start now."""
        if not self.limits or min(gate.allows(now) for gate in self._starts) >= count:
            return True
        wait_s = max(gate.next_in(count) for gate in self._starts)
        if self._held_s is None or wait_s < self._held_s:
            self._held_s = wait_s
        return False

    def started(self, count: int) -> None:
        """So many attempts start."""
        for gate in self._starts:
            gate.spend(count)

    def held_s(self) -> float | None:
        """Seconds until the gates permit what they have held up since the last call; None where they have held up nothing."""
        held, self._held_s = self._held_s, None
        return held

    def spare(self, counts: Counts) -> int | None:
        """How many more units may fail before a gate ends the step; None where any number may."""
        return min((spare for gate in self._starts if (spare := gate.spare(counts)) is not None), default=None)

    def saw(self, settled: Settled) -> Failure | None:
        """Show the gates what has been settled; the step's failure, where one of them ends it."""
        verdicts = [gate.saw(settled) for gate in (*self._claims, *self._starts)]
        return next((failure for failure in verdicts if failure is not None), None)

    def at_end(self, counts: Counts) -> Failure | None:
        """The step's failure, where a gate finds it once every unit is settled."""
        verdicts = [gate.at_end(counts) for gate in self._starts]
        return next((failure for failure in verdicts if failure is not None), None)
