"""How much work to hand out at once, from measured durations. Pure.

The author's unit is the item, the engine's is the call: thousands of tiny units, one slow one. A call aims at 20 ms of
work, so that about 100 ms of work for each worker are claimed at any time: two calls in a worker, one claimed ahead,
and what waits for its commit. It is longer where there are so many lanes that one coordinator would not keep up with
them, and where lanes are far away: then what waits in a lane has to last until more arrives.
"""

from __future__ import annotations

from msgspec import Struct

from batchwork.model import Report

CALL_US = 20_000
"""Work in one call, where lanes are few and near."""
CALL_OF_MANY_US = 50_000
"""Work in one call, where lanes are many."""
CALL_COSTS_US = 100
"""What the coordinator may need for one call: in a call's duration it has to serve all the lanes."""
SLOW_UNIT_US = 50_000
"""From here on nothing is claimed that does not run, unless it takes longer to arrive."""
AHEAD_US = 60_000
"""Work that a reactor has ahead: half of it lasts for a report, a commit and some, the other half is one claim."""
TOGETHER_FROM_US = 200
"""From here on a commit costs more than the rows in it, and calls are claimed together."""
LARGEST_CALL = 4_000
SHARES = 4
"""Calls that each lane gets at least of what is left."""
SHORTEST_CALL_US = 5_000
"""Work in a call that is short because little is left: a shorter one would cost more than lanes lose that wait for one so long."""
GROWTH = 8
"""A call is at most so many times as large as the last one that was measured: a guess must not cost much."""


class Crew(Struct, frozen=True):
    """The lanes that calls are for: how many are ready, attempts at once in each, calls that each takes, the way to them and back."""

    lanes: int
    width: int = 1
    depth: int = 1
    latency_us: float = 0

    @property
    def call_us(self) -> float:
        """Work in one call. While the lane's next call is under way, those before it keep the lane busy."""
        serving_us = min(self.lanes * CALL_COSTS_US, CALL_OF_MANY_US)
        return max(CALL_US, serving_us, self.latency_us / max(1, self.depth - 1))


class UnitTime(Struct):
    """The mean duration of a unit, lately, in microseconds; None before the first outcome."""

    mean_us: float | None = None
    measured: int = 1  # units in the largest measured call of late
    slow_us: float = SLOW_UNIT_US

    def heard(self, report: Report) -> None:
        """Units that succeeded and units that failed, together: a few failures that take long make a call hardly longer."""
        failed_us = sum(duration_us for _, _, duration_us in report.failures)
        self.saw(len(report.done) + len(report.failures), sum(report.durations_us) + failed_us)

    def saw(self, count: int, total_us: float) -> None:
        """`count` units of a call took `total_us` together. A call counts a fourth, and all before it the rest.

        One of many more units than any before is believed alone: these were few, and run while much was done for the first time.
        """
        if not count:
            return
        mean = max(1.0, total_us / count)
        slower = self.mean_us is not None and mean > self.mean_us * 4  # too large a call does harm
        if self.mean_us is None or slower or count >= self.measured * 4:
            self.mean_us = mean
        else:
            self.mean_us += (mean - self.mean_us) / 4
        if mean >= self.slow_us:
            self.measured = 1
        self.measured = max(count, self.measured)

    @property
    def short(self) -> bool:
        """Whether units are so short that claiming ahead pays."""
        return self.mean_us is not None and self.mean_us < self.slow_us

    def call_size(self, call_us: float) -> int:
        """Units for the next call to a worker that runs one at a time."""
        if self.mean_us is None:
            return 1
        return max(1, min(int(call_us / self.mean_us), self.measured * GROWTH, LARGEST_CALL))

    def fair_share(self, left: int | None, lanes: int) -> int:
        """Units that one call may take of what is `left`: towards the end calls become short, so that all lanes end together."""
        if left is None or lanes == 1:
            return LARGEST_CALL
        least = 1
        if self.mean_us is not None:
            least = max(1, int(SHORTEST_CALL_US / self.mean_us))
        return max(least, left // (SHARES * lanes))

    def claims_together(self, crew: Crew) -> int:
        """Calls that are claimed in one commit: one for each lane, where all of them have a call waiting meanwhile.

        Not of tiny units: there the disk has much to write, and commits take long.
        """
        tiny = self.mean_us is None or self.mean_us < TOGETHER_FROM_US
        if tiny or crew.depth == 1 or crew.latency_us >= CALL_US / 2:
            return 1
        return crew.lanes

    def ahead(self, crew: Crew) -> int:
        """Units to be claimed beyond those that run at once."""
        if self.mean_us is None or not self.short:
            return 0
        return max(1, min(int(crew.width * max(AHEAD_US, crew.latency_us) / self.mean_us), LARGEST_CALL))


class Reach(Struct):
    """How far calls come, lately, where failures end them: what lies behind is claimed, sent and given back in vain."""

    units: float = LARGEST_CALL

    def saw(self, started: int, returned: int, failed: bool) -> None:
        """Units of a call that `started` and `returned`, and whether any of them failed. A whole call lets the next ones grow."""
        if not returned:
            self.units = min(LARGEST_CALL, max(self.units, self.units + (2 * started - self.units) / 4))
        elif failed:  # else it was asked to stop, or took too long
            known = min(self.units, 4 * started)
            self.units = max(1, known + (started - known) / 4)

    def limit(self, size: int) -> int:
        """`size`, where calls are likely to come so far."""
        return min(size, int(4 * self.units))


class Outstanding(Struct, frozen=True):
    """What is out at the moment: calls and units that are claimed, being claimed, or running; slots that others take.

    `left`: units that are still to be handed out, where that is known.
    """

    calls: int = 0
    units: int = 0
    busy: int = 0
    left: int | None = None


def wanted(time: UnitTime, out: Outstanding, crew: Crew) -> list[int]:
    """Sizes of the calls to be made now. Nothing is claimed ahead while slots are busy: it would start before they are free."""
    if crew.width == 1:
        calls, least = crew.lanes, 1
        if time.short and not out.busy:
            calls += crew.lanes * crew.depth
            least = time.claims_together(crew)
        size = min(time.call_size(crew.call_us), time.fair_share(out.left, crew.lanes))
        missing = calls - out.busy - out.calls
        return [size] * missing if missing >= least else []
    ahead = 0
    if not out.busy:
        ahead = time.ahead(crew)
    missing = crew.width + ahead - out.busy - out.units
    least = max(1, ahead // 2)
    if missing < least:
        return []
    return [missing]
