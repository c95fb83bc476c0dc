"""Starts agents on the machines of a cluster: one on each, also on those that join it later. A thread of its own talks to it.

Nothing that the cluster's own library does, or fails to do, holds the run up: it is told why no agent can come.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from batchwork.clock import since_boot
from batchwork.workers.nodes.launch.address import Address, shown
from batchwork.workers.nodes.launch.command import AGENT
from batchwork.workers.nodes.launch.roster import Ended, Place, Roster
from batchwork.workers.nodes.net.letter import Letter

LOOK_S: Final = 1.0
_CLOSE_S = 5.0
_CLOSE_GONE_S = 0.5
"""Where nothing is to be called back, or it may be waiting for what never answers."""
_LONGEST = 300


class ClusterGone(Exception):
    """There is no way to the cluster, or none any more; why, in a sentence for people."""


class Cluster(Protocol):
    """A cluster that there is already. One thread asks; every question may raise ClusterGone, whatever the library raises."""

    @property
    def patience_s(self) -> float:
        """What has not answered a question for so long is no such cluster, or none any more."""
        ...

    @property
    def remark(self) -> str:
        """What may be the matter where no agent comes, known since it was connected; empty where nothing is."""
        ...

    def connect(self) -> None: ...

    def places(self) -> Sequence[Place]:
        """Who can be asked to start an agent now."""
        ...

    def start(self, place: Place, command: Sequence[str], letter: bytes) -> Any:
        """Have the command run there, once, with the letter on its standard input. What `ended` is asked with."""
        ...

    def ended(self, started: Any) -> Ended | None:
        """How the command has ended; None while it runs, or is to run."""
        ...

    def close(self, started: Sequence[Any]) -> None:
        """What has not begun does not begin any more; the connection is closed."""
        ...


class ClusterLauncher:
    """See muster.Launcher."""

    def __init__(self, address: Address, cluster: Cluster) -> None:
        self._address, self._cluster = address, cluster
        self._roster = Roster()
        self._started: dict[str, Any] = {}
        self._over: str | None = None
        self._asked_at: float | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def describe(self) -> str:
        return f"`{self._address}`"

    def launch(self, letter: Callable[[int | None], Letter]) -> None:
        self._thread = threading.Thread(target=self._work, args=(letter,), name="launcher", daemon=True)
        self._thread.start()

    def ended(self) -> str | None:
        asked_at = self._asked_at
        if self._over is None and asked_at is not None and since_boot() - asked_at > self._cluster.patience_s:
            return f"what is at {self._address.place} does not answer as a cluster does"
        if self._over is None:
            return None
        return _joined(self._over, self._cluster.remark)

    def known(self) -> str:
        return _joined(self._roster.known(), self._cluster.remark)

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S if self._started and self.ended() is None else _CLOSE_GONE_S)

    # ------------------------------------------------------------ the thread

    def _work(self, letter: Callable[[int | None], Letter]) -> None:
        try:
            self._ask(self._cluster.connect)
            while not self._closing.is_set():
                self._ask(lambda: self._turn(letter))
                self._over = self._roster.hopeless()
                self._closing.wait(LOOK_S)
            self._cluster.close([*self._started.values()])
        except ClusterGone as gone:
            self._over = str(gone)

    def _ask(self, question: Callable[[], None]) -> None:
        """Have it noticed if the cluster's library does not come back."""
        self._asked_at = since_boot()
        question()
        self._asked_at = None

    def _turn(self, letter: Callable[[int | None], Letter]) -> None:
        """See who is there and who is gone, and start agents where there is none. Raises ClusterGone."""
        self._roster.see(self._cluster.places())
        now = since_boot()
        for host, started in [*self._started.items()]:
            how = self._cluster.ended(started)
            if how is not None:
                del self._started[host]
                self._roster.ended(host, how, now)
        for place in self._roster.due(now):
            self._started[place.host] = self._cluster.start(place, _command(place), letter(1).written())
            self._roster.started(place)


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _command(place: Place) -> Sequence[str]:
    return AGENT if place.slots is None else (*AGENT, "--slots", str(place.slots))


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Whatever a library raises becomes one sentence that begins with `what`. Raises ClusterGone."""
    try:
        yield
    except ClusterGone:
        raise
    except Exception as error:
        raise ClusterGone(f"{what}: {in_a_line(error)}") from error


def hush(*packages: str) -> None:
    """Nothing that these packages log comes to the terminal."""
    for name in (*packages, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in packages:
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [logging.NullHandler()], False


def in_a_line(error: BaseException) -> str:
    """What an error says, in a line: of a traceback of elsewhere that is the last one."""
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]
    return shown(line)[:_LONGEST]


def how_it_went(code: int, words: bytes) -> Ended:
    """How the agent's command has ended, with its last words."""
    from batchwork.workers.starts import how_it_ended

    lines = words.decode("utf-8", "replace").strip().splitlines()
    said = f": {lines[-1][:_LONGEST]}" if lines else ""
    return Ended(f"the agent {how_it_ended(code)}{said}")
