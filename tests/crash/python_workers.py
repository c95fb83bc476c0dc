"""A Python executor to be driven by tests: submits calls, collects what comes back, hands out again what is returned."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from batchwork.censor import Censor, NoCensor
from batchwork.model import Call, Failure, Units
from batchwork.ports import Pager, Staffing
from batchwork.tasks.python.program import PythonProgram
from batchwork.text.jsontext import Json
from batchwork.workers.python.executor import PythonExecutor

DEADLINE_S = 60.0


@dataclass
class Ends:
    """What became of units, by number; `runs` counts how often each was handed out."""

    results: dict[int, str] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    durations_us: dict[int, int] = field(default_factory=dict)
    cancelled: list[int] = field(default_factory=list)
    logs: dict[int, str] = field(default_factory=dict)
    unheard: str = ""
    returned: list[int] = field(default_factory=list)
    workers: set[str] = field(default_factory=set)


class Workers:
    """`program` is what a worker is told beside the code."""

    def __init__(
        self, code: str, told: dict[str, Any] | None = None, pages: Pager | None = None, **staffing: Any
    ) -> None:
        self.cookie = uuid.uuid4().hex
        prepare = {
            "kind": "code",
            "code": code,
            "file": "flow.yaml",
            "line": 10,
            "names": ["item"],
            "takes_item": True,
            "interpreter": sys.executable,
            **(told or {}),
        }
        usual = {
            "slots": 1,
            "timeout_s": None,
            "cookie": self.cookie,
            "environ": dict(os.environ),
            "cwd": tempfile.gettempdir(),
            "grace_s": 1.0,
        }
        self.executor = PythonExecutor()
        program = PythonProgram(prepare, frozenset({"item"}), takes_item=True)
        self.censor: Censor = NoCensor()
        self.executor.start(program, Staffing(**{**usual, **staffing}), pages)
        self.ends = Ends()
        self._calls = 0
        self.open: dict[int, Call] = {}

    def submit(
        self,
        payloads: Sequence[Json],
        numbers: list[int] | None = None,
        lane: int = 0,
        ends: tuple[int | None, bool] = (None, False),
    ) -> None:
        chosen = numbers if numbers is not None else list(range(len(payloads)))
        self._calls += 1
        call = Call(self._calls, 1, Units(chosen, chosen, list(map(str, chosen)), payloads), payloads, *ends)
        self.open[call.id] = call
        self.executor.submit(lane, call)

    def poll(self, timeout_s: float = 0.1) -> None:
        """Take what has come."""
        for report in map(self.censor.report, self.executor.poll(timeout_s)):
            call, ends = self.open[report.call], self.ends
            numbers = call.units.seqs
            for offset, text, us in zip(report.done, report.results, report.durations_us, strict=True):
                assert numbers[offset] not in ends.results, "reported twice"
                ends.results[numbers[offset]] = text
                ends.durations_us[numbers[offset]] = us
            for offset, failure, us in report.failures:
                assert numbers[offset] not in ends.failures, "reported twice"
                ends.failures[numbers[offset]] = failure
                ends.durations_us[numbers[offset]] = us
            ends.cancelled += [numbers[offset] for offset in report.cancelled]
            ends.returned += [numbers[offset] for offset in report.returned]
            ends.logs.update({numbers[offset]: text for offset, text in report.logs.items()})
            ends.unheard += report.setup
            ends.workers.add(report.worker)
            assert not report.lost

    def wait(self, fact: Any, what: str = "") -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not fact():
            assert time.monotonic() < deadline, f"waited in vain for {what or fact}: {self.ends}"
            self.poll()

    def idle(self) -> bool:
        return sum(self.executor.load()) == 0

    def run(self, payloads: list[Json], size: int = 1000) -> Ends:
        """Run all, in calls of `size`; what comes back unstarted is handed out again."""
        waiting = [list(range(start, min(start + size, len(payloads)))) for start in range(0, len(payloads), size)]
        deadline = time.monotonic() + DEADLINE_S
        while waiting or not self.idle():
            assert time.monotonic() < deadline, f"not done: {self.ends}"
            for lane, load in enumerate(self.executor.load()):
                if waiting and not load:
                    numbers = waiting.pop(0)
                    self.submit([payloads[number] for number in numbers], numbers, lane)
            self.poll()
            if self.ends.returned:
                waiting.insert(0, sorted(self.ends.returned))
                self.ends.returned.clear()
        return self.ends
