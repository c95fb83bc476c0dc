"""Rows as a table that a writer takes: columns are found in the first rows, the rest follows page by page. No format is here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO, Final, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from batchwork.errors import OutputError
from batchwork.export.layout import Layout, TableSpec, layout_of, page_of
from batchwork.export.pages import Page, Unfit, picked
from batchwork.export.rows import UnitRows, together
from batchwork.export.texts import CsvWriter, JsonLinesWriter, JsonWriter
from batchwork.model import FileFormat
from batchwork.plugins import lean_arrow
from batchwork.text.wording import short

_T = TypeVar("_T")

SAMPLE_RESULTS: Final = 1000
SAMPLE_ROWS: Final = 20_000
SAMPLE_CHARS: Final = 64_000_000
"""Columns are told by the first results: as many, unless there are so many rows, or so much text, before."""

Keep = Callable[[Page], list[int]]
"""The offsets of the rows of a page that are wanted."""


class Writer(Protocol):
    """One format. It sees the first page when it begins; that is written after that, like the others. Raises Unfit."""

    def begin(self, layout: Layout, sample: Page) -> None: ...

    def write(self, page: Page) -> None: ...

    def end(self) -> None:
        """All rows are there."""
        ...

    def abandon(self) -> None:
        """What was written is not wanted."""
        ...


class LaidOut(Struct, frozen=True):
    """A table whose columns are known: `sample` tells their types, `pages` gives all rows, those of the sample too, once."""

    layout: Layout
    sample: Page
    pages: Iterator[Page]


def laid_out(rows: Iterable[UnitRows], spec: TableSpec, keep: Keep | None = None) -> LaidOut:
    """Find the columns in the first rows. Raises OutputError, and so does what reads the pages."""
    left = iter(rows)
    first, rest = _sample(left)
    page = _page(first, spec)
    with_types = _naming(page.rows, lambda: layout_of(spec, page))
    pages = (_page(part, spec) for part in chain([first, rest], left) if len(part))
    if keep is not None:
        pages = (picked(page, keep(page)) for page in pages)
    return LaidOut(with_types, page, pages)


def write_rows(table: LaidOut, writer: Writer) -> None:
    """Write the whole table. Raises OutputError that names row and column."""
    try:
        _naming(table.sample.rows, lambda: writer.begin(table.layout, table.sample))
        for page in table.pages:
            if len(page.rows):
                _naming(page.rows, lambda page=page: writer.write(page))  # type: ignore[misc]
        writer.end()
    except BaseException:
        writer.abandon()
        raise


def load(shape: FileFormat) -> None:
    """Load what a format needs. Threads that are started later take less memory. Raises UsageError where it is missing."""
    if shape == "parquet":
        lean_arrow("pyarrow.parquet", "writing Parquet files")


def writer_of(shape: FileFormat, file: IO[bytes]) -> Writer:
    """What writes that format. Raises UsageError where a package is missing."""
    match shape:
        case "parquet":
            from batchwork.export.arrow import ParquetWriter

            return ParquetWriter(file)
        case "csv":
            return CsvWriter(file)
        case "jsonl":
            return JsonLinesWriter(file)
        case "json":
            return JsonWriter(file)


def spec_for(shape: str, spec: TableSpec) -> TableSpec:
    """The spec as a format wants it."""
    return replace(spec, objects=shape in ("json", "jsonl"))


def _page(rows: UnitRows, spec: TableSpec) -> Page:
    return _naming(rows, lambda: page_of(rows, spec))


def _naming(rows: UnitRows, do: Callable[[], _T]) -> _T:
    """What it gives. Raises OutputError that names the row where a value does not fit."""
    try:
        return do()
    except Unfit as error:
        index, key = rows.indexes[error.offset], short(rows.keys[error.offset], 60)
        raise OutputError(
            f"row {index + 1:d} (index {index}, key {key}), column `{error.column}`: {error.why}",
            error.hint
            or "columns and their types are those of the first 1,000 results; name what you want with `columns`, or write "
            "JSON Lines, which takes any value",
        ) from error


def _sample(left: Iterator[UnitRows]) -> tuple[UnitRows, UnitRows]:
    """The first rows, by which columns are told, and what was read beyond them."""
    parts, results, rows, chars = list[UnitRows](), 0, 0, 0
    for part in left:
        parts.append(part)
        for at, text in enumerate(part.results, 1):
            results += text is not None
            if results == SAMPLE_RESULTS:
                found = together(parts)
                return found.cut(0, rows + at), found.cut(rows + at, len(found))
        rows, chars = rows + len(part), chars + part.chars
        if rows >= SAMPLE_ROWS or chars >= SAMPLE_CHARS:
            break
    found = together(parts)
    return found, found.cut(0, 0)
