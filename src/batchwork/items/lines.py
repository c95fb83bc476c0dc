"""Items that are the lines of a text: `{from: lines, path}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from batchwork.items.files import FileItems
from batchwork.items.streams import numbered
from batchwork.ports import ItemSource, Rows, SourceType


class LinesSource(SourceType):
    """The lines of a text file, without empty ones."""

    name = "lines"

    class Fields(Struct, frozen=True):
        """Which file."""

        path: Annotated[str, Meta(description="the file; relative paths start where batchwork was started")]

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return FileItems(fields.path, cwd, read_lines)


def read_lines(name: str, lines: bytes, number: int) -> Rows:
    """Each line that is not empty, as text. Bytes that are not UTF-8 are kept (as lone surrogates): file names may have them."""
    text = lines.decode("utf-8", "surrogateescape")
    found = text.removesuffix("\n").split("\n")
    if "\r" in text:
        found = [line.removesuffix("\r") for line in found]
    return numbered(name, [*filter(None, found)], [*map(bool, found)], number)
