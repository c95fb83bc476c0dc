"""How much of a thousand lanes one coordinator keeps busy: lanes that only wait, in this process, and a store in memory.

usage: python benchmarks/many_lanes.py [ROUNDS]     ideal: every lane works without a pause
"""

from __future__ import annotations

import heapq
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from measuring import load, median, rounds
from msgspec.structs import replace

from batchwork.censor import NoCensor
from batchwork.clock import SystemClock
from batchwork.engine.step.coordinator import Coordinator
from batchwork.engine.stopping.stop_level import Control
from batchwork.engine.unit.brief import Equipment, Start, StepBrief
from batchwork.model import Call, Report, RunRecord, RunStatus
from batchwork.plan.model import ItemsPlan
from batchwork.ports import Pager, Program, Running, Setting, Staffing
from batchwork.store.memory import MemoryStore
from batchwork.template import Value
from batchwork.testing.fakes import Collected

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))

from step_plans import batch_plan, step_plan

SECONDS = 2.0
"""How long the lanes would be busy, if they never waited."""


class WaitingLanes:
    """An executor whose lanes wait instead of working: each unit takes `unit_s`, a call reports at its end."""

    width = 1

    def __init__(self, lanes: int, unit_s: float, latency_s: float = 0.0) -> None:
        self.lanes, self.latency_s, self._unit_s = lanes, latency_s, unit_s
        self._ready = [True] * lanes
        self._calls = [deque[Call]() for _ in range(lanes)]
        self._free_at = [0.0] * lanes
        self._due: list[tuple[float, int]] = []
        self._woken = threading.Event()

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        """There is nothing to start."""

    def warm(self, lanes: int) -> None:
        """There is nothing to start."""

    def ready(self) -> Sequence[bool]:
        return self._ready

    def load(self) -> Sequence[int]:
        return [sum(len(call.units) for call in calls) for calls in self._calls]

    def submit(self, lane: int, call: Call) -> None:
        begins = max(self._free_at[lane], time.monotonic() + self.latency_s / 2)
        self._free_at[lane] = begins + len(call.units) * self._unit_s
        self._calls[lane].append(call)
        heapq.heappush(self._due, (self._free_at[lane] + self.latency_s / 2, lane))

    def poll(self, timeout_s: float | None) -> list[Report]:
        wait_s = timeout_s
        if self._due:
            due_s = self._due[0][0] - time.monotonic()
            wait_s = due_s if timeout_s is None else min(due_s, timeout_s)
        if wait_s is None or wait_s > 0:
            self._woken.wait(wait_s)
        self._woken.clear()
        return list(self._over(time.monotonic()))

    def _over(self, now: float) -> Iterator[Report]:
        while self._due and self._due[0][0] <= now:
            call = self._calls[heapq.heappop(self._due)[1]].popleft()
            count = len(call.units)
            durations = [round(self._unit_s * 1e6)] * count
            yield Report(call.id, done=range(count), results=["null"] * count, durations_us=durations, worker="waits")

    def running(self) -> Sequence[Running]:
        return ()

    def wake(self) -> None:
        self._woken.set()

    def recall(self) -> None:
        """Nothing comes back before its end."""

    cancel = kill = close = recall


def busy(lanes: int, unit_ms: float, latency_ms: float = 0.0) -> tuple[float, float]:
    """The share of ideal that the lanes keep, and the processor's seconds that the coordinator takes for a second of it."""
    count = round(SECONDS / unit_ms * 1000 * lanes)
    items = ItemsPlan("from", source="range", fields={"stop": Value.constant(count)})
    plan = step_plan("wait", batch=replace(batch_plan([], slots=lanes, continue_on_error=True), items=items))
    clock = SystemClock()
    store = MemoryStore(clock)
    store.create_run(RunRecord("r1", "lanes", "", "", "{}", "{}", RunStatus.RUNNING, 0), [("wait", True)])
    setting = Setting("wait", {}, frozenset(), {}, "/", "/", None)
    number = store.steps("r1")[0].number
    brief = StepBrief(plan, number, "r1", Start.FRESH, {}, setting, "cookie", NoCensor())

    def waiting(program: Program, staffing: Staffing, pages: Pager | None = None) -> WaitingLanes:
        return WaitingLanes(lanes, unit_ms / 1000, latency_ms / 1000)

    began, worked = time.monotonic(), time.thread_time()
    end = Coordinator(brief, Equipment(store, waiting, Collected(), clock), Control(clock)).run()
    seconds, worked = time.monotonic() - began, time.thread_time() - worked
    assert end.counts.succeeded == count, end
    return SECONDS / seconds, worked / seconds


def main() -> None:
    print(load())
    for lanes, unit_ms, latency_ms in ((1024, 50, 0), (256, 10, 0), (1024, 1, 0), (256, 10, 40), (8, 1, 0)):
        shares, works = zip(*(busy(lanes, unit_ms, latency_ms) for _ in range(rounds(3))), strict=True)
        far = f", {latency_ms} ms away" if latency_ms else ""
        print(
            f"{lanes:>5,} lanes of {unit_ms} ms units{far}: {median(shares):.0%} of ideal, "
            f"{median(works):.2f} processors for the coordinator"
        )


if __name__ == "__main__":
    main()
