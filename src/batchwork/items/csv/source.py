"""Items that are the rows of CSV files: `{from: csv, path}`; CSV text as a format, for commands too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from batchwork.items.base import Chunk
from batchwork.items.csv.columns import Columns, Kind, Shape, columns_of
from batchwork.items.csv.records import UNFINISHED, Record, each_record, found_delimiter, plain_rows
from batchwork.items.files.encodings import UTF8, Encoding, check_encoding, undecodable
from batchwork.items.files.file_items import FileItems
from batchwork.items.files.places import Paths
from batchwork.items.files.streams import LINE_BYTES_MAX, Blocks, Format, standing, too_long, whole_lines
from batchwork.items.packages import lacking_for
from batchwork.ports import BadRow, FieldFault, ItemSource, Row, Rows, SourceType, any_bad
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import written_all
from batchwork.text.wording import plural

TEXT_MOST = 65_536
"""So much of a record that does not end is kept as the value of its bad row."""


class CsvSource(SourceType):
    """The rows of CSV files, each a mapping by the header."""

    name = "csv"

    class Fields(Struct, frozen=True):
        """Which files, and how their rows are read."""

        path: Paths
        delimiter: Annotated[
            str | None, Meta(description="between two fields; else found: comma, semicolon, tab or vertical bar")
        ] = None
        header: Annotated[bool, Meta(description="whether the first row names the columns")] = True
        columns: Annotated[
            list[str] | None, Meta(description="the columns that are wanted; without a header, the names of all")
        ] = None
        types: Annotated[
            Literal["text", "infer"] | dict[str, Kind],
            Meta(
                description="what fields become: `text`, `infer`, or by column `text`, `integer`, `number`, `boolean`, `infer`"
            ),
        ] = "text"
        encoding: Encoding = UTF8
        null: Annotated[str | list[str], Meta(description="fields that mean null, such as `NA`")] = []

    def check(self, constants: Mapping[str, Json], written: Collection[str]) -> Iterable[FieldFault]:
        yield from check_encoding(constants.get("encoding"))
        yield from lacking_for(constants.get("path"))
        delimiter = constants.get("delimiter")
        if isinstance(delimiter, str) and (len(_tab(delimiter)) != 1 or delimiter in '"\r\n'):
            yield FieldFault("delimiter", "`delimiter` must be one character, and no quotation mark or line end")
        columns = constants.get("columns")
        if isinstance(columns, list) and (not columns or len({*map(str, columns)}) < len(columns)):
            yield FieldFault("columns", "`columns` must name at least one column, and none twice")

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        nulls = frozenset([fields.null] if isinstance(fields.null, str) else fields.null)
        shape = Shape(fields.header, fields.columns, fields.types, nulls, fields.encoding)
        read = csv_format(shape, None if fields.delimiter is None else _tab(fields.delimiter))
        return FileItems(fields.path, cwd, read, fields.encoding)


def csv_format(shape: Shape, delimiter: str | None = None) -> Format:
    """CSV text, whose delimiter is found where none is given."""

    def items_of(name: str, blocks: Blocks) -> Iterator[Chunk | None]:
        reader = _CsvText(name, shape, delimiter)
        for lines in whole_lines(name, blocks):
            if lines is None:
                yield None
            else:
                yield from reader.read(lines)
        yield from reader.end()

    return items_of


def _tab(delimiter: str) -> str:
    r"""A tab, which is hard to write in YAML, may be given as `\t` or by its name."""
    return "\t" if delimiter in {"\\t", "tab"} else delimiter


class _CsvText:
    """One CSV text, taken in pieces of whole lines."""

    def __init__(self, name: str, shape: Shape, delimiter: str | None) -> None:
        self._name, self._shape, self._delimiter = name, shape, delimiter
        self._columns: Columns | None = None
        self._number = 1
        self._waiting: list[str] = []  # a record that has not ended
        self._length = self._enough = 0

    def read(self, lines: bytes) -> Iterator[Chunk]:
        """The items whose records end with these lines."""
        self._waiting.append(lines.decode("utf-8", "surrogateescape"))
        self._length += len(lines)
        if self._length >= self._enough:  # a record that does not end is not looked at again with each block
            yield from self._taken(final=False)
        if self._length > LINE_BYTES_MAX:
            raise too_long(self._name, self._number)

    def end(self) -> Iterator[Chunk]:
        """The last item, where its record is not closed."""
        if self._waiting:
            yield from self._taken(final=True)

    def _taken(self, *, final: bool) -> Iterator[Chunk]:
        text, length = "".join(self._waiting), self._length
        self._waiting, self._length, self._enough = [], 0, 0
        if self._delimiter is None:
            self._delimiter = found_delimiter(text[:TEXT_MOST])
        if self._columns is None:
            text = self._without_header(text, final=final)
        if text and self._columns is not None:
            rows = self._at_once(text) or self._one_by_one(text, final=final)
            if rows:
                yield rows, length

    def _without_header(self, text: str, *, final: bool) -> str:
        """What comes behind the header, once that is all there."""
        assert self._delimiter is not None
        behind = 0
        for record in each_record(text, self._number, self._delimiter):
            if record.fault is UNFINISHED and not final:
                self._wait(text[behind:], record.number)
                return ""
            if record.fields or record.fault:
                self._columns = columns_of(record, self._shape, self._name)
                if not self._shape.header:
                    break
            behind += len(record.text)
            self._number = record.below
            if self._columns is not None:
                break
        return text[behind:]

    def _at_once(self, text: str) -> Rows | None:
        """The items where each line has one and none of them is unusual, else None."""
        assert self._delimiter is not None
        assert self._columns is not None
        rows = None if "\0" in text else plain_rows(text, self._delimiter)
        found = self._columns.texts(rows) if rows else None
        if found is None:
            return None
        first, self._number = self._number, self._number + len(found)
        return Rows(self._name, found, [(0, first)])

    def _one_by_one(self, text: str, *, final: bool) -> Rows:
        assert self._delimiter is not None
        items: list[Row] = []
        numbers: list[int] = []
        behind, number = 0, self._number
        for record in each_record(text, self._number, self._delimiter):
            if record.fault is UNFINISHED and not final:
                self._wait(text[behind:], record.number)
                break
            behind += len(record.text)
            number = record.below
            if record.fields or record.fault:
                items.append(self._item(record))
                numbers.append(record.number)
        else:
            self._number = number
        found = None if any_bad(items) else written_all(items)  # type: ignore[arg-type]  # no row is bad
        return Rows(self._name, items if found is None else found, standing(numbers))

    def _wait(self, text: str, number: int) -> None:
        """A record that begins here has not ended yet."""
        self._waiting, self._number = [text], number
        self._length = len(text)
        self._enough = 2 * self._length

    def _item(self, record: Record) -> Row:
        assert self._columns is not None
        at = f"{self._name}:{record.number}"
        wrong = undecodable(record.text, self._shape.encoding)
        if wrong is None:
            try:
                return self._columns.value(record)
            except ValueError as error:
                wrong = str(error), ""
        message, hint = wrong
        if record.fault is UNFINISHED:
            lines = record.below - record.number
            message += f"; {plural(lines, 'line')} from here to the end of the file are one field"
        return BadRow(at, record.text.rstrip("\r\n")[:TEXT_MOST], f"{at}: {message}", hint)


DEFAULT = csv_format(Shape())
"""CSV with a header, texts as they are."""
