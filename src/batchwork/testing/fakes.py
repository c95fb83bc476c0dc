"""Stand-ins that work, for quick tests of the engine and of foreign parts: an executor that calls Python functions in-process.

No process is started and nothing is encoded but results; what workers really do is in the executors' own tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, ClassVar

import msgspec
from msgspec import Struct, field

from batchwork.clock import SystemClock
from batchwork.errors import RenderError
from batchwork.events import Event
from batchwork.model import Call, Failure, Report
from batchwork.ports import Compiled, Pager, Program, Running, Scope, Setting, Staffing, WorkerKind, Written
from batchwork.text.jsontext import Json, encode

Behaviour = Callable[[Json], object]
"""What a unit does: it gets the unit's payload. What it returns is the result; a Failure or an exception is a failure."""


class Cancelled(Exception):
    """Raised by an act that notices that it is to end."""


class StillClock(SystemClock):
    """A clock that stands still until a test turns it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def now(self) -> float:
        return self.now_s

    def random(self) -> float:
        return 0.5


class Collected(Struct):
    """An EventSink that keeps what it is given."""

    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


class CallableProgram(Struct):
    """A program whose payloads are the unit's rendered fields; `act` is what its executor calls for each."""

    act: Behaviour
    fields: Mapping[str, Any]
    constants: Scope
    worker: WorkerKind = "inline"
    prepare: Mapping[str, Any] = field(default_factory=lambda: {"kind": "callable"})
    takes_item: bool = False
    says: bool = False
    uses: frozenset[str] = frozenset()

    def bind(self, scope: Scope) -> Json:
        rendered: dict[str, Any] = {name: value.render(scope) for name, value in self.fields.items()}
        return {"item": scope.get("item"), **rendered}


class CallableTask(Struct, frozen=True):
    """A task type that does what `act` does; by default it gives back what it was given."""

    act: Behaviour = lambda payload: payload
    says: bool = False
    refuse: str = ""
    """With this message, no program can be made of it."""

    name: ClassVar[str] = "callable"
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = True
    default_parallel: ClassVar[int | None] = 2

    class Fields(msgspec.Struct):
        """It has no fields of its own."""

    def compile(self, task: Written) -> Compiled:
        return Compiled(program=lambda setting: self._program(task, setting))

    def _program(self, task: Written, setting: Setting) -> CallableProgram:
        if self.refuse:
            raise RenderError(self.refuse)
        return CallableProgram(self.act, task.fields, setting.constants, says=self.says)


class CallableExecutor:
    """Runs CallablePrograms, each lane in a thread of its own, one unit at a time.

    `recall` and `cancel` give back what has not started; what runs is asked to end only through what it waits for itself.
    """

    width = 1
    latency_s = 0.0

    def __init__(self, program: CallableProgram, staffing: Staffing) -> None:
        self._act, self._staffing = program.act, staffing
        self._reports: SimpleQueue[Report | None] = SimpleQueue()
        self._calls: list[SimpleQueue[Call | None]] = []
        self._load: list[int] = []
        self._recalls = 0
        self._threads: list[Thread] = []
        self.lanes = staffing.slots
        for lane in range(self.lanes):
            self._calls.append(SimpleQueue())
            self._load.append(0)
            self._threads.append(Thread(target=self._serve, args=(lane,), daemon=True))
            self._threads[-1].start()

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        pass

    def warm(self, lanes: int) -> None:
        pass

    def ready(self) -> Sequence[bool]:
        return [True] * self.lanes

    def load(self) -> Sequence[int]:
        return list(self._load)

    def submit(self, lane: int, call: Call) -> None:
        self._load[lane] += len(call.units)
        self._calls[lane].put(call)

    def poll(self, timeout_s: float | None) -> list[Report]:
        found = []
        try:
            first = self._reports.get(timeout=timeout_s)
            while True:
                if first is not None:
                    found.append(first)
                first = self._reports.get_nowait()
        except Empty:
            return found

    def running(self) -> Sequence[Running]:
        return ()

    def wake(self) -> None:
        self._reports.put(None)

    def recall(self) -> None:
        self._recalls += 1

    cancel = kill = recall

    def close(self) -> None:
        for calls in self._calls:
            calls.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self, lane: int) -> None:
        while (call := self._calls[lane].get()) is not None:
            for report in self._reported(call):
                self._load[lane] -= (
                    len(report.done) + len(report.failures) + len(report.cancelled) + len(report.returned)
                )
                self._reports.put(report)

    def _reported(self, call: Call) -> Iterable[Report]:
        recalls, failures = self._recalls, 0
        for offset, payload in enumerate(call.payloads):
            rest = range(offset, len(call.units))
            if self._recalls != recalls:
                yield Report(call.id, returned=rest, worker="fake")
                return
            report = self._report(call.id, offset, payload)
            yield report
            failures += _counting(report, call)
            if failures == call.ends_after and len(rest) > 1:
                yield Report(call.id, returned=rest[1:], worker="fake")
                return

    def _report(self, call: int, offset: int, payload: Json) -> Report:
        try:
            result = self._act(payload)
            text = "" if isinstance(result, Failure) else encode(result)
        except Cancelled:
            return Report(call, cancelled=[offset], worker="fake")
        except Exception as error:  # noqa: BLE001  # whatever a unit raises is its failure
            result, text = Failure(type(error).__name__, str(error)), ""
        if isinstance(result, Failure):
            return Report(call, failures=[(offset, result, 1000)], worker="fake")
        return Report(call, done=[offset], results=[text], durations_us=[1000], worker="fake")


def _counting(report: Report, call: Call) -> int:
    """Failures of a report that count for the end of its call."""
    return sum(1 for _, failure, _ in report.failures if not (call.forgives and failure.retryable))


def callable_executors(program: Program, staffing: Staffing, pages: Pager | None = None) -> CallableExecutor:
    """An ExecutorFactory for workflows whose tasks are CallableTasks."""
    assert isinstance(program, CallableProgram)
    return CallableExecutor(program, staffing)
