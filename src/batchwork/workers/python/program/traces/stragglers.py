"""Processes that units start: they live on with the worker, unless the unit fails that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from ..processes import any_children, below, children_of, living, name_of, started

CHILDREN_MOST = 64
"""From so many on it is looked whether they are dead."""
_ROUND_S = 0.002
_PATIENCE_S = 2.0


class Stragglers:
    """What units leave running: it lives on with the worker, unless the unit fails that started it."""

    def __init__(self) -> None:
        self._kept: set[int] = set()

    def keep(self) -> None:
        """What runs now is setup's, or that of units that succeeded."""
        if not any_children():
            self._kept = set()
            return
        children = children_of(os.getpid())
        if len(children) > CHILDREN_MOST:
            children = _without_dead(children)
        self._kept = set(children)

    def end(self, us: int) -> list[str]:
        """End and reap what was started by a unit that took `us` microseconds; the names of those that were alive."""
        if not any_children():
            return []
        kept, began = self._kept | _trackers(), _since_boot() - us / 1e6
        ended: dict[int, str] = {}
        limit = time.monotonic() + _PATIENCE_S
        while time.monotonic() < limit:
            found = _of_unit(kept, began)
            alive = [pid for pid in found if living(pid)]
            for pid in alive:
                ended.setdefault(pid, name_of(pid))
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in found:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if not found:
                break
            if alive:
                time.sleep(_ROUND_S)
        return list(ended.values())


def _of_unit(kept: set[int], began: float) -> list[int]:
    """What a unit started that began at a time since boot. What is below a kept process (of a pool, say) is its own if it is younger."""
    found: list[int] = []
    for child in children_of(os.getpid()):
        if child in kept:
            found += [pid for pid in below(child) if started(pid) >= began]
        else:
            found += [child, *below(child)]
    return found


def _without_dead(children: list[int]) -> list[int]:
    """Reap the older half of the dead ones, which nobody seems to wait for (daemons, adopted here): numbers run out."""
    dead = [pid for pid in children if not living(pid)]
    for pid in dead[: len(dead) // 2]:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    reaped = set(dead[: len(dead) // 2])
    return [pid for pid in children if pid not in reaped]


def _since_boot() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


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
