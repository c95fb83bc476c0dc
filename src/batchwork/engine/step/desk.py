"""One way to drive an executor: calls go to its lanes, what comes back is heard, a stop is passed on. What it means is not decided here."""

from __future__ import annotations

from msgspec import Struct

from batchwork.censor import Censor
from batchwork.engine.step.lanes import Lanes
from batchwork.engine.stopping.stop_level import GO, KILL, TERMINATE
from batchwork.faults import fault
from batchwork.model import Call, Report
from batchwork.ports import Executor, Running


class _Out(Struct):
    """A call that was handed to a lane; `left` counts its units that are not reported."""

    lane: int
    left: int


class Desk:
    """Hands calls to one executor. But for `wake`, which any thread may call, it belongs to one thread."""

    def __init__(self, executor: Executor, censor: Censor) -> None:
        self._executor, self._censor = executor, censor
        self._lanes = Lanes(executor.lanes)
        self._out: dict[int, _Out] = {}
        self._warmed: int | None = None
        self.level = GO
        self._look()

    @property
    def width(self) -> int:
        """Attempts at once in a lane."""
        return self._executor.width

    @property
    def slots(self) -> int:
        """Attempts at once in all lanes, as many as there are now."""
        return self._executor.lanes * self._executor.width

    @property
    def latency_s(self) -> float:
        """How long a call takes to a lane and its report back, beside the work."""
        return self._executor.latency_s

    @property
    def ready(self) -> int:
        """How many lanes are ready."""
        return self._lanes.count_ready

    @property
    def held(self) -> int:
        """Calls that are with lanes that are not ready."""
        return self._lanes.held

    @property
    def calls(self) -> int:
        """Calls that are with the executor."""
        return len(self._out)

    def warm(self, units: int | None) -> None:
        """Have workers started for so many units, None for as many as there may be."""
        lanes = self._executor.lanes
        if units is not None:
            lanes = min(units, lanes)
        if lanes != self._warmed:
            self._warmed = lanes
            self._executor.warm(lanes)

    def takes(self, depth: int) -> bool:
        """Whether a lane takes a further call, where each takes `depth` of them; a lane that is wide takes any number.

        One that is not ready takes none: its worker is dead or on a slow unit, and another may be ready earlier.
        """
        return self.width > 1 or (self._lanes.count_ready > 0 and self._lanes.takes(depth))

    def submit(self, call: Call) -> None:
        """Hand a call to the lane with the fewest; also one that came back."""
        lane = 0
        if self.width == 1:
            lane = self._lanes.take()
        self._out[call.id] = _Out(lane, len(call.units))
        self._executor.submit(lane, call)

    def hear(self, timeout_s: float | None) -> list[Report]:
        """What has come, waiting up to `timeout_s` (None: without limit) for the first, or for `wake`. Raises WorkerError."""
        reports = self._executor.poll(timeout_s)
        if reports:
            fault("item.exit_before_record")
        for report in reports:
            self._note(report)
        self._look()
        return list(map(self._censor.report, reports))

    def running(self) -> list[Running]:
        """What has been running for a while, without secrets in what it has printed."""
        return list(map(self._censor.running, self._executor.running()))

    def wake(self) -> None:
        """Make `hear` return."""
        self._executor.wake()

    def recall(self) -> None:
        """Ask for what has not started; it comes back as `returned`."""
        self._executor.recall()

    def obey(self, level: int) -> None:
        """Pass a stop level on, each once: what runs is terminated, or killed."""
        if level >= KILL > self.level:
            self._executor.kill()
        elif level >= TERMINATE > self.level:
            self._executor.cancel()
        self.level = max(level, self.level)

    def close(self) -> None:
        """Stop the workers."""
        self._executor.close()

    def _look(self) -> None:
        self._lanes.see(self._executor.ready())
        if self._warmed is not None and self._lanes.count_ready < self._warmed:
            self._warmed = None  # one that has died, perhaps before it was ready, is started anew

    def _note(self, report: Report) -> None:
        out = self._out.get(report.call)
        if out is None:
            return
        out.left -= report.count
        if out.left <= 0:
            del self._out[report.call]
            if self.width == 1:
                self._lanes.over(out.lane)
