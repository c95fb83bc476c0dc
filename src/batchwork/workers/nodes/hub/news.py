"""What a session learns from the hub: nodes that come and go, and what they said. In its inbox, in order."""

from __future__ import annotations

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import TypeAlias

from msgspec import Struct

from batchwork.workers.nodes.hub.members import Node


class Joined(Struct, frozen=True):
    """A node is there."""

    node: Node


class Heard(Struct, frozen=True):
    """A message of a node for this session, undecoded."""

    node: int
    body: bytes


class Silent(Struct, frozen=True):
    """The connection to a node has ended. It may go on working until it is `Gone`."""

    node: int


class Gone(Struct, frozen=True):
    """Nothing of a node lives any more."""

    node: int


News: TypeAlias = Joined | Heard | Silent | Gone


class Inbox:
    """News for one session. `wake` may be called from signal handlers."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[News | None] = SimpleQueue()

    def put(self, news: News) -> None:
        self._queue.put(news)

    def wake(self) -> None:
        self._queue.put(None)

    def take(self, timeout_s: float | None) -> tuple[list[News], bool]:
        """All news, waiting up to `timeout_s` (None: without limit) for the first; and whether it was woken."""
        found: list[News] = []
        woken = False
        try:
            news = self._queue.get(timeout_s is None or timeout_s > 0, timeout_s)
            while True:
                if news is None:
                    woken = True
                else:
                    found.append(news)
                news = self._queue.get_nowait()
        except Empty:
            return found, woken


class Audience:
    """The inboxes of all sessions of a run. Belongs to the hub's thread, but for `number`."""

    def __init__(self) -> None:
        self._inboxes: dict[int, Inbox] = {}
        self._numbers = 0

    def number(self) -> int:
        """The number of a new session."""
        self._numbers += 1
        return self._numbers

    def enter(self, session: int, inbox: Inbox, nodes: Iterable[Node]) -> None:
        """From now on the inbox gets the news; first the nodes that are here already."""
        self._inboxes[session] = inbox
        for node in nodes:
            inbox.put(Joined(node))

    def leave(self, session: int) -> None:
        self._inboxes.pop(session, None)

    def tell_all(self, news: News) -> None:
        for inbox in self._inboxes.values():
            inbox.put(news)

    def tell(self, session: int, news: News) -> None:
        if (inbox := self._inboxes.get(session)) is not None:
            inbox.put(news)
