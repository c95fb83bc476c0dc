"""Items that are paths of files and folders: `{from: glob, pattern, …}`. What patterns mean and how folders are walked is beside it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from batchwork.errors import SourceError
from batchwork.items.base import watched
from batchwork.items.globs.pattern import Exclusion, path_pattern
from batchwork.items.globs.walk import Wanted, found_paths, to_text
from batchwork.ports import FieldFault, ItemSource, Reading, Row, SourceType


class GlobSource(SourceType):
    """Paths of files and folders that match patterns."""

    name = "glob"

    class Fields(Struct, frozen=True):
        """The patterns, and what is left out."""

        pattern: Annotated[
            str | list[str],
            Meta(description="one pattern or a list; `*`, `?`, `[a-z]`, and `**` for any folders between"),
        ]
        sort: Annotated[bool, Meta(description="in the order of the paths' bytes; false: as the folders have them")] = (
            True
        )
        type: Annotated[
            Literal["file", "dir"] | None,
            Meta(description="only files, or only folders; links count as what they lead to"),
        ] = None
        exclude: Annotated[
            str | list[str],
            Meta(
                description="patterns of what is left out, folders with all that is in them; without a slash they are for names"
            ),
        ] = []
        hidden: Annotated[bool, Meta(description="whether wildcards match names that begin with a dot")] = False

    def check(self, constants: Mapping[str, Any], written: Collection[str]) -> Iterator[FieldFault]:
        """Patterns are not empty."""
        for field in ("pattern", "exclude"):
            for text in _several(constants.get(field, [])):
                if not text or "\0" in text:
                    yield FieldFault(field, f"`{field}` of `from: glob` holds {text!r}, which is no pattern")
                elif text.startswith("~"):
                    hint = "write `{{ env.HOME }}/…`, or `./~…` for a name that begins so"
                    yield FieldFault(field, f"`{text}`: `~` does not stand for a home folder here", hint)

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return _Paths(fields, cwd)


def _several(patterns: str | list[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else patterns


class _Paths:
    """The paths, found anew for each reading: what is there is not known beforehand."""

    may_block = True

    def __init__(self, fields: GlobSource.Fields, cwd: str) -> None:
        self._patterns = [path_pattern(text) for text in _several(fields.pattern)]
        exclusion = Exclusion(_several(fields.exclude))
        self._wanted = Wanted(fields.type, exclusion, fields.hidden, fields.sort)
        self._cwd = os.fsencode(cwd)
        self._closed = False

    def reading(self) -> Reading:
        return Reading("", None, distinct=True)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched("items", self._cut(start, size))

    def _cut(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        try:
            paths = islice(map(to_text, found_paths(self._patterns, self._wanted, self._cwd)), start, None)
            while page := [*islice(paths, size)]:
                if self._closed:
                    raise SourceError("items: the search for paths was stopped")
                yield page
        except UnicodeEncodeError as error:
            raise SourceError(f"items: a pattern holds {error.object[error.start]!r}, which no path can") from error

    def close(self) -> None:
        """From any thread: the search ends with the next page."""
        self._closed = True
