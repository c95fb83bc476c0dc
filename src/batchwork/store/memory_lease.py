"""Leases of the store in memory. Nothing is locked on disk."""

from __future__ import annotations

from collections.abc import Callable


class MemoryLease:
    """Ownership of a run among the threads that share this store."""

    def __init__(self, forget: Callable[[], None]) -> None:
        self._forget = forget

    def release(self) -> None:
        """Give the run up. The second time does nothing."""
        self._forget()
        self._forget = lambda: None
