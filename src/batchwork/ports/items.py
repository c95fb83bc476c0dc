"""The seam of items: ItemSource and what it says of itself. No source is here, see batchwork.items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from batchwork.text.jsontext import Json


class Reading(Struct, frozen=True):
    """Where a source stands: a fingerprint that changes when its content may have, and whether keys can repeat.

    An empty fingerprint means that nothing is known beforehand (a command): it never matches, not even itself. Files are
    looked at each time, so that asking again after the end tells whether one changed while it was read.
    """

    fingerprint: str
    length: int | None
    distinct: bool


class ItemSource(Protocol):
    """A stream of items, read once for each execution of its step."""

    def reading(self) -> Reading:
        """Raises SourceError where the source cannot be opened."""
        ...

    def pages(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        """The items from position `start` on, in pages of 1 to `size` of them. Raises SourceError.

        Pages may be short where items are large, or where a command has no more to give for now.
        """
        ...

    def close(self) -> None:
        """Ends a command that is still running, closes files."""
        ...
