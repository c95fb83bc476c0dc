"""Threads that run one at a time, under a clock that jumps: each switch is chosen by the seed, so that a history can be played again.

A fiber is a thread of the system that runs only while it holds the baton. Whoever waits gives it away; when all wait, the
clock jumps to the next thing that is due. When nothing is due either, the engine waits for what will never come: a hang.
"""

from __future__ import annotations

import heapq
import pkgutil
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from random import Random
from typing import Any

TICK_S = 1e-7
IDLE = frozenset({"poll", "warm", "steps", "submit", "commit", "commit, done", "committed"})
IDLE_MOST = 3_000
"""So often in turn may the engine touch the world without getting any further."""
SPINS_MOST = 20_000
"""So often may the engine look around without anything being waited for."""


class Crash(BaseException):
    """The process has been killed: nothing of it runs any more. No part of the engine may catch it."""


class Fiber:
    """A thread of the engine. `until` is what it waits for, `due` until when."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.baton = threading.Lock()
        self.baton.acquire()
        self.until: Callable[[], bool] = lambda: True
        self.due: float | None = None
        self.over = False


class World:
    """Time, chance, what is due, and the threads of the process that lives now."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 1000.0
        self.story: list[tuple[float, str]] = []
        self.wrong: str | None = None
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._entries = 0
        self.born()

    # ------------------------------------------------------------ the process

    def born(self) -> None:
        """A new process begins, in the thread that calls."""
        self.dead = False
        self._main = self._current = Fiber("main")
        self._fibers = [self._main]
        self._agenda.clear()
        self._spins = 0
        self.ops = 0
        self._idle = 0
        self.on_op: Callable[[str], None] = lambda _: None

    def gone(self) -> None:
        """The process is no more: what is left of its threads ends here."""
        self.dead = True
        assert self._current is self._main
        for fiber in list(self._fibers):
            if fiber is not self._main and not fiber.over:
                self._hand_to(fiber)
        self._agenda.clear()

    def op(self, what: str) -> None:
        """The engine touches the world: here it can be killed, or told to stop."""
        if self.dead:
            raise Crash
        self.ops += 1
        self._idle = self._idle + 1 if what in IDLE else 0
        if self._idle > IDLE_MOST:
            self.violate("the engine goes on for ever: it looks for reports, and nothing comes of it")
        self.on_op(what)

    def kill(self, why: str) -> None:
        """The process dies now."""
        self.say(f"the process is killed: {why}")
        self.dead = True
        raise Crash

    def violate(self, text: str) -> None:
        """Something that must never be has been seen; the history ends here."""
        if self.wrong is None:
            self.wrong = text
            self.say(f"WRONG: {text}")
        self.dead = True
        raise Crash

    def say(self, text: str) -> None:
        self.story.append((self.now, text))

    # ------------------------------------------------------------ time

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Have `act` called after so many seconds, unless the process dies before."""
        self._entries += 1
        heapq.heappush(self._agenda, (self.now + delay_s, self._entries, act))

    def _advance(self) -> None:
        """Nobody can go on: what is due next happens."""
        due = [fiber.due for fiber in self._fibers if not fiber.over and fiber.due is not None]
        first = self._agenda[0][0] if self._agenda else None
        if first is None and not due:
            waiting = ", ".join(fiber.name for fiber in self._fibers if not fiber.over)
            self.violate(f"hang: nothing is due, and these wait for ever: {waiting}")
        self.now = max(self.now, min([*due, *([] if first is None else [first])]))
        self._spins = 0

    def tick(self) -> float:
        """What the clock shows; to look at it takes a moment."""
        self.now += TICK_S
        return self.now

    # ------------------------------------------------------------ waiting

    def wait(self, until: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Give the baton away until the condition holds or the time is over; whether it holds."""
        if self.dead:
            raise Crash
        me = self._current
        me.until = until
        me.due = None if timeout_s is None else self.now + timeout_s
        try:
            self._pick(me)
        finally:
            me.until, me.due = _now, None
        if self.dead:
            raise Crash
        return until()

    def _pick(self, me: Fiber) -> None:
        """Pass the baton to somebody who can go on; return when `me` can."""
        chosen = self._chosen()
        if chosen is not me:
            self._hand_to(chosen, me)

    def _chosen(self) -> Fiber:
        while True:
            self._spins += 1
            if self._spins > SPINS_MOST:
                self.violate("the engine spins: it looks around without end while time stands still")
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            able = [fiber for fiber in self._fibers if self._able(fiber)]
            if len(able) == 1:
                return able[0]
            if able:
                return self.random.choice(able)
            self._advance()

    def _able(self, fiber: Fiber) -> bool:
        return not fiber.over and ((fiber.due is not None and fiber.due <= self.now) or fiber.until())

    def _hand_to(self, fiber: Fiber, me: Fiber | None = None) -> None:
        me = me or self._current
        self._current = fiber
        fiber.baton.release()
        me.baton.acquire()

    # ------------------------------------------------------------ threads

    def begin(self, name: str, act: Callable[[], None]) -> Fiber:
        """A further thread."""
        fiber = Fiber(name)
        self._fibers.append(fiber)
        _Pool.run(fiber, lambda free: self._live(fiber, act, free))
        return fiber

    def _live(self, fiber: Fiber, act: Callable[[], None], free: Callable[[], None]) -> None:
        try:
            if not self.dead:
                act()
        except Crash:
            self.dead = True
        except BaseException as error:
            self.wrong = self.wrong or f"the thread {fiber.name} raised {error!r}"
            self.dead = True
        fiber.over = True
        heir = self._main
        if not self.dead:
            try:
                heir = self._chosen()
            except Crash:
                heir = self._main
        self._current = heir
        free()
        heir.baton.release()


