"""The seam of items: SourceType, which is named after `from:`, the ItemSource that it opens, and what these say and give."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Protocol, TypeAlias, overload

from msgspec import Meta, Struct

from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import Texts


class Reading(Struct, frozen=True):
    """Where a source stands: a fingerprint that changes when its content may have, and whether keys can repeat.

    An empty fingerprint means that nothing is known beforehand (a command): it never matches, not even itself. Files are
    looked at each time, so that asking again after the end tells whether one changed while it was read.
    """

    fingerprint: str
    length: int | None
    distinct: bool


class BadRow(Struct, frozen=True):
    """What stands for an item that cannot be read. `key` says where it is (`FILE:LINE`), `text` what stands there."""

    key: str
    text: str
    message: str
    hint: str = ""


Row: TypeAlias = "Json | BadRow"


def any_bad(rows: Sequence[Row]) -> bool:
    """Whether one of them cannot be read."""
    return not isinstance(rows, range | Texts) and BadRow in set(map(type, rows))


class Rows(Sequence["Row"]):
    """Items in a row that know on which lines of which file they stand, so that one of which something is missing can be found.

    `lines` are offsets with the line of the item there in `name`, from which on each item stands one line below the last.
    """

    def __init__(self, name: str = "", items: Iterable[Row] = (), lines: Sequence[tuple[int, int]] = ()) -> None:
        self.items: list[Row] | Texts = items if isinstance(items, Texts) else list(items)
        self._lines = [(offset, line, name) for offset, line in lines]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        return self.items[at]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.items)

    def add(self, rows: Rows, start: int, stop: int) -> None:
        """Append a part of other rows of the same source."""
        if start >= stop:
            return
        here = len(self)
        at = bisect_right(rows._lines, start, key=_offset) - 1
        offset, line, name = rows._lines[at]
        self._lines.append((here, line + start - offset, name))
        for offset, line, name in rows._lines[at + 1 :]:
            if offset >= stop:
                break
            self._lines.append((here + offset - start, line, name))
        part = rows.items[start:stop]
        if not here:
            self.items = part
        elif isinstance(self.items, Texts) and isinstance(part, Texts):
            self.items.texts += part.texts
        else:
            self.items = [*self.items] if isinstance(self.items, Texts) else self.items
            self.items += part

    def place(self, at: int) -> str:
        """Where the item at an offset stands: `FILE:LINE`."""
        offset, line, name = self._lines[bisect_right(self._lines, at, key=_offset) - 1]
        return f"{name}:{line + at - offset}"


def _offset(entry: tuple[int, int, str]) -> int:
    return entry[0]


class ItemSource(Protocol):
    """A stream of items, read once for each execution of its step."""

    may_block: bool
    """Whether the next page may keep a reader waiting: then a thread reads ahead. `close` may come from another thread."""

    def reading(self) -> Reading:
        """Raises SourceError where the source cannot be opened."""
        ...

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        """The items from position `start` on, in pages of 1 to `size` of them. Raises SourceError.

        Pages may be short where items are large, or where a command has no more to give for now. A BadRow stands in the
        place of an item that cannot be read; pages that are `Rows` say where their items stand.
        """
        ...

    def close(self) -> None:
        """Ends a command that is still running, closes files."""
        ...


class FieldFault(Struct, frozen=True):
    """One thing that is wrong with the fields of a source; `field` is the one to point at, "from" for the source itself."""

    field: str
    message: str
    hint: str = ""


WORKFLOW_DIR: Final = "BATCHWORK_WORKFLOW_DIR"
"""In the environment that sources are opened with: the folder of the workflow's file."""


class NarrowingFields(Struct, frozen=True):
    """Fields of every source, which the engine applies: `filter` first, then `skip`, then `limit`."""

    filter: Annotated[
        str | None, Meta(description="a template that gives true for the items to take, with `item` in scope")
    ] = None
    skip: Annotated[int, Meta(description="so many of these are left out at the start")] = 0
    limit: Annotated[int | None, Meta(description="no more items than that")] = None


class SourceType(Protocol):
    """A kind of item source, registered under the entry point group `batchwork.items`; the class has no state.

    `Fields` is a msgspec Struct: types, defaults and documentation of what may stand beside `from:`. `commands` are those
    that are shell commands: values in their templates are quoted. A class derived from this one need not write what has
    a default here.
    """

    name: ClassVar[str]
    Fields: ClassVar[type]
    commands: ClassVar[frozenset[str]] = frozenset()
    nested: ClassVar[str] = ""
    """The field whose values are items themselves, by name: `open` gets an ItemSource for each."""
    literal: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no templates, because a value in their text could be taken for code."""
    further: ClassVar[str] = ""
    """The field, a mapping, that takes what is written beside the declared fields; without one, that is refused."""
    may_preview: ClassVar[bool] = True
    """Whether a plan may read the first items, because nobody notices: no code is run, no server is asked."""

    def check(self, constants: Mapping[str, Json], written: Collection[str]) -> Iterable[FieldFault]:
        """What is wrong beyond the types of fields. `written` are all names that were, `constants` the values known by now."""
        return ()

    def open(self, fields: Any, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        """The source, for a `Fields`. Nothing is read yet; `cwd` is absolute, `environ` is what commands get. Raises SourceError."""
        ...
