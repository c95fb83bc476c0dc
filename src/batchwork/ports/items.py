"""The seam of items: ItemSource and what it says of itself. No source is here, see batchwork.items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from batchwork.jsontext import Json


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a source stands: a fingerprint that changes when its content may have, and whether keys can repeat."""

    fingerprint: str
    length: int | None
    distinct: bool


class ItemSource(Protocol):
    """A stream of items, read once for each execution of its step."""

    def reading(self) -> Reading:
        """Raises SourceError where the source cannot be opened."""
        ...

    def pages(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        """The items from position `start` on, in pages of at most `size` (only the last may be shorter). Raises SourceError."""
        ...

    def close(self) -> None:
        """Ends a command that is still running, closes files."""
        ...
