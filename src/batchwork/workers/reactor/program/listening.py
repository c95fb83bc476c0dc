"""A command that runs, and the listening to what it writes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from batchwork.workers.reactor.program import verdict
from batchwork.workers.reactor.program.captured import Captured
from batchwork.workers.reactor.program.loop import IN, Loop
from batchwork.workers.reactor.program.outbox import Unit
from batchwork.workers.reactor.program.spawn import Spawned
from batchwork.workers.reactor.program.stdin import StdinText
from batchwork.workers.reactor.program.timers import Timer

_UNWATCHED_S = 0.004
"""How long a command runs before its pipes are watched: most have ended by then and are read once, at their end."""


class Streams:
    """Both outputs of a command, the pipes to them that are still `open`, and its standard input."""

    __slots__ = ("err", "open", "out", "stdin")

    def __init__(self, spawned: Spawned, limit: int) -> None:
        self.out, self.err = Captured(limit), Captured(limit)
        self.open = {spawned.stdout: self.out, spawned.stderr: self.err}
        self.stdin: StdinText | None = None

    def texts(self) -> tuple[str, str]:
        """What was kept of standard output and of standard error."""
        return self.out.text(), self.err.text()


class Ending:
    """Why a command was ended before its time, if it was, and what had to be killed."""

    __slots__ = ("grace_s", "killed", "left", "why")

    def __init__(self) -> None:
        self.why: verdict.Verdict = ""
        self.grace_s = 0.0
        self.killed = False  # SIGKILL was needed
        self.left: set[int] = set()  # processes that outlived it; one that is slow to die is struck twice

    def hastened_by(self, grace_s: float) -> bool:
        """Whether an end with this grace would come before the one under way."""
        return not self.why or grace_s < self.grace_s

    def struck(self, pids: set[int]) -> None:
        """These have been killed: of the command itself, or left by it."""
        if self.why:
            self.killed = self.killed or bool(pids)
        else:
            self.left |= pids


class RunningCommand:
    """A command that is not reported yet."""

    __slots__ = ("ended", "ending", "linger", "pid", "status", "streams", "timer", "unit")

    def __init__(self, unit: Unit, pid: int, streams: Streams) -> None:
        self.unit = unit
        self.pid = pid
        self.streams = streams
        self.status: int | None = None  # known once the process has ended
        self.ended = 0.0
        self.timer: Timer | None = None
        self.linger: Timer | None = None
        self.ending = Ending()


class Listening:
    """Hears what commands write, and keeps `limit` bytes of each output. `over` is called when one that has ended has closed the last of its pipes."""

    def __init__(self, loop: Loop, limit: int, over: Callable[[RunningCommand], None]) -> None:
        self._loop = loop
        self._limit = limit
        self._over = over
        self._pipes: dict[int, RunningCommand] = {}
        self._fresh: deque[RunningCommand] = deque()
        self._sweeping = False

    def streams(self, spawned: Spawned) -> Streams:
        return Streams(spawned, self._limit)

    def soon(self, command: RunningCommand) -> None:
        """Watch a command that has just been started, if it runs for a while."""
        self._fresh.append(command)
        if not self._sweeping:
            self._sweeping = True
            self._loop.timers.at(command.unit.started + _UNWATCHED_S, self._sweep)

    def _sweep(self) -> None:
        """Watch the pipes of what has been running for a while."""
        fresh, old = self._fresh, self._loop.now() - _UNWATCHED_S
        while fresh and (fresh[0].unit.started <= old or fresh[0].status is not None):
            command = fresh.popleft()
            if command.status is None:
                self.watch(command)
        self._sweeping = bool(fresh)
        if fresh:
            self._loop.timers.at(fresh[0].unit.started + _UNWATCHED_S, self._sweep)

    def watch(self, command: RunningCommand) -> None:
        for fd in command.streams.open:
            self._pipes[fd] = command
            self._loop.watch(fd, IN, self._hear)

    def _hear(self, fd: int, _events: int) -> None:
        command = self._pipes[fd]
        try:
            more = command.streams.open[fd].read(fd)
        except BlockingIOError:
            return
        if not more:
            self.close(command, fd)
            if command.status is not None and not command.streams.open:
                self._over(command)

    def drain(self, command: RunningCommand) -> None:
        """Read what the pipes hold. No more than that: what a command left may write for ever."""
        for fd, captured in list(command.streams.open.items()):
            try:
                for _ in range(2):  # the first takes all that the pipe holds
                    if not captured.read(fd):
                        self.close(command, fd)
                        break
            except BlockingIOError:
                continue

    def close(self, command: RunningCommand, fd: int) -> None:
        del command.streams.open[fd]
        if self._pipes.pop(fd, None) is not None:
            self._loop.forget(fd)
        os.close(fd)
