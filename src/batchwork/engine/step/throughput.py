"""How fast a step goes: units a second and percentiles of their durations, for the samples. Bounded, whatever runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

KEPT = 2_000
"""Durations kept between two samples."""
FROM_ONE_REPORT = 50


class Speed:
    """Fed by the coordinator's thread, read by the sampler's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._since: float | None = None
        self._durations: deque[int] = deque(maxlen=KEPT)

    def saw(self, durations_us: Sequence[int]) -> None:
        """Units that finished; of a large report an even selection is kept."""
        with self._lock:
            self._count += len(durations_us)
            self._durations.extend(durations_us[:: max(1, len(durations_us) // FROM_ONE_REPORT)])

    def since_last(self, now: float) -> tuple[float, int, int, int]:
        """(units a second, p50, p95, p99 in µs) since the last call; `now` is monotonic seconds."""
        with self._lock:
            span = now - self._since if self._since is not None else 0.0
            rate = self._count / span if span > 0 else 0.0
            ordered = sorted(self._durations)
            self._since, self._count = now, 0
            self._durations.clear()
        if not ordered:
            return rate, 0, 0, 0
        last = len(ordered) - 1
        p50, p95, p99 = (ordered[min(last, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
        return rate, p50, p95, p99
