"""What a gate is, and what it sees. A new one is a file here and an entry in the list of all gates."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import ClassVar, Final

from msgspec import Struct

from batchwork.model import Counts, Failure, Report, UnitRecord

UNLIMITED: Final = sys.maxsize


class Settled(Struct, frozen=True):
    """What has just been settled: the report, the units that have used up their attempts, the step's counts with them."""

    counts: Counts
    failed: Sequence[UnitRecord] = ()
    report: Report | None = None


class Gate(Struct):
    """Holds up or ends a step; this one does neither. Pure: time is an argument (seconds on a monotonic clock)."""

    limits: ClassVar[bool] = False
    """Whether it may hold up starts: then no call waits inside a worker, where it would start when nobody counts."""

    def allows(self, now: float) -> int:
        """Attempts that may start at `now`."""
        return UNLIMITED

    def next_in(self, count: int = 1) -> float:
        """Seconds until the next attempts, `count` of them, may start, as seen at the last `allows`."""
        return 0.0

    def spend(self, count: int) -> None:
        """`count` attempts start."""

    def spare(self, counts: Counts) -> int | None:
        """How many more units may fail before it ends the step, at least; None where any number may."""
        return None

    def saw(self, settled: Settled) -> Failure | None:
        """Learn what has been settled; the step's failure, where that ends it."""
        return None

    def at_end(self, counts: Counts) -> Failure | None:
        """Every unit is settled; the step's failure, where that is what it comes to."""
        return None
