"""Items that are the items of several sources side by side: `{from: zip, of: {NAME: items, …}}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from batchwork.errors import SourceError
from batchwork.items.base import watched, without_first
from batchwork.items.combined.parts import close_all, reading_of
from batchwork.ports import BadRow, ItemSource, Reading, Row, SourceType
from batchwork.text.spelling import listing
from batchwork.text.wording import number, plural


class ZipSource(SourceType):
    """The items of several sources side by side, as mappings; all must have the same number of items."""

    name = "zip"
    nested = "of"

    class Fields(Struct, frozen=True):
        """The sources by name."""

        of: Annotated[
            dict[str, Any], Meta(description="a name for each source, and what it is: whatever `items` may be")
        ]

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return _SideBySide(fields.of)


class _SideBySide:
    """All sources are streamed together."""

    def __init__(self, parts: Mapping[str, ItemSource]) -> None:
        self._parts = dict(parts)
        self.may_block = any(part.may_block for part in self._parts.values())

    def reading(self) -> Reading:
        """What there is beforehand. Where all lengths are known, sources that do not fit are refused at once."""
        return reading_of("zip", self._parts, self._common)

    def _common(self, lengths: Sequence[int]) -> int:
        if len({*lengths}) > 1:
            shown = [f"`{name}` has {number(length)}" for name, length in zip(self._parts, lengths, strict=True)]
            raise SourceError(f"items: `zip` takes items side by side, but {', '.join(shown)}", _HINT)
        return lengths[0]

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched("items", without_first(self._pages(size), start))

    def _pages(self, size: int) -> Iterator[Sequence[Row]]:
        names = tuple(self._parts)
        columns = [_Column(part, size) for part in self._parts.values()]
        done = 0
        while count := self._ready(columns, done):
            yield [_row(names, values) for values in zip(*(column.take(count) for column in columns), strict=True)]
            done += count

    def _ready(self, columns: Sequence[_Column], done: int) -> int:
        """How many rows are there in all columns; 0 at the end. Raises SourceError where only some have ended."""
        ready = [column.ready() for column in columns]
        if not min(ready) and max(ready):
            short = [name for name, count in zip(self._parts, ready, strict=True) if not count]
            more = [name for name, count in zip(self._parts, ready, strict=True) if count]
            ends = f"{listing(short)} {'ends' if len(short) == 1 else 'end'} after {plural(done, 'item')}"
            have = f"{listing(more)} {'has' if len(more) == 1 else 'have'} more"
            raise SourceError(f"items: `zip` takes items side by side, but {ends} and {have}", _HINT)
        return min(ready)

    def close(self) -> None:
        """From any thread."""
        close_all(self._parts.values())


_HINT = "all must have the same number of items; every combination is `from: product`"


class _Column:
    """The items of one source that were read and not yet taken."""

    def __init__(self, source: ItemSource, size: int) -> None:
        self._pages = source.pages(0, size)
        self._page: Sequence[Row] = ()
        self._at = 0

    def ready(self) -> int:
        """How many can be taken; another page is read where there are none. 0 at the end."""
        if self._at == len(self._page):
            self._page, self._at = next(self._pages, ()), 0
        return len(self._page) - self._at

    def take(self, count: int) -> Sequence[Row]:
        self._at += count
        return self._page[self._at - count : self._at]


def _row(names: Sequence[str], values: Sequence[Row]) -> Row:
    """A mapping; a row of one source that cannot be read stands for the whole."""
    for value in values:
        if isinstance(value, BadRow):
            return value
    return dict(zip(names, values, strict=True))  # type: ignore[arg-type]
