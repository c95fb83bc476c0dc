"""The stop level of a run, shared by its signals and its coordinators. Which signal raises it is in signals.py."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from batchwork.clock import Clock

GO: Final = 0
DRAIN: Final = 1
TERMINATE: Final = 2
KILL: Final = 3

Wake = Callable[[], None]


class Control:
    """How urgently to stop: 0 run on, 1 start nothing new, 2 terminate what runs, 3 kill it. It only ever rises.

    Raising is for signal handlers too. Every change of the level is one assignment, the callbacks (which must be as
    careful) are kept in a tuple that is replaced and never changed, and the lock of the bell is reentrant.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._level: int = GO
        self._wakes: tuple[Wake, ...] = ()
        self._registering = threading.Lock()
        self._bell = threading.Condition(threading.RLock())
        self._rings = 0
        self._heard = threading.local()
        self._until: float | None = None
        self.reason = ""
        self.signal: int | None = None
        """The first signal that asked for a stop, for the exit code."""

    @property
    def level(self) -> int:
        return self._level

    def register(self, wake: Wake) -> Callable[[], None]:
        """Call `wake` at every rise from now on; returns what ends that."""
        with self._registering:
            self._wakes = (*self._wakes, wake)

        def unregister() -> None:
            with self._registering:
                self._wakes = tuple(known for known in self._wakes if known is not wake)

        return unregister

    def raise_to(self, level: int, reason: str = "", limit_s: float | None = None) -> None:
        """Stop at least this urgently. With `limit_s`, what still runs after so many seconds is terminated (see `due_in`)."""
        if limit_s is not None and self._until is None:
            self._until = self._clock.now() + limit_s
        if level <= self._level:
            return
        self._level = min(level, KILL)
        self.reason = reason or self.reason
        self.notify()
        for wake in self._wakes:
            wake()

    # ------------------------------------------------------------ waiting for what has no pipe of its own

    def wait(self, timeout_s: float | None) -> None:
        """Wait until somebody calls `notify`, or has done so since this thread's last wait; at most `timeout_s` seconds."""
        with self._bell:
            if self._rings == getattr(self._heard, "rings", 0):
                self._bell.wait(timeout_s)
            self._heard.rings = self._rings

    def notify(self) -> None:
        """Wake all that wait; from any thread, also from a signal handler."""
        with self._bell:
            self._rings += 1
            self._bell.notify_all()

    # ------------------------------------------------------------ the time limit of draining

    def due_in(self) -> float | None:
        """Seconds until the time limit of the draining, None without one. The runner's loop asks, and calls `escalate`."""
        if self._until is None or self._level >= TERMINATE:
            return None
        return max(0.0, self._until - self._clock.now())

    def escalate(self) -> None:
        """Terminate what runs if the time limit of the draining is over."""
        if self.due_in() == 0.0:
            self.raise_to(TERMINATE, f"{self.reason}: time is up")

    def prolong(self, limit_s: float) -> None:
        """Begin the time limit anew, if there is one (cleanup steps get their own)."""
        if self._until is not None:
            self._until = self._clock.now() + limit_s


class Shield(Control):
    """The control of cleanup steps: what had been asked for before they began, and draining, do not touch them.

    A further request to terminate or kill does. It follows `above`; raising it raises `above`.
    """

    def __init__(self, above: Control, clock: Clock) -> None:
        super().__init__(clock)
        self._above = above
        self._ignored = max(DRAIN, above.level)

    @property
    def level(self) -> int:
        level = self._above.level
        return level if level > self._ignored else GO

    def register(self, wake: Wake) -> Callable[[], None]:
        return self._above.register(wake)

    def raise_to(self, level: int, reason: str = "", limit_s: float | None = None) -> None:
        self._above.raise_to(level, reason, limit_s)

    def wait(self, timeout_s: float | None) -> None:
        self._above.wait(timeout_s)

    def notify(self) -> None:
        self._above.notify()
