"""A process that outlives batchwork by a moment: when batchwork is killed, it ends all that carries the run's cookie.

Workers notice the end of their pipe by themselves; this is for those that cannot (stopped, or stuck in C code), and for
what they started. It is a shell that sleeps on a pipe and is told the cookie once that is known. When there is something to
do, it becomes this module. A fork would cost batchwork a copy of every page that it writes afterwards.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

from batchwork import proctree

_BYE = b"bye"
_FIRST_S = 0.3
"""Workers get so long to end what they started in their own way."""
_ROUNDS = 5

_WATCH = """\
told=
while read -r line; do told=$line; done
case $told in ''|bye) exit 0 ;; esac
exec "$0" -P -m batchwork.workers.guardian "$told"
"""
_NOT_FOR_IT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)


class Guardian:
    """Watches over the processes with one cookie, from `watch` until `dismiss`. Raises OSError where it cannot be started."""

    def __init__(self) -> None:
        read, self._write = os.pipe()
        try:
            self._pid = _started(read)
        except OSError:
            os.close(self._write)
            raise
        finally:
            os.close(read)

    @property
    def pid(self) -> int:
        return self._pid

    def watch(self, cookie: str) -> None:
        """From now on, end whatever carries `cookie` when this process is gone. A later cookie takes the place of it."""
        self._tell(cookie.encode())

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
            os.write(self._write, line + b"\n")


def _started(read: int) -> int:
    """The process id of a guardian that listens to the pipe `read`. Raises OSError."""
    return os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", _WATCH, sys.executable],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, read, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inherited()),
        ],
        setsid=True,
        setsigmask=_NOT_FOR_IT,
    )


def _inherited() -> list[int]:
    """Descriptors that a child would have, and a guardian would keep open: whoever gave them to us may wait for their end.

    Those above the limit of open files, opened before it was lowered, stay open: asking to close one is refused as an error.
    """
    found, limit = [], os.sysconf("SC_OPEN_MAX")
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if 2 < int(name) < limit and os.get_inheritable(int(name)):
                    found.append(int(name))
    return found


def end_all(cookie: str) -> None:
    """End what carries `cookie`, whose batchwork is gone."""
    select.select([], [], [], _FIRST_S)
    for _ in range(_ROUNDS):
        if not proctree.kill_all(lambda: proctree.with_cookie(cookie)):
            break


if __name__ == "__main__":
    end_all(sys.argv[1])
