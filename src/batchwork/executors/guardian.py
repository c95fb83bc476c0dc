"""A process that outlives batchwork by a moment: when batchwork is killed, it ends all that carries the run's cookie.

Workers notice the end of their pipe by themselves; this is for those that cannot (stopped, or stuck in C code), and for
what they started. It is forked before there are threads, and costs nothing until then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import NoReturn

from batchwork import proctree

_BYE = b"bye"
_FIRST_S = 0.3
"""Workers get so long to end what they started in their own way."""
_ROUNDS = 5


class Guardian:
    """Watches over the processes with one cookie, from `Guardian(cookie)` until `dismiss`."""

    def __init__(self, cookie: str) -> None:
        read, self._write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _watch(read, cookie)
        os.close(read)

    @property
    def pid(self) -> int:
        return self._pid

    def dismiss(self) -> None:
        """All ended well: the guardian ends and touches nothing."""
        if self._write < 0:
            return
        with contextlib.suppress(OSError):
            os.write(self._write, _BYE)
        os.close(self._write)
        self._write = -1
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _watch(read: int, cookie: str) -> NoReturn:
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
        if os.read(pipe, len(_BYE)) == b"":
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
