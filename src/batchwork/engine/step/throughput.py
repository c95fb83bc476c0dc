"""How fast a step goes and how far it is: units a second, percentiles of their durations, and its progress as it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from batchwork.engine.step.running_units import RunningUnits
from batchwork.events import Progressed, WorkerPrepared
from batchwork.model import Counts, Report
from batchwork.ports import EventSink

DURATIONS_KEPT = 2_000
"""Durations kept between two samples."""
FROM_ONE_REPORT = 50
PROGRESS_EVERY_S = 0.1


class Speed:
    """Fed by the coordinator's thread, read by the sampler's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._since: float | None = None
        self._durations: deque[int] = deque(maxlen=DURATIONS_KEPT)

    def saw(self, durations_us: Sequence[int]) -> None:
        """Units that finished; of a large report an even selection is kept."""
        with self._lock:
            self._count += len(durations_us)
            self._durations.extend(durations_us[:: max(1, len(durations_us) // FROM_ONE_REPORT)])

    def since_last(self, now: float) -> tuple[float, int, int, int]:
        """(units a second, p50, p95, p99 in µs) since the last call; `now` is monotonic seconds."""
        with self._lock:
            span = now - (self._since or now)
            rate = 0.0
            if span > 0:
                rate = self._count / span
            ordered = sorted(self._durations)
            self._since, self._count = now, 0
            self._durations.clear()
        if not ordered:
            return rate, 0, 0, 0
        last = len(ordered) - 1
        p50, p95, p99 = (ordered[min(last, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
        return rate, p50, p95, p99


class Progress:
    """Tells how far a step is: each change, but not more often than anybody can read. `running`: what has been running for a while."""

    def __init__(self, step: str, sink: EventSink, now: float) -> None:
        self._step, self._sink = step, sink
        self.running = RunningUnits(now)
        self._shown: Counts | None = None
        self._shown_at = -1.0

    def show(self, counts: Counts, running: int, waiting: int, now: float) -> None:
        """Where the step stands `now` (monotonic seconds)."""
        if now - self._shown_at >= PROGRESS_EVERY_S:
            self.show_last(counts, running, waiting, now)

    def with_setup(self, reports: Iterable[Report]) -> Iterator[Report]:
        """The reports; what was printed while their workers were prepared is told."""
        for report in reports:
            if report.setup:
                self._sink.emit(WorkerPrepared(self._step, report.worker, report.setup))
            yield report

    def show_last(self, counts: Counts, running: int, waiting: int, now: float) -> None:
        """The same, however soon after what was told before."""
        if counts != self._shown:
            self._shown, self._shown_at = counts, now
            self._sink.emit(Progressed(self._step, counts, running, waiting))
