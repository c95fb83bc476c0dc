"""The seam of items: SourceType, which is named after `from:`, the ItemSource that it opens, and what that says of itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

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

    may_block: bool
    """Whether the next page may keep a reader waiting: then a thread reads ahead. `close` may come from another thread."""

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


class FieldFault(Struct, frozen=True):
    """One thing that is wrong with the fields of a source; `field` is the one to point at, "from" for the source itself."""

    field: str
    message: str
    hint: str = ""


class SourceType(Protocol):
    """A kind of item source, registered under the entry point group `batchwork.items`; the class has no state.

    `Fields` is a msgspec Struct: types, defaults and documentation of what may stand beside `from:`. `commands` are those
    that are shell commands: values in their templates are quoted. A class derived from this one need not write what has
    a default here.
    """

    name: ClassVar[str]
    Fields: ClassVar[type]
    commands: ClassVar[frozenset[str]] = frozenset()

    def check(self, constants: Mapping[str, Json], written: Collection[str]) -> Iterable[FieldFault]:
        """What is wrong beyond the types of fields. `written` are all names that were, `constants` the values known by now."""
        return ()

    def open(self, fields: Any, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        """The source, for a `Fields`. Nothing is read yet; `cwd` is absolute, `environ` is what commands get. Raises SourceError."""
        ...
