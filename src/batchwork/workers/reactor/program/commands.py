"""Commands that run at once: started, timed out, ended with all that they started. Arguments come ready-made."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from batchwork import proctree
from batchwork.errors import MORE_FILES
from batchwork.text.wording import only_if
from batchwork.workers.reactor.program import verdict
from batchwork.workers.reactor.program.leftovers import Leftovers, tree
from batchwork.workers.reactor.program.listening import Listening, RunningCommand
from batchwork.workers.reactor.program.loop import IN, Loop
from batchwork.workers.reactor.program.outbox import NotStarted, Outbox, Unit
from batchwork.workers.reactor.program.running import Outputs
from batchwork.workers.reactor.program.spawn import Spawner
from batchwork.workers.reactor.program.stdin import StdinText
from batchwork.workers.reactor.program.timers import Timer

_LINGER_S = 0.1
"""How long what a command left may still write, before it is killed (`tee` behind bash's `>( )`)."""
_TIMEOUT_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL for an attempt that has taken too long."""
_AGAIN_S = 0.005
"""How soon it is looked whether what was killed is gone."""
_SPAWN_PAUSE_S = 0.01
_SPAWN_PAUSE_MAX_S = 0.25
_SPAWN_PATIENCE_S = 60.0
_FILES_PATIENCE_S = 1.0


class Commands:
    """Runs commands on a loop and reports each to `outbox`.

    A command is over when its process has ended; what it left is killed and noted in its log.
    """

    def __init__(
        self,
        loop: Loop,
        outbox: Outbox,
        program: Mapping[str, Any],
        environ: Mapping[str, str],
        runtime: Mapping[str, Any],
    ) -> None:
        self._loop = loop
        self._outbox = outbox
        self._timeout_s: float | None = runtime["timeout_s"]
        self._spawner = Spawner(environ, runtime["cwd"])
        self._commands: dict[int, RunningCommand] = {}
        self._listening = Listening(loop, program.get("capture_limit", 1 << 20), self._settle)
        self._delayed: dict[Unit, Timer] = {}
        proctree.become_subreaper()
        self._leftovers = Leftovers(self._commands)
        self._listen_for_ends()

    def _listen_for_ends(self) -> None:
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._loop.watch(woken, IN, self._child_ended)

    # ------------------------------------------------------------ starting

    def start(self, unit: Unit) -> None:
        unit.started = self._loop.now()
        self._spawn(unit, _SPAWN_PAUSE_S)

    def _spawn(self, unit: Unit, pause_s: float) -> None:
        """Start the process; while the system has no room, the start is tried again, and no attempt is used up."""
        self._delayed.pop(unit, None)
        mark = self._spawner.new_mark()
        now = self._loop.now()
        try:
            spawned = self._spawner.spawn(unit.payload, mark)
        except NotStarted as error:
            self._fail(unit, {"type": "spawn", "message": str(error), "retryable": False})
            return
        except OSError as error:
            if self._in_vain(error, now - unit.started):
                hint = only_if(error.errno == errno.EMFILE, f"; {MORE_FILES}")
                self._fail(unit, {"type": "spawn", "message": f"no process could be started: {error.strerror}{hint}"})
                return
            again = min(pause_s * 2, _SPAWN_PAUSE_MAX_S)
            self._delayed[unit] = self._loop.timers.at(now + pause_s, lambda: self._spawn(unit, again))
            return
        command = RunningCommand(unit, spawned.pid, self._listening.streams(spawned))
        unit.started = now
        self._commands[spawned.pid] = command
        self._leftovers.mark(mark, spawned.pid)
        if spawned.stdin >= 0:
            command.streams.stdin = StdinText(self._loop, spawned.stdin, str(unit.payload["stdin"]))
        if self._timeout_s is not None:
            command.timer = self._loop.timers.at(now + self._timeout_s, lambda: self._time_out(command))
        self._listening.soon(command)

    def _in_vain(self, error: OSError, waited_s: float) -> bool:
        """Whether there is no more hope for room. Commands that end make room, where it is our own limit that is in the way."""
        if error.errno == errno.EMFILE:
            return not self._commands and waited_s > _FILES_PATIENCE_S
        return waited_s > _SPAWN_PATIENCE_S

    def _fail(self, unit: Unit, failure: dict[str, object]) -> None:
        self._outbox.failed(unit, failure, int((self._loop.now() - unit.started) * 1e6))

    def running(self) -> Iterator[tuple[Unit, Outputs]]:
        """Commands that have been started and are not reported."""
        for command in self._commands.values():
            yield command.unit, command.streams.texts

    # ------------------------------------------------------------ ends that are heard of

    def _child_ended(self, fd: int, _events: int) -> None:
        """Some child has ended: a command, or an orphan that came to us."""
        os.read(fd, 4096)
        over: list[RunningCommand] = []
        orphaned: set[int] = set()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            command = self._commands.get(pid)
            if command is None:
                orphaned |= self._leftovers.gone(pid)
            else:
                command.status = os.waitstatus_to_exitcode(status)
                over.append(command)
        self._leftovers.look()
        now = self._loop.now()
        for command in over:
            command.ended = now
            self._listening.drain(command)
            self._settle(command)
        for owner in orphaned:  # what it left has ended by itself
            waiting = self._commands.get(owner)
            if waiting is not None and waiting.status is not None:
                self._settle(waiting)
        if strays := self._leftovers.strays():
            proctree.strike(tree(lambda: strays))

    # ------------------------------------------------------------ ending

    def _settle(self, command: RunningCommand) -> None:
        """Report a command whose process has ended, unless something of it still lives: that is given a moment first."""
        if not self._leftovers.of(command.pid) and (command.ending.why or not command.streams.open):
            self._report(command)
        elif not command.ending.why and command.linger is None:
            command.linger = self._loop.timers.at(command.ended + _LINGER_S, lambda: self._kill(command))
            self._listening.watch(command)

    def _kill(self, command: RunningCommand) -> None:
        """Kill what there is of a command, until nothing is left; report it then if its process has ended."""
        if self._commands.get(command.pid) is not command:
            return
        self._loop.timers.cancel(command.timer)
        self._loop.timers.cancel(command.linger)
        struck = proctree.strike(self._everything(command))
        command.ending.struck(struck)
        if struck:  # something may have slipped through, or is slow to die
            command.linger = self._loop.timers.at(self._loop.now() + _AGAIN_S, lambda: self._kill(command))
        elif command.status is not None:
            self._report(command)

    def _report(self, command: RunningCommand) -> None:
        self._loop.timers.cancel(command.timer)
        self._loop.timers.cancel(command.linger)
        self._listening.drain(command)
        for fd in list(command.streams.open):
            self._listening.close(command, fd)
        if command.streams.stdin is not None:
            command.streams.stdin.close()
        del self._commands[command.pid]
        self._leftovers.disown(command.pid)
        unit, status = command.unit, command.status
        assert status is not None
        ended = self._loop.now() if command.ending.why else command.ended
        us = int((ended - unit.started) * 1e6)
        log = verdict.left_behind(len(command.ending.left))
        out, err = command.streams.texts()
        if command.ending.why == "cancelled":
            self._outbox.cancelled(unit, verdict.printed(out, err))
            return
        if command.ending.why:
            grace = command.ending.grace_s if command.ending.killed else None
            self._outbox.failed(unit, verdict.timed_out(out, err, self._timeout_s or 0, grace), us, log)
        elif status:
            self._outbox.failed(unit, verdict.exit_failure(out, err, status), us, log)
        else:
            self._outbox.done(unit, verdict.command_result(out, err, 0), us, log)

    # ------------------------------------------------------------ before their time

    def _time_out(self, command: RunningCommand) -> None:
        if command.status is None:
            self._end(command, "timeout", _TIMEOUT_GRACE_S)

    def _end(self, command: RunningCommand, why: verdict.Verdict, grace_s: float) -> None:
        """SIGTERM to everything of a command, SIGKILL to what lives after the grace; without grace at once."""
        command.ending.why, command.ending.grace_s = why, grace_s
        self._loop.timers.cancel(command.timer)
        if grace_s <= 0:
            self._kill(command)
            return
        everything = self._everything(command)()
        proctree.kill(everything, signal.SIGTERM)
        proctree.kill(everything, signal.SIGCONT)  # one that is stopped gets to act on it
        command.timer = self._loop.timers.at(self._loop.now() + grace_s, lambda: self._kill(command))

    def _everything(self, command: RunningCommand) -> Callable[[], list[int]]:
        def roots() -> list[int]:
            self._leftovers.look()
            own = [command.pid] if command.status is None else []
            return own + self._leftovers.of(command.pid)

        return tree(roots)

    def cancel(self, grace_s: float) -> None:
        """End all that runs; asked again with less grace, it ends sooner."""
        for unit, timer in list(self._delayed.items()):
            self._loop.timers.cancel(timer)
            del self._delayed[unit]
            self._outbox.cancelled(unit)
        for command in list(self._commands.values()):
            if command.status is not None:
                if command.ending.hastened_by(grace_s):
                    self._kill(command)
            elif command.ending.hastened_by(grace_s):
                self._end(command, command.ending.why or "cancelled", grace_s)

    def destroy(self) -> None:
        """End everything at once, whatever it is, and report nothing."""
        own = os.getpid()
        if proctree.children(own):  # else nothing is below us, and looking through all processes takes a while
            proctree.kill_all(lambda: proctree.descendants([own]))
