"""What a later milestone adds: refused by name with a clear message, never ignored."""

from __future__ import annotations

from typing import Final

LATER_TASKS: Final = frozenset({"steps"})
LATER_SOURCES: Final[frozenset[str]] = frozenset()
