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

_LINUX = sys.platform.startswith("linux")
_PR_SET_CHILD_SUBREAPER = 36
_ROUND_S = 0.002
_PATIENCE_S = 2.0


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


def _children(pid: int) -> list[int]:
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


def _below(pid: int, spared: set[int]) -> list[int]:
    """All descendants, without those in `spared` and what is below them."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            if child not in spared:
                found.append(child)
                waiting.append(child)
    return found


def _living(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return False
    return stat[stat.rfind(b")") + 2 : stat.rfind(b")") + 3] not in (b"Z", b"X", b"x")


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return "?"


class Stragglers:
    """What tasks leave running. What there was when the worker was ready (a server that setup started) is spared."""

    def __init__(self) -> None:
        self._spared: set[int] = set()

    def spare(self) -> None:
        self._spared = set(_below(os.getpid(), set())) if any_children() else set()

    def end(self) -> list[str]:
        """End and reap all of them; the names of those that were alive."""
        if not any_children():
            return []
        spared = self._spared | _trackers()
        ended: dict[int, str] = {}
        limit = time.monotonic() + _PATIENCE_S
        while any_children():
            found = _below(os.getpid(), spared)
            alive = [pid for pid in found if _living(pid)]
            for pid in alive:
                ended.setdefault(pid, _name(pid))
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in found:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if not found or time.monotonic() > limit:
                break
            if alive:
                time.sleep(_ROUND_S)
        return list(ended.values())


def _trackers() -> set[int]:
    """The companions of multiprocessing, which live as long as their process."""
    found = set()
    for module, attribute, field in (
        ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
        ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    ):
        companion = getattr(sys.modules.get(module), attribute, None)
        pid = getattr(companion, field, None)
        if pid:
            found.add(pid)
    return found


def end_everything() -> None:
    """SIGKILL to all that is below this process, until nothing is."""
    own = os.getpid()
    limit = time.monotonic() + _PATIENCE_S
    while time.monotonic() < limit:
        found = [pid for pid in _below(own, set()) if _living(pid)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_ROUND_S)


def watch(pipe: int, running: Callable[[], bool], tick: Callable[[], None]) -> None:
    """Start a thread that ends this process and all below it when the other end of `pipe` is closed; `tick` every second."""

    def wait() -> None:
        poll = select.poll()
        poll.register(pipe, 0)
        while not poll.poll(1000):
            tick()
        patience = time.monotonic() + _PATIENCE_S
        while not running() and time.monotonic() < patience:
            time.sleep(0.05)  # it was asked to end and does; exit functions may take a moment
        end_everything()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="batchwork-watch", daemon=True).start()
