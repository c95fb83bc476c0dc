"""Tables as texts: CSV as RFC 4180 has it, JSON Lines, one JSON list. Parquet is not here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from batchwork.export.layout import Layout
from batchwork.export.pages import Page
from batchwork.text.jsontext import Json, encode, wash


class CsvWriter:
    """Comma-separated values: texts quoted where they must be, nothing for what is not there, `""` for an empty text."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def begin(self, layout: Layout, sample: Page) -> None:
        self._layout = layout
        self._write([",".join(map(cell, layout.names))])

    def write(self, page: Page) -> None:
        columns = self._layout.columns(page)
        self._write(map(",".join, zip(*map(cells, columns), strict=True)))

    def end(self) -> None:
        pass

    def abandon(self) -> None:
        pass

    def _write(self, lines: Iterable[str]) -> None:
        self._file.write("".join(f"{line}\r\n" for line in lines).encode())


def cells(column: Sequence[Json]) -> Sequence[str]:
    """The values of a column as they stand between commas. Most columns have one type, and need no look at each value."""
    kinds = set(map(type, column))
    if kinds == {int}:
        return list(map(int.__repr__, column))
    if kinds == {float}:
        return list(map(float.__repr__, column))
    if kinds == {str} and "" not in column and "".join(column).isalnum():  # type: ignore[arg-type]
        return column  # type: ignore[return-value]
    return list(map(cell, column))


def cell(value: Json) -> str:
    """A value as it stands between commas: lists and mappings as JSON."""
    if value is None:
        return ""
    text = value_as_text(value)
    if text.isalnum() or not _must_be_quoted(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _must_be_quoted(text: str) -> bool:
    return text == "" or text != text.strip() or any(mark in text for mark in ',"\n\r')


def value_as_text(value: Json) -> str:
    """A text as it is, anything else as JSON; storable as UTF-8."""
    if isinstance(value, str):
        return wash(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    return encode(value)


class JsonLinesWriter:
    """A JSON object in each line."""

    between, first, last = "\n", "", "\n"

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._any = False

    def begin(self, layout: Layout, sample: Page) -> None:
        self._layout = layout

    def write(self, page: Page) -> None:
        self._file.write("".join(self._lines(page)).encode())

    def end(self) -> None:
        if self._any:
            self._file.write(self.last.encode())

    def abandon(self) -> None:
        pass

    def _lines(self, page: Page) -> Iterator[str]:
        for row in self._layout.objects(page):
            yield self.between if self._any else self.first
            self._any = True
            yield encode(row)


class JsonWriter(JsonLinesWriter):
    """One JSON list of objects, each in a line of its own."""

    between, first, last = ",\n", "[\n", "\n]\n"

    def end(self) -> None:
        super().end()
        if not self._any:
            self._file.write(b"[]\n")
