"""A session on a node: a local executor in a thread of its own, which does what it is told and says what comes of it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.errors import BatchworkError, WorkerError
from batchwork.model import Report
from batchwork.ports import Executor, ExecutorFactory, PageQuery, Staffing
from batchwork.proctree import COOKIE
from batchwork.text.jsontext import Json
from batchwork.workers.frames import RUNNING_FROM_S
from batchwork.workers.nodes.agent.fitness import Lacking, check
from batchwork.workers.nodes.agent.orders import Orders, call_of
from batchwork.workers.nodes.agent.reporting import report_frames
from batchwork.workers.nodes.net.wire import (
    AnyDown,
    Begin,
    Cancel,
    Finish,
    Kill,
    NowRunning,
    Question,
    Ready,
    Recall,
    Run,
    SessionEnded,
    Trouble,
    Up,
    Warm,
    framed,
)

Send = Callable[[bytes], None]


class SentProgram(Struct):
    """A program as it came: its payloads are bound already. Implements ports.Program."""

    worker: str
    prepare: Mapping[str, Any]
    takes_item: bool = False
    says: bool = False
    uses: frozenset[str] = frozenset()

    def bind(self, scope: object) -> Json:
        raise NotImplementedError("payloads come bound to a node")


class Session:
    """One executor of the run. `tell` is called by the network's thread, all else happens in a thread of its own."""

    def __init__(self, number: int, begin: Begin, executors: ExecutorFactory, send: Send, clock: Clock) -> None:
        self._begin, self._executors = begin, executors
        self._orders = Orders(begin.window)
        self._telling = Telling(number, send, clock)
        self._executor: Executor | None = None
        self._questions = 0
        self._thread = threading.Thread(target=self._work, name=f"session-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    # ------------------------------------------------------------ told by the network's thread

    def tell(self, message: AnyDown) -> None:
        """What the hub says to this session."""
        self._orders.put(message)
        if (executor := self._executor) is not None:
            executor.wake()

    def end(self) -> None:
        """The node ends: as if the hub had said so."""
        self.tell(Kill())
        self.tell(Finish())

    # ------------------------------------------------------------ work

    def _work(self) -> None:
        """From the start of the executor to its end. Whatever happens, it is said that the session has ended."""
        telling = self._telling
        try:
            self._live()
        except BatchworkError as error:
            telling.trouble(error)
        except Exception as error:  # noqa: BLE001  # a bug: the other side would wait for ever for what it has sent
            telling.trouble(WorkerError(f"something is wrong in batchwork itself: {error!r}"))
        finally:
            telling.say(SessionEnded())

    def _live(self) -> None:
        """Raises WorkerError where the executor cannot be started here."""
        check(self._begin)
        self._executor = executor = self._executors(*self._equipment(), self._ask)
        try:
            while self._obey(executor):
                self._telling.ready(executor)
                if self._orders.may_say_more():
                    self._listen(executor)
        finally:
            executor.close()

    def _equipment(self) -> tuple[SentProgram, Staffing]:
        begin = self._begin
        declared = {os.fsdecode(name): os.fsdecode(value) for name, value in begin.declared}
        environ = {**_own_environ(), **declared}
        staffing = replace(begin.staffing, environ=environ, cookie=os.environ.get(COOKIE, ""), journals="")
        return SentProgram(begin.worker, json.loads(begin.prepare)), staffing

    def _listen(self, executor: Executor) -> None:
        try:
            reports = executor.poll(self._telling.wait_s(executor))
        except WorkerError as error:
            self._telling.trouble(error)
            return
        for report in reports:
            self._orders.said(self._telling.report(report))
        self._orders.said(self._telling.running(executor))

    # ------------------------------------------------------------ orders

    def _obey(self, executor: Executor) -> bool:
        """Do what was told. False once the session is over."""
        while (order := self._orders.next()) is not None:
            match order:
                case Run():
                    executor.submit(order.lane, call_of(order))
                case Warm(lanes):
                    executor.warm(lanes)
                case Recall():
                    executor.recall()
                case Cancel():
                    executor.cancel()
                case Kill():
                    executor.kill()
                case Finish():
                    return False
                case _:
                    raise AssertionError("a message that is not for a session")
        return True

    def _ask(self, query: PageQuery) -> str:
        """A page of results, from the other side. Raises WorkerError."""
        self._questions += 1
        self._telling.say(Question(self._questions, query))
        return self._orders.page(self._questions)


class Telling:
    """What a session says, and has said last."""

    def __init__(self, number: int, send: Send, clock: Clock) -> None:
        self._number, self._send, self._clock = number, send, clock
        self._ready: list[bool] = []
        self._looked = 0.0
        self._had_running = False

    def say(self, message: Up) -> None:
        self._send(framed(self._number, message))

    def trouble(self, error: BatchworkError) -> None:
        """Workers cannot be started or prepared here."""
        self.say(Trouble(error.message, error.hint, isinstance(error, Lacking)))

    def report(self, report: Report) -> int:
        """A report; how many bytes it takes."""
        count = 0
        for frame in report_frames(self._number, report):
            count += len(frame)
            self._send(frame)
        if report.recorded is not None:
            report.recorded()  # it is in this process now, and a worker's death takes nothing of it
        return count

    def ready(self, executor: Executor) -> None:
        """Which lanes are ready, where that has changed."""
        ready = [*executor.ready()]
        if ready != self._ready:
            self._ready = ready
            self.say(Ready(ready))

    def wait_s(self, executor: Executor) -> float | None:
        """How long may be waited before something is to be said."""
        return RUNNING_FROM_S if self._had_running or any(executor.load()) else None

    def running(self, executor: Executor) -> int:
        """What has been running for a while, once a second; how many bytes it takes."""
        now = self._clock.now()
        if now < self._looked + RUNNING_FROM_S:
            return 0
        self._looked = now
        units = [*executor.running()]
        if not units and not self._had_running:
            return 0
        self._had_running = bool(units)
        frame = framed(self._number, NowRunning(units))
        self._send(frame)
        return len(frame)


def _own_environ() -> dict[str, str]:
    """The environment of the node, as tasks see it."""
    return {name: value for name, value in os.environ.items() if name != COOKIE}
