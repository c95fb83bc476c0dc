"""The lanes of an executor by the calls in them: which one the next call goes to. Pure; what it costs does not grow with the lanes."""

from __future__ import annotations

from collections.abc import Sequence


class Lanes:
    """Lanes that may be given a call, in a bucket for each number of calls: taking one and giving it back look at no other lane.

    Of lanes with equally many calls the one that became free last goes first.
    """

    def __init__(self, count: int) -> None:
        self._calls = [0] * count
        self._ready: tuple[bool, ...] = ()
        self.count_ready = 0
        self._buckets: list[dict[int, None]] = [dict.fromkeys(reversed(range(count)))]

    def see(self, ready: Sequence[bool]) -> bool:
        """Learn which lanes are ready; whether that has changed. Where none is, a call waits in any of them."""
        seen = tuple(ready)
        if seen == self._ready:
            return False
        self._calls += [0] * (len(seen) - len(self._calls))  # there may come more
        self._ready, self.count_ready = seen, sum(seen)
        self._buckets = [{} for _ in range(max(self._calls, default=0) + 1)]
        for lane in reversed(range(len(self._calls))):
            if seen[lane] or not self.count_ready:
                self._buckets[self._calls[lane]][lane] = None
        return True

    @property
    def held(self) -> int:
        """Calls in lanes that are not ready: they are on something slow, and leave the others alone."""
        if self.count_ready == len(self._ready):
            return 0
        return sum(calls for calls, ready in zip(self._calls, self._ready, strict=True) if not ready)

    def takes(self, depth: int) -> bool:
        """Whether a lane has fewer than `depth` calls."""
        return any(self._buckets[:depth])

    def take(self) -> int:
        """The lane with the fewest calls, which has one more now."""
        calls = next(calls for calls, lanes in enumerate(self._buckets) if lanes)
        lane, _ = self._buckets[calls].popitem()
        self._put(lane, calls + 1)
        return lane

    def over(self, lane: int) -> None:
        """A call of the lane is over."""
        calls = self._calls[lane]
        if lane in self._buckets[calls]:
            del self._buckets[calls][lane]
            self._put(lane, calls - 1)
        else:
            self._calls[lane] = calls - 1

    def _put(self, lane: int, calls: int) -> None:
        self._calls[lane] = calls
        if calls == len(self._buckets):
            self._buckets.append({})
        self._buckets[calls][lane] = None
