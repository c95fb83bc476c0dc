"""Timers of a reactor: what is to be called when. Nothing here reads a clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Timer:
    """One call that is to come. `call` is None once it has been made or is not wanted any more."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call: Callable[[], None] | None = call


class Timers:
    """Timers in the order of their times, which are seconds on the clock of whoever asks."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._made = 0
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        timer = Timer(when, call)
        self._made += 1  # equal times fire in the order in which they were set
        heapq.heappush(self._heap, (when, self._made, timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Forget a timer; one that has fired, was cancelled before or is None is passed over."""
        if timer is None or timer.call is None:
            return
        timer.call = None
        self._dead += 1
        if self._dead > 1000 and self._dead * 2 > len(self._heap):  # a long timeout on many short commands
            self._heap = [entry for entry in self._heap if entry[2].call is not None]
            heapq.heapify(self._heap)
            self._dead = 0

    def put_off(self, seconds: float) -> None:
        """Everything comes so much later."""
        self._heap = [(when + seconds, number, timer) for when, number, timer in self._heap]

    def wait(self, now: float) -> float | None:
        """Seconds until the next timer, at least 0; None where there is none."""
        heap = self._heap
        while heap and heap[0][2].call is None:
            heapq.heappop(heap)
            self._dead -= 1
        return max(0.0, heap[0][0] - now) if heap else None

    def fire(self, now: float) -> None:
        """Make the calls whose time has come."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            call = timer.call
            if call is None:
                self._dead -= 1
                continue
            timer.call = None
            call()
            heap = self._heap  # a call may have cancelled so many that the heap was made anew
