"""Samples of what a run uses of the machine: CPU, memory, descriptors, processes, and how fast its steps go. One thread.

It costs nothing at the start, where most runs have ended before the first second, and little later: looking at thousands
of processes takes time, so that it looks less often then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, TypeAlias

from batchwork.clock import Clock
from batchwork.errors import StoreError
from batchwork.ports import Store
from batchwork.ports.store import Sample

if TYPE_CHECKING:
    import psutil

EVERY_S: Final = 1.0
SHARE_MOST: Final = 0.05
"""Share of the time that looking may take."""

Speeds: TypeAlias = "Callable[[], Sequence[tuple[float, int, int, int]]]"


class Sampler:
    """Adds a sample to the store every second from `start` to `stop`, and one at the end of a run that was shorter."""

    def __init__(self, run: str, store: Store, clock: Clock, speeds: Speeds, every_s: float = EVERY_S) -> None:
        self._keep = partial(store.add_sample, run)
        self._clock, self._speeds, self._every_s = clock, speeds, every_s
        self._stopped = Event()
        self._thread: Thread | None = None
        self._load = _Load(clock.now(), _cpu_s())
        self._taken = 0

    def start(self) -> None:
        self._thread = Thread(target=self._watch, name="sampling", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the thread. A store that cannot take a sample has been reported by those who need it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        if not self._taken:
            self._add(self._short())

    def _watch(self) -> None:
        due = self._clock.now() + self._every_s
        while not self._stopped.wait(max(0.0, due - self._clock.now())):
            try:
                import psutil as _  # noqa: F401  before the time is taken: importing it is not looking
            except OSError:  # no descriptor is left to read it with
                due = self._clock.now() + self._every_s
                continue
            began = self._clock.now()
            if not self._add(self._look()):
                return
            now = self._clock.now()
            due = max(due + self._every_s, now + (now - began) * (1 / SHARE_MOST - 1))

    def _add(self, sample: Sample) -> bool:
        try:
            self._keep(sample)
        except StoreError:
            return False
        self._taken += 1
        return True

    def _look(self) -> Sample:
        import psutil

        now, cpu_s, rss, descriptors = self._clock.now(), 0.0, 0, 0
        me = psutil.Process()
        family = [me, *_children(me)]
        for process in family:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    # With what its children took that have ended: so the sum of all only grows.
                    cpu_s += times.user + times.system + times.children_user + times.children_system
                    rss += process.memory_info().rss
                    descriptors += process.num_fds()
            except (psutil.Error, OSError):
                continue  # it has ended, or is not ours to look at
        return self._sample(self._load.percent(now, cpu_s), rss, descriptors, len(family))

    def _short(self) -> Sample:
        """A run of less than a second, from what the system says of this process without further modules."""
        return self._sample(self._load.percent(self._clock.now(), _cpu_s()), _rss(), _descriptors(), 1)

    def _sample(self, cpu: float, rss: int, descriptors: int, processes: int) -> Sample:
        speeds = self._speeds()
        return Sample(
            self._clock.wall_ms(),
            round(cpu, 1),
            rss,
            descriptors,
            processes,
            round(sum(speed[0] for speed in speeds), 2),
            max((speed[1] for speed in speeds), default=0),  # of steps that run together, the slowest
            max((speed[2] for speed in speeds), default=0),
            max((speed[3] for speed in speeds), default=0),
        )


class _Load:
    """How busy the processors were from one look to the next, in percent of one of them."""

    def __init__(self, now: float, cpu_s: float) -> None:
        self._looked, self._cpu_s = now, cpu_s

    def percent(self, now: float, cpu_s: float) -> float:
        took, used = max(now - self._looked, 0.001), max(0.0, cpu_s - self._cpu_s)
        self._looked, self._cpu_s = now, cpu_s
        return 100 * used / took


def _children(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return process.children(recursive=True)
    except (psutil.Error, OSError):
        return []


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _rss() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
