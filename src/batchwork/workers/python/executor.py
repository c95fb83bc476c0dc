"""The executor of Python tasks: a worker process for each slot, one unit at a time in each."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from batchwork.clock import Clock, SystemClock
from batchwork.model import Call, Report
from batchwork.ports import Pager, Program, Running, Staffing
from batchwork.workers.frames import RUNNING_OUTPUT_MOST
from batchwork.workers.journals.shelf import Shelf
from batchwork.workers.link import Links
from batchwork.workers.python.lane import Hall, Lane
from batchwork.workers.starts import Trouble

_PAUSE_S = 0.5
"""Waking so much later than asked for means that this process was stopped (Ctrl-Z), or starved."""
FINISH_S = 2.0
"""How long idle workers may take to end (their exit functions run)."""


class Pauses:
    """When this process stood still, and how long: units that run have lost as much, because they were stopped with it."""

    def __init__(self, now: float) -> None:
        self._looked = now
        self._found: list[tuple[float, float]] = []

    def look(self, now: float, wait_s: float | None) -> float:
        """Note a pause if much more time has passed since the last look than was to be waited (None: any time); returns `now`."""
        passed_s, self._looked = now - self._looked, now
        if wait_s is not None and passed_s > wait_s + _PAUSE_S:
            self._found = [*self._found[-99:], (now, passed_s)]
        return now

    def since(self, began: float) -> float:
        """Seconds lost by what runs since `began`."""
        return sum(length for noticed, length in self._found if noticed > began)


class PythonExecutor:
    """See ports.Executor. Workers are started as calls come."""

    width = 1
    latency_s = 0.0002

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._links = Links()
        self._lanes: list[Lane] = []
        self._reports: list[Report] = []
        self._woken = False
        self._stopping = False
        self._trouble = Trouble()
        self._pauses = Pauses(self._clock.now())

    @property
    def lanes(self) -> int:
        return len(self._lanes)

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        self._staffing = staffing
        hall = Hall(self._links, pages, self._trouble, Shelf(staffing.journals), staffing)
        self._lanes = [Lane(number, program.prepare, hall) for number in range(staffing.slots)]

    def warm(self, lanes: int) -> None:
        if not self._stopping:
            for lane in self._lanes[:lanes]:
                lane.warm()

    def ready(self) -> Sequence[bool]:
        return [lane.ready for lane in self._lanes]

    def load(self) -> Sequence[int]:
        return [lane.load for lane in self._lanes]

    def submit(self, lane: int, call: Call) -> None:
        self._lanes[lane].submit(call)

    def poll(self, timeout_s: float | None) -> list[Report]:
        now = self._pauses.look(self._clock.now(), 0.0)
        until: float | None = None
        if timeout_s is not None:
            until = now + timeout_s
        while True:
            self._look(now)
            if self._reports or self._woken or (until is not None and now >= until):
                self._woken = False
                reports, self._reports = self._reports, []
                return reports
            self._trouble.tell()  # only where there is no report, so that no outcome is lost
            now = self._wait(self._wait_s(now, until))

    def _wait(self, wait_s: float | None) -> float:
        """Wait for workers; the time then."""
        self._links.poll(wait_s)
        return self._pauses.look(self._clock.now(), wait_s)

    def _look(self, now: float) -> None:
        """What has come, what is over its time, what is to be started."""
        trouble, lost_since = self._trouble.why, self._pauses.since
        for lane in self._lanes:
            was_ready = lane.ready
            self._reports += lane.look(now, lost_since)
            self._woken = self._woken or lane.ready > was_ready
        if self._trouble.why is not trouble:
            self.recall()  # what runs in other lanes goes on, and all else comes back

    def _wait_s(self, now: float, until: float | None) -> float | None:
        looks = [look for lane in self._lanes if (look := lane.next_look(now, self._pauses.since)) is not None]
        if until is not None:
            looks.append(max(0.0, until - now))
        if not looks:
            return None
        return min(looks) if min(looks) > 0 else 0.001

    def running(self) -> Sequence[Running]:
        now = self._clock.now()
        found = [unit for lane in self._lanes if (unit := lane.running(now)) is not None]
        most = RUNNING_OUTPUT_MOST // max(len(found), 1)
        return [replace(unit, stdout=unit.stdout[-most:]) for unit in found]

    def wake(self) -> None:
        self._woken = True
        self._links.wake()

    def recall(self) -> None:
        self._stopping = True
        for lane in self._lanes:
            self._reports += lane.recall()

    def cancel(self) -> None:
        self._cancel(self._staffing.grace_s)

    def kill(self) -> None:
        self._cancel(0.0)

    def _cancel(self, grace_s: float) -> None:
        now, self._stopping = self._clock.now(), True
        for lane in self._lanes:
            self._reports += lane.cancel(now, grace_s)

    def close(self) -> None:
        links = [link for lane in self._lanes if (link := lane.finish()) is not None]
        self._links.wait(links, self._clock, FINISH_S)
        for lane in self._lanes:
            lane.close()
        self._links.close()
