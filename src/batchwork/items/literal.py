"""Items that are already there: a list as written or rendered, and lazy sequences such as the results of earlier steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from batchwork.errors import SourceError
from batchwork.items.base import digest, watched
from batchwork.ports import Reading, Row
from batchwork.text.jsontext import Json, encode


@runtime_checkable
class Sliceable(Protocol):
    """A sequence that is read page by page: it has a length, and a slice of it is a list (or something to iterate over).

    With an attribute `fingerprint` (a text that changes when the content may have) a resume can go on where it was.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Sequence[Json]: ...


class ListItems:
    """The elements of a list."""

    may_block = False

    def __init__(self, items: Sequence[Json]) -> None:
        self._items = items

    def reading(self) -> Reading:
        items = self._items
        try:
            content = digest(encode(items[at : at + 1000]) for at in range(0, len(items), 1000))
        except (TypeError, ValueError) as error:
            raise SourceError(f"items: an element is not JSON data: {error}") from error
        return Reading(f"list:{len(items)}:{content}", len(items), distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        items = self._items
        return watched("items", (items[at : at + size] for at in range(start, len(items), size)))

    def close(self) -> None:
        """Nothing is open."""


class SequenceItems:
    """The elements of a lazy sequence, of which one page at a time is in memory."""

    may_block = False

    def __init__(self, items: Sliceable) -> None:
        self._items = items

    def reading(self) -> Reading:
        mark = getattr(self._items, "fingerprint", "")
        length = len(self._items)
        return Reading(f"sequence:{length}:{mark}" if mark else "", length, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        items = self._items
        return watched("items", (list(items[at : at + size]) for at in range(start, len(items), size)))

    def close(self) -> None:
        """Nothing is open."""


def open_value(value: object) -> ListItems | SequenceItems:
    """The source for a rendered value: a list, or a sequence of results. Raises SourceError for anything else."""
    if isinstance(value, list):
        return ListItems(value)
    if isinstance(value, Sliceable) and not isinstance(value, str | bytes | dict):
        return SequenceItems(value)
    if isinstance(value, str):
        raise SourceError(
            f"{_EXPECTED} a text",
            "text is not split into items; write a list, `$(command)` or `{from: lines, path: …}`",
        )
    kind = _KINDS.get(type(value)) or f"{type(value).__name__} {value!r}"[:60]
    raise SourceError(f"{_EXPECTED} {kind}")


_EXPECTED: Final = "items: expected a list or a sequence of results, got"
_KINDS: Final[Mapping[type, str]] = {type(None): "null", dict: "a mapping", bool: "true or false"}
