"""The stop level of a run, shared by its signals and its coordinators."""

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

    Raising is for signal handlers too. Every change of the level is one assignment, and the callbacks (which must be as
    careful) are kept in a tuple that is replaced and never changed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._level: int = GO
        self._wakes: tuple[Wake, ...] = ()
        self._registering = threading.Lock()
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
        for wake in self._wakes:
            wake()

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
        if level <= self._ignored:
            return GO
        return level

    def register(self, wake: Wake) -> Callable[[], None]:
        return self._above.register(wake)

    def raise_to(self, level: int, reason: str = "", limit_s: float | None = None) -> None:
        self._above.raise_to(level, reason, limit_s)
