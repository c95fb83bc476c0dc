"""A process that outlives batchwork by a moment: when batchwork is killed, it ends all that carries the run's cookie.

Workers notice the end of their pipe by themselves; this is for those that cannot (stopped, or stuck in C code), and for
what they started. It is forked before there are threads, is told the cookie once that is known, and sleeps.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import NoReturn

from batchwork import proctree

_BYE = b"bye\n"
_LONGEST = 1000
_FIRST_S = 0.3
"""Workers get so long to end what they started in their own way."""
_ROUNDS = 5


class Guardian:
    """Watches over the processes with one cookie, from `watch` until `dismiss`."""

    def __init__(self) -> None:
        read, self._write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _guard(read)
        os.close(read)

    @property
    def pid(self) -> int:
        return self._pid

    def watch(self, cookie: str) -> None:
        """From now on, end whatever carries `cookie` when this process is gone. A later cookie takes the place of it."""
        self._tell(f"{cookie}\n".encode())

    def dismiss(self) -> None:
        """All ended well: the guardian ends and touches nothing."""
        if self._write < 0:
            return
        self._tell(_BYE)
        os.close(self._write)
        self._write = -1
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _tell(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it was killed: whoever did that does without it
            os.write(self._write, line)


def _guard(read: int) -> NoReturn:
    """The guardian's whole life. It never returns into the program that it was forked from."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        pipe = os.dup2(read, 3)
        os.closerange(4, _descriptors())
        told = b""
        while line := os.read(pipe, _LONGEST):
            told = line
        cookie = told.rstrip(b"\n").rpartition(b"\n")[2].decode()
        if cookie and not told.endswith(_BYE):
            select.select([], [], [], _FIRST_S)
            for _ in range(_ROUNDS):
                if not proctree.kill_all(lambda: proctree.with_cookie(cookie)):
                    break
    finally:
        os._exit(0)


def _descriptors() -> int:
    """One more than the highest descriptor that may be open."""
    try:
        return max(map(int, os.listdir("/proc/self/fd"))) + 1
    except (OSError, ValueError):
        return 4096
