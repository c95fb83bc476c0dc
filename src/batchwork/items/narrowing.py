"""What may stand beside the fields of any source: `filter`, `skip` and `limit`. Which source they narrow is not known here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from batchwork.errors import RenderError
from batchwork.items.base import digest, part_of, without_first
from batchwork.ports import BadRow, ItemSource, Reading, Row, Rows
from batchwork.ports.conditions import Condition
from batchwork.text.jsontext import Json, encode
from batchwork.text.wording import short


class Narrowing(Struct, frozen=True):
    """What narrows one source. `mark` changes when `keep` may; empty where that is not known.

    `condition` is what can be said of `keep` without calling it.
    """

    keep: Callable[[Json], object] | None = None
    mark: str = ""
    skip: int = 0
    limit: int | None = None
    condition: Condition | None = None


@runtime_checkable
class Sifting(Protocol):
    """A source that can leave out items before they are read whole."""

    def sifted(self, condition: Condition, size: int) -> Iterator[Sequence[Row]]:
        """As `pages` from the start, without items that the condition surely does not take. The others keep their places."""
        ...


class NarrowedItems:
    """The items of a source that `keep` takes, from one place to another. An item that it fails on is a bad row."""

    def __init__(self, source: ItemSource, narrowing: Narrowing) -> None:
        self._source, self._how = source, narrowing
        self.may_block = source.may_block or narrowing.keep is not None  # many may be read for one that is taken

    def reading(self) -> Reading:
        known, how = self._source.reading(), self._how
        length = known.length
        if length is not None:
            length = min(max(0, length - how.skip), length if how.limit is None else how.limit)
        if how.keep is None:
            mark = f"{how.skip}:{how.limit}:{known.fingerprint}" if known.fingerprint else ""
            return Reading(mark, length, known.distinct)
        mark = digest([known.fingerprint, how.mark, f"{how.skip}:{how.limit}"])
        return Reading(mark if known.fingerprint and how.mark else "", None, known.distinct)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        skip = self._how.skip + start
        left = None if self._how.limit is None else max(0, self._how.limit - start)
        if left == 0:
            return
        if self._how.keep is None:
            pages = self._source.pages(skip, size if left is None else min(size, left))
        else:
            pages = without_first(self._kept(self._how.keep, size), skip)
        for page in pages:
            if left is not None and len(page) >= left:
                yield page if len(page) == left else part_of(page, 0, left)
                return
            yield page
            left = None if left is None else left - len(page)

    def _kept(self, keep: Callable[[Json], object], size: int) -> Iterator[Sequence[Row]]:
        position = 0
        for page in self._candidates(size):
            yield from filter(len, _filtered(page, keep, position))
            position += len(page)

    def _candidates(self, size: int) -> Iterator[Sequence[Row]]:
        """The items that may be taken: all, where the source does not know how to leave some out."""
        if self._how.condition is None or not isinstance(self._source, Sifting):
            return self._source.pages(0, size)
        return self._source.sifted(self._how.condition, size)

    def close(self) -> None:
        self._source.close()


def _filtered(page: Sequence[Row], keep: Callable[[Json], object], position: int) -> Iterator[Sequence[Row]]:
    """What is taken of a page, in one page if none fails. Rows know where they stand afterwards, too."""
    kept = _Kept(page)
    for at, item in enumerate(page):
        fault = None if isinstance(item, BadRow) else _verdict(item, keep)
        if isinstance(fault, str):
            yield kept.rows
            yield [_bad(page, at, position, fault)]
            kept = _Kept(page)
        elif fault is None:
            kept.take(at)
    yield kept.rows


class _Kept:
    """What is taken of one page."""

    def __init__(self, page: Sequence[Row]) -> None:
        self._page = page
        self.rows: Rows | list[Row] = Rows() if isinstance(page, Rows) else []

    def take(self, at: int) -> None:
        if isinstance(self.rows, list):
            self.rows.append(self._page[at])
        elif isinstance(self._page, Rows):
            self.rows.add(self._page, at, at + 1)


def _verdict(item: Json, keep: Callable[[Json], object]) -> bool | str | None:
    """None where the item is taken, False where not, else what is wrong."""
    try:
        found = keep(item)
    except RenderError as error:
        return error.message
    if isinstance(found, bool):
        return None if found else False
    return f"it must give true or false, but gives {short(repr(found), 60)}"


def _bad(page: Sequence[Row], at: int, position: int, fault: str) -> BadRow:
    place = page.place(at) if isinstance(page, Rows) else f"filter:{position + at}"
    return BadRow(place, encode(page[at]), f"{place}: `filter` cannot tell whether to take it: {fault}")
