"""What a session is told: calls and other orders, pages of results that it asked for, and how much of what it said was taken."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from batchwork.errors import WorkerError
from batchwork.model import Call, Units
from batchwork.text.jsontext import Json, decode
from batchwork.text.jsontexts import Texts
from batchwork.text.numerals import Numerals
from batchwork.workers.frames import RUNNING_FROM_S
from batchwork.workers.nodes.net.wire import AnyDown, Finish, Page, Run, Took


class Orders:
    """Put in by the network's thread, taken by the session's. `window`: bytes of outcomes that may be on the way."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._orders: deque[AnyDown] = deque()
        self._pages: dict[int, Page] = {}
        self._news = threading.Condition()
        self._unread = 0
        self._over = False

    def put(self, message: AnyDown) -> None:
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

    def next(self) -> AnyDown | None:
        """The next order, None where there is none."""
        return self._orders.popleft() if self._orders else None

    def page(self, number: int) -> str:
        """The answer to a question, waited for. Raises WorkerError."""
        with self._news:
            while number not in self._pages:
                if self._over:
                    raise WorkerError("the step is over")
                self._news.wait(RUNNING_FROM_S)
            answer = self._pages.pop(number)
        if answer.page is None:
            raise WorkerError(answer.error)
        return answer.page

    def said(self, count: int) -> None:
        """So many bytes of outcomes go out."""
        with self._news:
            self._unread += count

    def may_say_more(self) -> bool:
        """Whether the other side takes what there is to say; if not, wait a moment for it."""
        with self._news:
            if self._unread <= self._window or self._over:
                return True
            self._news.wait(RUNNING_FROM_S)
            return False


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
