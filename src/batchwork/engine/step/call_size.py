"""How much work to hand out at once, from measured durations. Pure: what is handed out is decided in coordinator.py.

The author's unit is the item, the engine's is the call: thousands of tiny units, one slow one. A call aims at 20 ms of
work, so that about 100 ms of work for each worker are claimed at any time: two calls in a worker, one claimed ahead,
and what waits for its commit.
"""

from __future__ import annotations

from msgspec import Struct

CALL_US = 20_000
"""Work in one call."""
SLOW_US = 50_000
"""From here on nothing is claimed that does not run."""
LARGEST_CALL = 4_000
GROWTH = 8
"""A call is at most so many times as large as the last one that was measured: a guess must not cost much."""


class Pace(Struct):
    """The mean duration of a unit, lately, in microseconds; None before the first outcome."""

    mean_us: float | None = None
    measured: int = 1  # units in the largest measured call of late

    def saw(self, count: int, total_us: float) -> None:
        """`count` units of a call took `total_us` together. A call counts as much as the four before it together."""
        if not count:
            return
        mean = max(1.0, total_us / count)
        if self.mean_us is None or mean > self.mean_us * 4:
            self.mean_us = mean  # slower than thought: believed at once, since too large a call does harm
        else:
            self.mean_us += (mean - self.mean_us) / 4
        self.measured = max(count, self.measured if mean < SLOW_US else 1)

    @property
    def short(self) -> bool:
        """Whether units are so short that claiming ahead pays."""
        return self.mean_us is not None and self.mean_us < SLOW_US

    def call_size(self) -> int:
        """Units for the next call to a worker that runs one at a time."""
        if self.mean_us is None:
            return 1
        return max(1, min(int(CALL_US / self.mean_us), self.measured * GROWTH, LARGEST_CALL))

    def ahead(self, width: int) -> int:
        """Units to be claimed beyond the `width` that run at once: what is finished in 40 ms, the time of a commit and some."""
        if not self.short or self.mean_us is None:
            return 0
        return max(1, min(int(width * 40_000 / self.mean_us), LARGEST_CALL))


class Standing(Struct, frozen=True):
    """What is out at the moment: calls and units that are claimed, being claimed, or running."""

    calls: int
    units: int


def wanted(pace: Pace, standing: Standing, lanes: int, width: int, depth: int, busy: int = 0) -> list[int]:
    """Sizes of the calls to be made now. `depth` is how many calls a lane takes; `busy` slots are taken by others.

    Nothing is claimed ahead then, because it would start before they are free.
    """
    if width == 1:
        size = pace.call_size()
        calls = lanes * depth + lanes if pace.short and not busy else lanes
        return [size] * max(0, calls - busy - standing.calls)
    ahead = pace.ahead(width) if not busy else 0
    missing = width + ahead - busy - standing.units
    least = max(1, ahead // 4)
    return [missing] if missing >= least else []
