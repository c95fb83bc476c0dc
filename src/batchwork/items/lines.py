"""Items that are the lines of texts: `{from: lines, path}`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from batchwork.items.files.encodings import UTF8, Encoding, check_encoding
from batchwork.items.files.file_items import FileItems
from batchwork.items.files.places import Paths
from batchwork.items.files.streams import by_lines, by_nul, numbered
from batchwork.items.packages import lacking_for
from batchwork.ports import FieldFault, ItemSource, Rows, SourceType
from batchwork.text.jsontext import Json


class LinesSource(SourceType):
    """The lines of text files, without empty ones."""

    name = "lines"

    class Fields(Struct, frozen=True):
        """Which files, and where in them an item ends."""

        path: Paths
        separator: Annotated[
            Literal["line", "nul"],
            Meta(description="where an item ends: at line ends, or at NUL bytes as after `-print0`"),
        ] = "line"
        encoding: Encoding = UTF8

    def check(self, constants: Mapping[str, Json], written: Collection[str]) -> Iterable[FieldFault]:
        yield from check_encoding(constants.get("encoding"))
        yield from lacking_for(constants.get("path"))

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        read = by_nul if fields.separator == "nul" else by_lines(read_lines)
        return FileItems(fields.path, cwd, read, fields.encoding)


def read_lines(name: str, lines: bytes, number: int) -> Rows:
    """Each line that is not empty, as text. Bytes that are not UTF-8 are kept (as lone surrogates): file names may have them."""
    text = lines.decode("utf-8", "surrogateescape")
    found = text.removesuffix("\n").split("\n")
    if "\r" in text:
        found = [line.removesuffix("\r") for line in found]
    return numbered(name, [*filter(None, found)], [*map(bool, found)], number)
