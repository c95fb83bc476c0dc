"""The records of CSV text: where each begins and what its fields are. What they mean (header, columns, types) is not here."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from typing import Final, NamedTuple

from batchwork.items.files.streams import LINE_BYTES_MAX

DELIMITERS: Final = (",", ";", "\t", "|")
"""Of which one is found, the first ones rather."""
_SAMPLE: Final = 200
"""So many records tell which delimiter it is, at most."""

UNFINISHED: Final = "a quotation mark opens here that is not closed"
_BEHIND_QUOTE: Final = (
    "there is text behind a closing quotation mark (inside of a field, a quotation mark is written twice)"
)


class Record(NamedTuple):
    """One record: the numbers of the line where it begins and of that behind it, what stands there, its fields, what is wrong."""

    number: int
    below: int
    text: str
    fields: Sequence[str]
    fault: str = ""


def plain_rows(text: str, delimiter: str) -> list[list[str]] | None:
    """The fields of each line. None where a record is more than its line, or something is wrong with one."""
    _allow_long_fields()
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error:
        return None
    return rows if len(rows) == reader.line_num else None


def each_record(text: str, number: int, delimiter: str) -> Iterator[Record]:
    """The records, blank ones too. The fault of the last one is UNFINISHED where it is not all there."""
    _allow_long_fields()
    lines = [*_lines(text)]
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begin = reader.line_num
        fields: Sequence[str] = ()
        fault = ""
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = _fault(str(error))
        end = reader.line_num
        text = lines[begin] if end == begin + 1 else "".join(lines[begin:end])
        yield Record(number + begin, number + end, text, fields, fault)


def found_delimiter(text: str) -> str:
    """The character that parts the fields: the one by which most records have as many as the first one; a comma where none does."""
    return max(DELIMITERS, key=lambda delimiter: _agreement(text, delimiter))


def _agreement(text: str, delimiter: str) -> tuple[float, int]:
    records = (record for record in each_record(text, 1, delimiter) if record.fields or record.fault)
    widths = [len(record.fields) for record in islice(records, _SAMPLE) if record.fault is not UNFINISHED]
    if not widths or widths[0] < 2:
        return 0.0, 0
    return widths.count(widths[0]) / len(widths), widths[0]


def _lines(text: str) -> StringIO:
    return StringIO(text, newline="")


def _fault(error: str) -> str:
    if error.startswith("unexpected end"):
        return UNFINISHED
    return _BEHIND_QUOTE if "expected after" in error else error


def _allow_long_fields() -> None:
    """Lines have a limit of their own; Python's is for all that reads CSV in this process, and is raised only."""
    if csv.field_size_limit() < LINE_BYTES_MAX:
        csv.field_size_limit(LINE_BYTES_MAX)
