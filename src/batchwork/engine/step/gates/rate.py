"""What limits a step from outside its workers: the rate of attempts and the threshold of failures. Pure: time is an argument."""

from __future__ import annotations

from msgspec import Struct

from batchwork.model import Counts
from batchwork.spec.written import Rate, Threshold

SHARE_FROM = 20
"""Finished units from which on a percentage means something."""
JITTER_S = 0.02
"""How much later than it was allowed an attempt may start; a span that much shorter must not hold one too many."""


class Throttle(Struct):
    """A token bucket: in no span of `rate.per_s` seconds more than `rate.count` attempts start, evenly spread."""

    rate: Rate
    tokens: float = 1.0
    at: float | None = None

    @property
    def burst(self) -> float:
        """Attempts that may start together: what comes in 20 ms, so that thousands a second need no thousand wake-ups."""
        return max(1.0, min(self.rate.count / self.rate.per_s * 0.02, self.rate.count / 10))

    @property
    def _per_s(self) -> float:
        # The burst is part of the promise: what may come at once is taken from what may come in the rest of the span.
        return (self.rate.count - self.burst + 1) / (self.rate.per_s + JITTER_S)

    def allows(self, now: float) -> int:
        """Attempts that may start at `now` (seconds on a monotonic clock)."""
        if self.at is not None:
            self.tokens = min(self.burst, self.tokens + (now - self.at) * self._per_s)
        self.at = now
        return int(self.tokens + 1e-9)

    def spend(self, count: int) -> None:
        """`count` attempts start."""
        self.tokens -= count

    def next_in(self, count: int = 1) -> float:
        """Seconds until the next attempts, `count` of them, may start, as seen at the last `allows`."""
        return max(0.0, (count - self.tokens) / self._per_s)


def exceeded(threshold: Threshold | None, counts: Counts) -> bool:
    """Whether more units have failed than `max_failures` allows."""
    if threshold is None:
        return False
    if threshold.count is not None:
        return counts.failed > threshold.count
    finished = counts.succeeded + counts.failed
    return threshold.share is not None and finished >= SHARE_FROM and counts.failed > threshold.share * finished
