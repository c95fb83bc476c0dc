"""The worker among processes: what tasks leave behind is found and ended, and when the coordinator is gone all is ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable

    from .journal import Journal

_LINUX = sys.platform.startswith("linux")
_PR_SET_CHILD_SUBREAPER = 36
_ROUND_S = 0.002
_PATIENCE_S = 2.0
LAST_MOMENT_S = 0.2
"""How long a unit may still run after the coordinator is gone."""


def become_worker() -> None:
    """Orphans below this process become its children, and what C code prints goes out at once."""
    try:
        import ctypes

        libc: Any = ctypes.CDLL(None)
        if _LINUX:
            libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        stdout = ctypes.c_void_p.in_dll(libc, "stdout" if _LINUX else "__stdoutp")
        libc.setvbuf(stdout, None, 2, 0)
    except Exception:  # noqa: BLE001  a Python without ctypes is still a worker; the coordinator finds what it leaves by cookie
        return


def any_children() -> bool:
    """Whether there is any child, living or dead; costs a microsecond."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except (OSError, AttributeError):
        return True
    return True


def children_of(pid: int) -> list[int]:
    """Direct children of a process, dead ones included."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            found.extend(map(int, file.read().split()))
    return found


def below(pid: int) -> list[int]:
    """All descendants, dead ones included."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = children_of(waiting.pop())
        found += children
        waiting += children
    return found


def _stat(pid: int) -> list[bytes]:
    """Its state, parent and so on, as /proc/PID/stat has them from the third field on; empty where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return []
    return stat[stat.rfind(b")") + 2 :].split()


def living(pid: int) -> bool:
    stat = _stat(pid)
    return bool(stat) and stat[0] not in (b"Z", b"X", b"x")


def started(pid: int) -> float:
    """When it started, in seconds since the machine did, to a hundredth; 0 where there is no such process."""
    stat = _stat(pid)
    return int(stat[19]) / os.sysconf("SC_CLK_TCK") if stat else 0.0


def name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return "?"


def end_everything() -> None:
    """SIGKILL to all that is below this process, until nothing is."""
    own = os.getpid()
    limit = time.monotonic() + _PATIENCE_S
    while time.monotonic() < limit:
        found = [pid for pid in below(own) if living(pid)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_ROUND_S)


def watch(pipe: int, journal: Journal, tick: Callable[[], None]) -> None:
    """Start a thread that ends this process and all below it when the other end of `pipe` is closed; `tick` every second.

    Nothing more starts then, and what runs has a moment: a unit that ends in it is noted, and need not run again.
    """

    def wait() -> None:
        poll = select.poll()
        poll.register(pipe, 0)
        while not poll.poll(1000):
            tick()
        journal.recall_all()
        moment = time.monotonic() + LAST_MOMENT_S
        while journal.running() and time.monotonic() < moment:
            time.sleep(_ROUND_S)
        patience = time.monotonic() + _PATIENCE_S
        while not journal.running() and time.monotonic() < patience:
            time.sleep(0.05)  # it was asked to end and does; exit functions may take a moment
        end_everything()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="batchwork-watch", daemon=True).start()