class _Pool:
    """Threads of the system, used again and again: to make one costs more than most of what fibers do."""

    idle: deque[queue.SimpleQueue[tuple[Fiber, Callable[[Callable[[], None]], None]]]] = deque()

    @classmethod
    def run(cls, fiber: Fiber, act: Callable[[Callable[[], None]], None]) -> None:
        """Have `act` called by a thread once the fiber gets the baton; it calls what it is given when it needs the thread no more."""
        if cls.idle:
            inbox = cls.idle.popleft()
        else:
            inbox = queue.SimpleQueue()
            threading.Thread(target=cls._serve, args=(inbox,), daemon=True).start()
        inbox.put((fiber, act))

    @classmethod
    def _serve(cls, inbox: queue.SimpleQueue[tuple[Fiber, Callable[[Callable[[], None]], None]]]) -> None:
        while True:
            fiber, act = inbox.get()
            fiber.baton.acquire()
            act(lambda: cls.idle.append(inbox))


def _now() -> bool:
    return True


# ---------------------------------------------------------------- what the engine takes for threads, events and queues

world: World


class SimThread:
    """Stands for threading.Thread."""

    def __init__(
        self, target: Callable[..., None], args: tuple[Any, ...] = (), name: str = "", daemon: bool = False
    ) -> None:
        self._target, self._args, self._name = target, args, name
        self._fiber: Fiber | None = None

    @property
    def ident(self) -> int | None:
        return None if self._fiber is None else id(self._fiber)

    def start(self) -> None:
        self._fiber = world.begin(self._name, lambda: self._target(*self._args))

    def is_alive(self) -> bool:
        return self._fiber is not None and not self._fiber.over

    def join(self, timeout: float | None = None) -> None:
        world.wait(lambda: not self.is_alive(), timeout)


class SimEvent:
    """Stands for threading.Event."""

    def __init__(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        return world.wait(self.is_set, timeout)


class SimSemaphore:
    """Stands for threading.Semaphore."""

    def __init__(self, value: int = 1) -> None:
        self._value = value

    def acquire(self) -> bool:
        world.wait(lambda: self._value > 0)
        self._value -= 1
        return True

    def release(self) -> None:
        self._value += 1


class SimQueue:
    """Stands for queue.SimpleQueue."""

    def __init__(self) -> None:
        self._entries: deque[Any] = deque()

    def __class_getitem__(cls, _: Any) -> type[SimQueue]:
        return cls

    def put(self, entry: Any) -> None:
        self._entries.append(entry)

    def empty(self) -> bool:
        return not self._entries

    def get(self, timeout: float | None = None) -> Any:
        if not world.wait(lambda: bool(self._entries), timeout):
            raise queue.Empty
        return self._entries.popleft()

    def get_nowait(self) -> Any:
        if not self._entries:
            raise queue.Empty
        return self._entries.popleft()


STAND_INS = {
    threading.Thread: SimThread,
    threading.Event: SimEvent,
    threading.Semaphore: SimSemaphore,
    queue.SimpleQueue: SimQueue,
}


@contextmanager
def threads_replaced() -> Iterator[None]:
    """While entered, the engine's threads are fibers, and what they wait for is waited for in the world."""
    undo: list[tuple[Any, str, Any]] = []
    for module in _modules("batchwork.engine"):
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value in STAND_INS:
                undo.append((module, name, value))
                setattr(module, name, STAND_INS[value])
    try:
        yield
    finally:
        for module, name, value in undo:
            setattr(module, name, value)


def _modules(package: str) -> list[Any]:
    for found in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        import_module(found.name)
    return [module for name, module in sys.modules.items() if name.startswith(f"{package}.")]


def live_in(new: World) -> None:
    """The world that the stand-ins belong to from now on."""
    global world  # noqa: PLW0603  # one world at a time, and the stand-ins cannot be given any
    world = new
