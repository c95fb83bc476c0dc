"""The time of a Python worker before its first call: how long it may take to be ready, what it prints then, why it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from batchwork.errors import WorkerError

SETUP_S = 600.0
"""How long it may take to prepare a worker, where nothing is said."""

LostSince: TypeAlias = Callable[[float], float]
"""Seconds that this process stood still since a time, which count for no one."""


class Preparation:
    """What is known of a worker's preparation. `failure` is why it failed, `again` whether another worker's may not."""

    def __init__(self, began: float = 0.0, limit_s: float = SETUP_S) -> None:
        self._began, self.limit_s = began, limit_s
        self.done = False
        self.failure: WorkerError | None = None
        self.again = False
        self._printed = ""

    def left(self, now: float, lost_since: LostSince) -> float:
        """Seconds that it may still take."""
        return self._began + self.limit_s + lost_since(self._began) - now

    def succeeded(self, printed: str) -> None:
        self.done, self._printed = True, printed

    def failed(self, why: WorkerError, *, again: bool) -> None:
        self.failure, self.again = why, again

    def take_printed(self) -> str:
        """What was printed meanwhile, once."""
        printed, self._printed = self._printed, ""
        return printed
