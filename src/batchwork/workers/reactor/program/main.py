"""The reactor's program: one loop that speaks frames and runs many commands or requests at once. How they run is not here.

    python -m batchwork.workers.reactor.program.main IN OUT [JOURNAL]

IN and OUT are the numbers of two inherited pipes. JOURNAL is that of a file, in which it notes what it starts and what came
of that: should it die, or its owner, the rest did not run.

It ends when its owner closes the pipe: what ends within a moment is noted, and everything else that it started is killed.
Signals of the terminal are its owner's.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Protocol

from batchwork.workers import frames
from batchwork.workers.reactor.program.loop import IN, Loop
from batchwork.workers.reactor.program.notes import Notes
from batchwork.workers.reactor.program.outbox import CallEnd, Outbox, Unit
from batchwork.workers.reactor.program.running import Outputs, RunningWatch

_GROUP_S = 0.015
"""Outcomes are handed on this long after the last ones, while there is enough to do. Each time costs the owner a transaction."""
_BACKLOG_MAX = 8 << 20
"""Bytes of outcomes that the owner has not read, past which nothing more is started."""
_STARTS_MAX = 32
"""Units started before the loop turns again, so that what comes meanwhile is heard."""
_LAST_MOMENT_S = 0.2
"""How long units may still run after the owner is gone."""
_LOOK_S = 0.01
_ENOUGH = 4
"""There is enough to do while a slot in so many finds another unit when it is free; else more is asked for, by telling what is over."""


class UnitRunner(Protocol):
    """What a reactor runs: commands or requests. Each unit is reported to the outbox once."""

    def start(self, unit: Unit) -> None: ...

    def running(self) -> Iterable[tuple[Unit, Outputs]]:
        """What has been started and is not reported, with what it has printed."""
        ...

    def cancel(self, grace_s: float) -> None:
        """End what runs, with so many seconds to end by itself."""
        ...

    def destroy(self) -> None:
        """End everything at once; nothing is reported."""
        ...


class Slots:
    """How many units may run at once, and how many do."""

    def __init__(self) -> None:
        self.count = 1
        self.taken = 0

    @property
    def full(self) -> bool:
        return self.taken >= self.count


class Reactor:
    """Takes calls from one pipe, keeps `slots` units running, reports to the other."""

    def __init__(self, read: int, write: int, journal: int | None = None) -> None:
        self._loop = Loop()
        notes = None if journal is None else Notes(journal)
        self._outbox = Outbox(self._loop, write, self._freed, notes)
        self._reader = frames.FrameReader()
        self._waiting: deque[Unit] = deque()
        self._slots = Slots()
        self._over = False
        self._runner: UnitRunner | None = None
        self._watch: RunningWatch | None = None
        os.set_blocking(read, False)
        self._loop.watch(read, IN, self._hear)

    # ------------------------------------------------------------ what comes

    def _hear(self, fd: int, _events: int) -> None:
        try:
            part = os.read(fd, 1 << 20)
        except BlockingIOError:
            return
        if not part:
            self._over = True
            self._loop.forget(fd)
            return
        for tag, body in self._reader.feed(part):
            if tag == frames.CALL:
                order = json.loads(body)
                end = CallEnd(*order.get("ends", (None, False)))
                self._waiting += [
                    Unit(order["id"], offset, payload, end) for offset, payload in enumerate(order["units"])
                ]
            elif tag == frames.RECALL:
                self._give_back()
            elif tag == frames.CANCEL:
                self._give_back()
                if self._runner is not None:
                    self._runner.cancel(json.loads(body)["grace_s"])
            elif tag == frames.PREPARE:
                self._prepare(json.loads(body))

    def _prepare(self, order: dict[str, Any]) -> None:
        program, runtime = order["program"], order["runtime"]
        self._slots.count = runtime["slots"]
        try:
            self._runner = self._make_runner(program, runtime)
        except Exception as error:  # whatever it is, the owner must hear of it  # noqa: BLE001
            broken = {"type": type(error).__name__, "message": str(error)}
            self._outbox.send(frames.frame(frames.BROKEN, json.dumps(broken).encode()))
            self._over = True
            return
        self._watch = RunningWatch(self._loop, self._runner.running, self._outbox.send)
        self._outbox.send(frames.frame(frames.READY, b"{}"))

    def _make_runner(self, program: Mapping[str, Any], runtime: Mapping[str, Any]) -> UnitRunner:
        environ = {**runtime["environ"], "BATCHWORK_COOKIE": runtime["cookie"]}
        if (mark := os.environ.get("BATCHWORK_WORKER")) is not None:
            environ["BATCHWORK_WORKER"] = mark  # by which the owner finds what a dead reactor left
        if program["kind"] == "shell":
            from batchwork.workers.reactor.program.commands import Commands

            make_room(2 * self._slots.count)
            return Commands(self._loop, self._outbox, program, environ | program.get("environ", {}), runtime)
        if program["kind"] == "http":
            from batchwork.workers.reactor.program.http.requests import Requests

            make_room(2 * self._slots.count)
            return Requests(self._loop, self._outbox, program, environ, runtime)
        raise ValueError(f"a reactor runs shell and http, not {program['kind']!r}")

    # ------------------------------------------------------------ what goes

    def _freed(self, ends: bool) -> None:
        """A unit has been reported: its slot is free. `ends`: its failure ends its call."""
        self._slots.taken -= 1
        if ends:
            self._give_back()

    def _give_back(self) -> None:
        for unit in self._waiting:
            self._outbox.returned(unit)
        self._waiting.clear()

    def _refill(self) -> bool:
        """Start what there are slots for; whether there is more to start at once."""
        runner, watch, waiting, slots = self._runner, self._watch, self._waiting, self._slots
        if runner is None or watch is None or self._outbox.backlog >= _BACKLOG_MAX:
            return False
        for _ in range(_STARTS_MAX):
            if not waiting or slots.full or not self._may_start(waiting[0]):
                return False
            slots.taken += 1
            runner.start(waiting.popleft())
            watch.begin()
        return bool(waiting) and not slots.full

    def _may_start(self, unit: Unit) -> bool:
        """Note that a unit starts. While there is no room for notes, nothing does."""
        notes = self._outbox.notes
        if notes is None or (not notes.held and notes.started(unit)):
            return True
        self._outbox.flush(self._loop.now())  # what is on disk makes room
        self._loop.timers.at(self._loop.now() + _LOOK_S, lambda: None)
        return False

    def run(self) -> None:
        """Work until the owner closes its pipe."""
        loop, outbox = self._loop, self._outbox
        while not self._over:
            longest = 0.0 if self._refill() else None
            if outbox:
                now = loop.now()
                rest = outbox.flushed + _GROUP_S - now
                if rest <= 0 or len(self._waiting) <= self._slots.count // _ENOUGH:
                    outbox.flush(now)
                elif longest is None:
                    longest = rest
            loop.turn(longest)
        if self._runner is not None:
            self._have_a_moment()
            self._runner.destroy()

    def _have_a_moment(self) -> None:
        """The owner is gone. What ends soon is noted, and need not run again."""
        until = self._loop.now() + _LAST_MOMENT_S
        while self._slots.taken and (left := until - self._loop.now()) > 0:
            self._loop.turn(left)


def make_room(descriptors: int) -> None:
    """Raise the limit of open files where so many more need it. Commands inherit it, so it is left alone otherwise."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = descriptors + 64
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_reactor() -> None:
    descriptors = [int(argument) for argument in sys.argv[1:]]
    for fd in descriptors:  # a command that held them would hide the owner's end
        os.set_inheritable(fd, False)
    null = os.open(os.devnull, os.O_RDONLY)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        signal.signal(getattr(signal, name), lambda *_: None)  # not ignored: that would be inherited
    Reactor(*descriptors).run()


def program() -> NoReturn:
    """The whole life of a reactor's process."""
    run_reactor()
    os._exit(0)  # taking everything apart in order takes Python some milliseconds, and the owner waits for the end


if __name__ == "__main__":
    program()
