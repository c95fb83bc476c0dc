"""An executor as another package adds it, with a task type that asks for it. The moon is far away: nothing of it runs here.

Each lane is a thread that stands for a machine. A payload such as `{"sleep": 1, "give": "dust"}` tells what a unit does.
"""

from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import Annotated, Any, ClassVar

import msgspec

from batchwork.clock import Clock
from batchwork.model import Call, Failure, Report
from batchwork.ports import Compiled, FieldValue, Pager, Program, Running, Scope, Staffing, Written
from batchwork.text.jsontext import Json, encode


class MoonTask:
    """Bring something from the moon."""

    name: ClassVar[str] = "moon"
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = 4

    class Fields(msgspec.Struct):
        what: Annotated[Any, msgspec.Meta(description="what is brought")]

    def compile(self, task: Written) -> Compiled:
        what = task.fields["what"]
        return Compiled(program=lambda setting: MoonProgram(what, what.roots & setting.unit_names))


class MoonProgram(msgspec.Struct):
    what: FieldValue
    uses: frozenset[str]
    worker: str = "moon"
    prepare: dict[str, Any] = {}
    takes_item: bool = False
    says: bool = False

    def bind(self, scope: Scope) -> Json:
        return {"give": self.what.render(scope)}


class MoonExecutor:
    width = 1
    latency_s = 2.6

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reports: SimpleQueue[Report | None] = SimpleQueue()
        self._calls: list[SimpleQueue[tuple[Call, int] | None]] = []
        self._load: list[int] = []
        self._changed = Condition()
        self._recalls = self._cancels = 0
        self.lanes = 0

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        self.lanes, self._staffing = staffing.slots, staffing
        self._calls = [SimpleQueue() for _ in range(self.lanes)]
        self._load = [0] * self.lanes
        self._threads = [Thread(target=self._serve, args=(lane,), daemon=True) for lane in range(self.lanes)]
        for thread in self._threads:
            thread.start()

    def warm(self, lanes: int) -> None:
        pass

    def ready(self) -> Sequence[bool]:
        return [True] * self.lanes

    def load(self) -> Sequence[int]:
        return list(self._load)

    def submit(self, lane: int, call: Call) -> None:
        self._load[lane] += len(call.payloads)
        self._calls[lane].put((call, self._recalls))

    def poll(self, timeout_s: float | None) -> list[Report]:
        found = []
        try:
            found.append(self._reports.get(timeout=timeout_s))
            while True:
                found.append(self._reports.get_nowait())
        except Empty:
            pass
        return [report for report in found if report is not None]

    def running(self) -> Sequence[Running]:
        return ()

    def wake(self) -> None:
        self._reports.put(None)

    def recall(self) -> None:
        self._end(running=False)

    def cancel(self) -> None:
        self._end(running=True)

    def kill(self) -> None:
        self._end(running=True)

    def close(self) -> None:
        self._end(running=True)
        for calls in self._calls:
            calls.put(None)
        for thread in self._threads:
            thread.join()

    def _end(self, running: bool) -> None:
        with self._changed:
            self._recalls += 1
            self._cancels += running
            self._changed.notify_all()

    # ------------------------------------------------------------ on the moon

    def _serve(self, lane: int) -> None:
        while (order := self._calls[lane].get()) is not None:
            for count, report in self._work(*order):
                self._load[lane] -= count
                self._reports.put(report)

    def _work(self, call: Call, recalls: int) -> Iterator[tuple[int, Report]]:
        failures = 0
        for offset, payload in enumerate(call.payloads):
            rest = range(offset, len(call.payloads))
            if self._recalls != recalls:
                yield len(rest), Report(call.id, returned=rest)
                return
            report = self._outcome(call.id, offset, payload)
            yield 1, report
            failures += len(report.failures)  # also those that the call forgives: it may end earlier than it must
            if call.ends_after is not None and failures >= call.ends_after and rest[1:]:
                yield len(rest) - 1, Report(call.id, returned=rest[1:])
                return

    def _outcome(self, call: int, offset: int, payload: Any) -> Report:
        began, cancels = self._clock.now(), self._cancels
        limit = self._staffing.timeout_s
        wait = payload.get("sleep", 0)
        with self._changed:
            self._changed.wait_for(lambda: self._cancels != cancels, wait if limit is None else min(wait, limit))
        if self._cancels != cancels:
            return Report(call, cancelled=[offset], worker="moon")
        lasted_us = int((self._clock.now() - began) * 1e6)
        failure = Failure("error", "as told") if payload.get("fail") else None
        if limit is not None and wait > limit:
            failure = Failure("timeout", f"it took longer than {limit:g} s")
        if failure is not None:
            return Report(call, failures=[(offset, failure, lasted_us)], worker="moon")
        result = encode(payload.get("give"))
        logs = {offset: payload["print"]} if "print" in payload else {}
        return Report(call, [offset], [result], [lasted_us], logs=logs, worker="moon")
