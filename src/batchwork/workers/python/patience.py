"""When a worker is on one unit for so long that what it has done is told without it, and what it has not started goes to others.

What it has done stands in its journal. That it starts nothing more is made sure in two looks: at the first it is asked to
hand back, which it sees after it has noted the next unit as started and before it runs it. If at the second look, a
moment later, the same unit still runs, then the worker has not passed that point, and will see it there.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from batchwork.workers.journals.journal import Running, WorkerJournal
from batchwork.workers.python.reports import Sent

SLOW_S = 0.04
"""From here on a unit is slow, if others wait for it: a call is 20 ms of work, and what is told is on disk within 50 ms."""
SLOW_ALONE_S = 0.075
"""The same, if only calls behind it wait: where units take nearly 50 ms each, that is how it is meant."""
SETTLED_S = 0.003
"""What a processor has written can be read by the others long before."""


class Patience(Struct):
    """How long a lane's worker has been on one unit. `shared`: there are other lanes, that can do what waits."""

    shared: bool
    look_at: float | None = None
    asked: Running | None = None
    told: bool = False
    """What it has done is told, up to the unit for which it was asked."""

    @property
    def holding(self) -> bool:
        """Whether the worker is asked to hand back, so that it takes no calls."""
        return self.shared and self.asked is not None

    def is_over(self, now: float, journal: WorkerJournal, calls: Sequence[Sent]) -> bool:
        """Whether it is over: then what has been done is told now, and the rest goes to others."""
        waits = sum(sent.left for sent in calls) > 1
        if not waits or (self.told and self.shared):
            self.look_at = None
            return False
        if self.look_at is None:
            self.look_at = now + SLOW_S
        if now < self.look_at:
            return False
        return self._looked(now, journal.running(), journal, calls)

    def _looked(self, now: float, running: Running | None, journal: WorkerJournal, calls: Sequence[Sent]) -> bool:
        asked = self.asked
        if asked is not None and running is not None and running[:2] == asked[:2]:
            first, self.told, self.look_at = not self.told, True, now + SLOW_S
            return first
        slow_s = SLOW_S if calls[0].left > 1 else SLOW_ALONE_S
        if running is None or now < running.began + slow_s:
            began = now if running is None else running.began
            self.look_at = began + slow_s
            return False
        self.asked, self.told, self.look_at = running, False, now + SETTLED_S
        if self.shared:
            journal.recall(calls[-1].number)
        return False

    def end(self, journal: WorkerJournal) -> None:
        """The worker has reported all that it had."""
        if self.holding:
            journal.go_on()
        self.look_at, self.asked, self.told = None, None, False
