"""The executor of `echo`: no process, the result is the payload. Runs inside of `poll`, in the coordinator's thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from batchwork.clock import Clock, SystemClock
from batchwork.model import Call, Report
from batchwork.ports import Pager, Program, Running, Staffing
from batchwork.text.jsontext import encode


class InlineExecutor:
    """See ports.Executor. One lane, as wide as there are slots."""

    lanes = 1
    latency_s = 0.0

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self.width = 1
        self._calls: deque[Call] = deque()
        self._back: list[Report] = []
        self._woken = threading.Event()

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        self.width = staffing.slots

    def warm(self, lanes: int) -> None:
        """There is nothing to start."""

    def ready(self) -> Sequence[bool]:
        return (True,)

    def load(self) -> Sequence[int]:
        return [sum(len(call.payloads) for call in self._calls)]

    def submit(self, lane: int, call: Call) -> None:
        self._calls.append(call)

    def poll(self, timeout_s: float | None) -> list[Report]:
        reports, self._back = self._back, []
        while self._calls:
            reports.append(self._run(self._calls.popleft()))
        if not reports:
            self._woken.wait(timeout_s)
        self._woken.clear()
        return reports

    def _run(self, call: Call) -> Report:
        began = self._clock.now()
        results = [encode(payload) for payload in call.payloads]
        each_us = int((self._clock.now() - began) * 1e6 / max(1, len(results)))
        count = len(results)
        return Report(call.id, done=range(count), results=results, durations_us=[each_us] * count, worker="inline")

    def running(self) -> Sequence[Running]:
        return ()  # what runs here is over before anybody can look

    def wake(self) -> None:
        self._woken.set()

    def recall(self) -> None:
        self._give_back()

    def cancel(self) -> None:
        self._give_back()

    def kill(self) -> None:
        self._give_back()

    def _give_back(self) -> None:
        self._back += [Report(call.id, returned=range(len(call.payloads))) for call in self._calls]
        self._calls.clear()

    def close(self) -> None:
        self._calls.clear()
