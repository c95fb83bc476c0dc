"""Two checkouts beside each other: by how much each work changed, and whether a change is for the worse. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contest.figures import BUSY, cpu, others, ratio, seconds, typical
from contest.works import Sample, Way

AGREEING = 3
"""So many rounds have to agree before the clock is believed on a busy machine."""
HEAD = ("work", "s before", "s now", "", "CPU before", "CPU now", "", "others", "")


@dataclass(frozen=True, slots=True)
class Change:
    """A work before and now: medians in seconds, and the median of the ratios of runs beside each other (1.1: a tenth more now).

    `least_ratio` is the least of those of the clock: what is waited for in vain shows in every round, whatever else happens.
    """

    work: str
    clock: tuple[float, float]
    cpu: tuple[float, float]
    clock_ratio: float
    cpu_ratio: float
    least_ratio: float
    others: float

    def is_worse(self, by: float) -> bool:
        """Whether it takes more CPU time by this share, or more time: in the median, if others leave the clock its meaning, else always."""
        by_clock = self.clock_ratio if self.others <= BUSY else self.least_ratio
        return max(self.cpu_ratio, by_clock) >= 1 + by

    def is_better(self, by: float) -> bool:
        """Whether it takes less by this share, of CPU time or, if others leave the clock its meaning, of time."""
        by_clock = self.clock_ratio if self.others <= BUSY else 1.0
        return min(self.cpu_ratio, by_clock) <= 1 / (1 + by)


def change(work: str, before: Sequence[Sample], now: Sequence[Sample], way: Way) -> Change:
    """What changed, from samples that were taken in turns."""
    return Change(
        work,
        (typical(before, seconds, way), typical(now, seconds, way)),
        (typical(before, cpu, way), typical(now, cpu, way)),
        ratio(before, now, seconds, way),
        ratio(before, now, cpu, way),
        _always([after.seconds / first.seconds for first, after in zip(before, now, strict=False)]),
        others([*before, *now]),
    )


def _always(ratios: Sequence[float]) -> float:
    """What all ratios say at least; of few ones nothing, since they may agree by chance."""
    return min(ratios) if len(ratios) >= AGREEING else 1.0


def row(found: Change, by: float) -> tuple[str, ...]:
    """A line of the comparison."""
    said = ""
    if found.is_worse(by):
        said = "WORSE"
    elif found.is_better(by):
        said = "better"
    figures = [
        cell
        for values, times in ((found.clock, found.clock_ratio), (found.cpu, found.cpu_ratio))
        for cell in (f"{values[0]:.3f}", f"{values[1]:.3f}", f"{times - 1:+.0%}")
    ]
    return (found.work, *figures, f"{found.others:.1f}", said)


def lines(changes: Sequence[Change], failed: Sequence[str], by: float) -> list[str]:
    """The comparison as text, what could not be compared, and a last line that says it all."""
    table = [HEAD, *(row(found, by) for found in changes)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEAD))]
    text = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    ]
    worse = [found.work for found in changes if found.is_worse(by)]
    end = f"worse by {by:.0%} or more: {', '.join(worse)}" if worse else f"nothing is worse by {by:.0%} or more"
    return [*text, *failed, end]
