"""Items that are every combination of the items of others: `{from: product, of: {NAME: items, …}}`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Annotated, Any

from msgspec import Meta, Struct

from batchwork.items.base import watched, without_first
from batchwork.items.combined.kept import Kept
from batchwork.items.combined.parts import close_all, reading_of
from batchwork.ports import BadRow, ItemSource, Reading, Row, SourceType
from batchwork.text.jsontext import Json


class ProductSource(SourceType):
    """Every combination of the items of several sources, as mappings; the last name turns fastest."""

    name = "product"
    nested = "of"

    class Fields(Struct, frozen=True):
        """The sources by name."""

        of: Annotated[
            dict[str, Any],
            Meta(
                description="a name for each source, and what it is: whatever `items` may be. The first one is streamed"
            ),
        ]

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return _Combinations(fields.of)


class _Combinations:
    """The first source is read as the combinations are taken; the others are read once, before, and kept."""

    def __init__(self, parts: Mapping[str, ItemSource]) -> None:
        self._parts = dict(parts)
        self._kept: list[Kept] = []
        self.may_block = any(part.may_block for part in self._parts.values())

    def reading(self) -> Reading:
        return reading_of("product", self._parts, _times)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched("items", without_first(self._pages(size), start))

    def _pages(self, size: int) -> Iterator[Sequence[Row]]:
        first, *others = self._parts.values()
        self._kept = kept = [Kept(part) for part in others]
        rows = itertools.chain(*(part.bad for part in kept))
        yield from _cut(rows, size)
        names = tuple(self._parts)
        for page in first.pages(0, size):
            yield from _cut(_combined(page, names, kept), size)

    def close(self) -> None:
        """From any thread."""
        close_all(self._parts.values())
        for kept in self._kept:
            kept.close()


def _times(lengths: Sequence[int]) -> int:
    return prod(lengths)


def _combined(page: Iterable[Row], names: Sequence[str], kept: Sequence[Kept]) -> Iterator[Row]:
    """The combinations of a page's items with all others. A row that cannot be read stands for all of its combinations."""
    for value in page:
        if isinstance(value, BadRow):
            yield value
            continue
        for others in _all_of(kept):
            yield dict(zip(names, (value, *others), strict=True))


def _all_of(kept: Sequence[Kept]) -> Iterator[tuple[Json, ...]]:
    if all(part.is_in_memory for part in kept):
        yield from itertools.product(*(part.first for part in kept))
        return
    for value in kept[0]:
        for others in _all_of(kept[1:]):
            yield (value, *others)


def _cut(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    left = iter(rows)
    while page := [*itertools.islice(left, size)]:
        yield page
