"""The gate of `rate_limit`: so many attempts start in a span of time, evenly spread."""

from __future__ import annotations

from typing import ClassVar

from batchwork.engine.step.gates.gate import Gate
from batchwork.plan.model import BatchPlan
from batchwork.spec.written import Rate

JITTER_S = 0.02
"""How much later than it was allowed an attempt may start; a span that much shorter must not hold one too many."""


class Throttle(Gate):
    """A token bucket: in no span of `rate.per_s` seconds more than `rate.count` attempts start, evenly spread."""

    limits: ClassVar[bool] = True

    rate: Rate
    tokens: float = 1.0
    at: float | None = None

    @classmethod
    def of(cls, batch: BatchPlan | None) -> Throttle | None:
        if batch is None or batch.rate_limit is None:
            return None
        return cls(batch.rate_limit)

    @property
    def burst(self) -> float:
        """Attempts that may start together: what comes in 20 ms, so that thousands a second need no thousand wake-ups."""
        return max(1.0, min(self.rate.count / self.rate.per_s * 0.02, self.rate.count / 10))

    @property
    def _per_s(self) -> float:
        # The burst is part of the promise: what may come at once is taken from what may come in the rest of the span.
        return (self.rate.count - self.burst + 1) / (self.rate.per_s + JITTER_S)

    def allows(self, now: float) -> int:
        if self.at is not None:
            self.tokens = min(self.burst, self.tokens + (now - self.at) * self._per_s)
        self.at = now
        return int(self.tokens + 1e-9)

    def spend(self, count: int) -> None:
        self.tokens -= count

    def next_in(self, count: int = 1) -> float:
        return max(0.0, (count - self.tokens) / self._per_s)
