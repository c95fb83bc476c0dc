"""Starting a command: its arguments, environment, directory and pipes. What becomes of it is not known here."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
from collections.abc import Mapping
from typing import NamedTuple

from batchwork.faults import fault
from batchwork.workers.reactor.program.outbox import NotStarted

COMMAND_MARK = "BATCHWORK_COMMAND"
"""The environment variable that says whose a process is: `PID of the reactor-number of the command`."""
_MARK_NAME = os.fsencode(COMMAND_MARK)

FOR_A_WHILE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR})
"""Errors of the system that pass when something else ends."""

# Python ignores SIGPIPE and SIGXFSZ, and an ignored signal stays ignored in a new program.
_DEFAULT_SIGNALS = [
    getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGQUIT", "SIGTERM") if hasattr(signal, name)
]


class Spawned(NamedTuple):
    """A process that has been started, and our ends of its pipes (`stdin` -1 where it has none)."""

    pid: int
    stdout: int
    stderr: int
    stdin: int


class Spawner:
    """Starts commands, each in a session of its own, so that no terminal signals them and its group is its own.

    Must be the only thread: a working directory is entered before the start and left afterwards. Standard input is this
    process's own (/dev/null), unless the command is given some.
    """

    def __init__(self, environ: Mapping[str, str], cwd: str) -> None:
        self._environ = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
        os.environ["PATH"] = environ.get("PATH", os.defpath)  # where posix_spawnp looks
        self._numbers = itertools.count(1)
        self._cwd = cwd
        os.chdir(cwd)
        self._home = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def new_mark(self) -> str:
        """A mark that no other command has."""
        return f"{os.getpid()}-{next(self._numbers)}"

    def spawn(self, payload: Mapping[str, object], mark: str) -> Spawned:
        """Start a command. Raises NotStarted, or OSError with one of FOR_A_WHILE."""
        argv, environ, cwd = self._order(payload, mark)
        fds: list[int] = []
        try:
            fault("spawn")
            fds += os.pipe()
            fds += os.pipe()
            actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, fds[1], 1), (os.POSIX_SPAWN_DUP2, fds[3], 2)]
            if payload.get("stdin") is not None:
                fds += os.pipe()
                actions.append((os.POSIX_SPAWN_DUP2, fds[4], 0))
                os.set_blocking(fds[5], False)
            pid = self._start(argv, environ, cwd, actions)
        except OSError as error:
            _close(fds)
            if error.errno in FOR_A_WHILE:
                raise
            raise NotStarted(_reason(argv, error, cwd)) from error
        except (ValueError, TypeError) as error:  # a NUL, a lone surrogate, a "=" in a name
            _close(fds)
            raise NotStarted(f"cannot be passed to a command: {error}") from error
        except NotStarted:
            _close(fds)
            raise
        os.close(fds[1])
        os.close(fds[3])
        if len(fds) > 4:
            os.close(fds[4])
        os.set_blocking(fds[0], False)
        os.set_blocking(fds[2], False)
        return Spawned(pid, fds[0], fds[2], fds[5] if len(fds) > 4 else -1)

    def _order(self, payload: Mapping[str, object], mark: str) -> tuple[list[str], dict[bytes, object], str]:
        argv, extra, cwd = payload.get("argv"), payload.get("env") or {}, payload.get("cwd") or self._cwd
        if not (isinstance(argv, list) and argv and isinstance(extra, dict) and isinstance(cwd, str)):
            raise NotStarted("the command is empty")
        environ: dict[bytes, object] = self._environ.copy()  # type: ignore[assignment]
        try:
            for name, value in extra.items():
                environ[name.encode()] = value
        except UnicodeEncodeError as error:
            raise NotStarted(f"cannot be passed to a command: {error}") from error
        environ[_MARK_NAME] = mark
        return argv, environ, cwd

    def _start(self, argv: list[str], environ: dict[bytes, object], cwd: str, actions: list[tuple[int, ...]]) -> int:
        moved = cwd != self._cwd
        if moved:
            try:
                os.chdir(cwd)
            except OSError as error:
                raise NotStarted(f"working_dir {cwd!r}: {error.strerror or error}") from error
        try:
            program = argv[0]
            if "/" not in program and b"PATH" in environ and environ[b"PATH"] is not self._environ.get(b"PATH"):
                program = _found(program, os.fsdecode(str(environ[b"PATH"])))
            start = os.posix_spawn if "/" in program else os.posix_spawnp
            return start(
                program,
                argv,
                environ,  # type: ignore[arg-type]
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULT_SIGNALS,
            )
        finally:
            if moved:
                os.fchdir(self._home)

    def close(self) -> None:
        os.close(self._home)


def _found(program: str, path: str) -> str:
    """The program's file by a PATH that the command itself brings."""
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder or ".", program)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    raise NotStarted(f"command not found: {program!r} (PATH is {path!r})")


def _reason(argv: list[str], error: OSError, cwd: str) -> str:
    """Why the system refused to start the program, in words that say what to do."""
    program = str(argv[0])[:200]
    if error.errno == errno.ENOENT:
        path = os.path.join(cwd, program)
        if "/" in program and os.path.exists(path):
            return f"{program!r}: the interpreter in its first line does not exist"
        return f"command not found: {program!r}"
    if error.errno == errno.E2BIG:
        return "arguments and environment are too long for a command; give long values by `stdin:`"
    if error.errno == errno.EACCES:
        kind = "is a directory" if os.path.isdir(os.path.join(cwd, program)) else "is not executable"
        return f"{program!r} {kind} ({error.strerror})"
    if error.errno == errno.ENOEXEC:
        return f"{program!r} is not a program ({error.strerror}); does its first line lack `#!`?"
    return f"{program!r} cannot be started: {error.strerror or error}"


def _close(fds: list[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
