"""A session on a node: a local executor in a thread of its own, which does what it is told and says what comes of it."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.errors import BatchworkError, WorkerError
from batchwork.model import Call, Report, Units
from batchwork.ports import Executor, ExecutorFactory, PageQuery
from batchwork.proctree import COOKIE
from batchwork.text.jsontext import Json, decode
from batchwork.text.jsontexts import Texts
from batchwork.text.numerals import Numerals
from batchwork.workers.frames import RUNNING_FROM_S
from batchwork.workers.nodes.agent.reporting import report_frames
from batchwork.workers.nodes.wire import (
    AnyDown,
    Begin,
    Cancel,
    Finish,
    Kill,
    NowRunning,
    Page,
    Question,
    Ready,
    Recall,
    Run,
    SessionEnded,
    Took,
    Trouble,
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
        self._number, self._begin, self._executors, self._clock = number, begin, executors, clock
        self._send_frame = send
        self._orders: deque[AnyDown] = deque()
        self._news = threading.Condition()
        self._executor: Executor | None = None
        self._pages: dict[int, Page] = {}
        self._questions = 0
        self._window = begin.window
        self._unread = 0
        self._over = False
        self._ready: list[bool] = []
        self._running_at = 0.0
        self._had_running = False
        self._thread = threading.Thread(target=self._work, name=f"session-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    # ------------------------------------------------------------ told by the network's thread

    def tell(self, message: AnyDown) -> None:
        """What the hub says to this session."""
        with self._news:
            match message:
                case Page():
                    self._pages[message.number] = message
                case Took():
                    self._unread -= message.count
                case _:
                    self._over = self._over or isinstance(message, Finish)
                    self._orders.append(message)
            self._news.notify()
        self._wake()

    def end(self) -> None:
        """The node ends: as if the hub had said so."""
        self.tell(Kill())
        self.tell(Finish())

    def _wake(self) -> None:
        if (executor := self._executor) is not None:
            executor.wake()

    # ------------------------------------------------------------ work

    def _work(self) -> None:
        try:
            self._executor = executor = self._executors(*self._equipment(), self._ask)
        except BatchworkError as error:
            self._troubled(error)
            self._say(SessionEnded())
            return
        try:
            while self._obey(executor):
                self._tell_ready(executor)
                if not self._may_poll():
                    continue
                self._listen(executor)
        finally:
            executor.close()
            self._say(SessionEnded())

    def _equipment(self) -> tuple[Any, Any]:
        """The program and the staffing. Raises WorkerError where this node lacks something."""
        begin = self._begin
        missing = [path for path in (begin.staffing.cwd, *begin.needed) if not os.path.exists(path)]
        if missing:
            raise WorkerError(
                f"there is no {', '.join(missing)} here",
                "every node needs the same files at the same absolute paths: a shared file system, or the same image",
            )
        declared = {os.fsdecode(name): os.fsdecode(value) for name, value in begin.declared}
        environ = {**_own_environ(), **declared}
        staffing = replace(begin.staffing, environ=environ, cookie=os.environ.get(COOKIE, ""), journals="")
        return SentProgram(begin.worker, json.loads(begin.prepare)), staffing

    def _listen(self, executor: Executor) -> None:
        try:
            reports = executor.poll(self._wait_s(executor))
        except WorkerError as error:
            self._troubled(error)
            return
        for report in reports:
            self._report(report)
        self._tell_running(executor)

    def _wait_s(self, executor: Executor) -> float | None:
        return RUNNING_FROM_S if self._had_running or any(executor.load()) else None

    def _report(self, report: Report) -> None:
        for frame in report_frames(self._number, report):
            with self._news:
                self._unread += len(frame)
            self._send_frame(frame)
        if report.recorded is not None:
            report.recorded()  # it is in this process now, and a worker's death takes nothing of it

    def _may_poll(self) -> bool:
        """Whether the other side takes what there is to say; if not, wait a moment for it."""
        with self._news:
            if self._unread <= self._window or self._over:
                return True
            self._news.wait(RUNNING_FROM_S)
            return False

    def _say(self, message: Any) -> None:
        self._send_frame(framed(self._number, message))

    def _troubled(self, error: BatchworkError) -> None:
        self._say(Trouble(error.message, error.hint))

    def _tell_ready(self, executor: Executor) -> None:
        ready = [*executor.ready()]
        if ready != self._ready:
            self._ready = ready
            self._say(Ready(ready))

    def _tell_running(self, executor: Executor) -> None:
        now = self._clock.now()
        if now < self._running_at + RUNNING_FROM_S:
            return
        self._running_at = now
        units = [*executor.running()]
        if units or self._had_running:
            self._had_running = bool(units)
            self._say(NowRunning(units))

    # ------------------------------------------------------------ orders

    def _obey(self, executor: Executor) -> bool:
        """Do what was told. False once the session is over."""
        while self._orders:
            match self._orders.popleft():
                case Run() as order:
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
        number = self._questions
        self._say(Question(number, query))
        with self._news:
            while number not in self._pages:
                if self._over:
                    raise WorkerError("the step is over")
                self._news.wait(RUNNING_FROM_S)
            answer = self._pages.pop(number)
        if answer.page is None:
            raise WorkerError(answer.error)
        return answer.page


def call_of(order: Run) -> Call:
    """A call as local executors take it. Of its units they only need how many there are."""
    payloads: Any = Texts(order.texts)
    if order.numbers is not None:
        payloads = range(*order.numbers)
    elif order.shared is not None:
        payloads = _with_shared(payloads, [*map(decode, order.shared)], order.slot)
    count = range(len(payloads))
    units = Units(count, count, Numerals(count), payloads)
    return Call(order.call, order.attempt, units, payloads, order.ends_after, order.forgives)


def _with_shared(payloads: Texts, shared: list[Json], slot: int) -> list[Any]:
    """Payloads with the lists that several of them have in common, each made once."""
    whole = []
    for payload in payloads:
        assert isinstance(payload, list)
        view = payload[slot]
        assert isinstance(view, dict)
        view["items"] = shared[view.pop("shared")]  # type: ignore[index]
        whole.append(payload)
    return whole


def _own_environ() -> dict[str, str]:
    """The environment of the node, as tasks see it."""
    return {name: value for name, value in os.environ.items() if name != COOKIE}
