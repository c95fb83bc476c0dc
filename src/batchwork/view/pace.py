"""How fast a step goes of late and when it will be done. Pure: times come as arguments (seconds, monotonic)."""

from __future__ import annotations

from collections import deque

WINDOW_S = 20.0
"""The time that counts as "of late"."""
SPACING_S = 0.25
"""Marks are kept no closer than this, so that memory does not grow with the number of events."""
SURE_S = 1.0
"""An estimate of the end is not shown before the step has run this long."""


class Pace:
    """Speed over the last seconds. What was done before the start (a resumed step) does not count as speed."""

    def __init__(self, now: float, done: int) -> None:
        self._started = now
        self._marks: deque[tuple[float, int]] = deque([(now, done)])
        self._done = done

    def mark(self, now: float, done: int) -> None:
        """Note that `done` units are finished at `now`."""
        self._done = done
        marks = self._marks
        if len(marks) > 1 and now - marks[-2][0] < SPACING_S:
            marks[-1] = (now, done)
        else:
            marks.append((now, done))
        while len(marks) > 2 and now - marks[1][0] > WINDOW_S:
            marks.popleft()

    def rate(self, now: float) -> float:
        """Units a second of late; falls while nothing finishes."""
        start, done = self._marks[0]
        if now <= start:
            return 0.0
        return max(self._done - done, 0) / (now - start)

    def left_s(self, now: float, total: int | None) -> float | None:
        """Seconds until all of `total` is done at the present speed, or None while nobody can tell."""
        if total is None or now - self._started < SURE_S:
            return None
        speed = self.rate(now)
        if speed <= 0:
            return None
        return (total - self._done) / speed
