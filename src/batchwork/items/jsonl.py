"""Items that are JSON values, one in each line: `{from: jsonl, path}`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeAlias

from msgspec import Struct

from batchwork.items.files.encodings import UTF8, Encoding, check_encoding, undecodable
from batchwork.items.files.file_items import FileItems
from batchwork.items.files.places import Paths
from batchwork.items.files.streams import by_lines, numbered
from batchwork.items.packages import lacking_for
from batchwork.ports import BadRow, FieldFault, ItemSource, Row, Rows, SourceType
from batchwork.text.json_numbers import finite, whole
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import is_deeper, read_all
from batchwork.text.wording import short

Scan: TypeAlias = Callable[[str, int], tuple[Json, int]]
"""(a text, where to begin) → the JSON value there, and where it ends. Raises StopIteration, ValueError, RecursionError."""

DEEPEST_ROW = 900
"""Lists and objects in each other in one row, at most. Python reads some 990, and fewer where much is underway already."""


class JsonlSource(SourceType):
    """The JSON values of files that have one in each line."""

    name = "jsonl"

    class Fields(Struct, frozen=True):
        """Which files."""

        path: Paths
        encoding: Encoding = UTF8

    def check(self, constants: Mapping[str, Json], written: Collection[str]) -> Iterable[FieldFault]:
        yield from check_encoding(constants.get("encoding"))
        yield from lacking_for(constants.get("path"))

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return FileItems(fields.path, cwd, by_lines(partial(read_jsonl, encoding=fields.encoding)), fields.encoding)


def read_jsonl(name: str, lines: bytes, number: int, encoding: str = UTF8) -> Rows:
    """The JSON value of each line that is not blank, or why it has none. `encoding` is what its file was read in, for people."""
    rows = _at_once(name, lines, number)
    return _one_by_one(name, lines, number, encoding) if rows is None else rows


def _at_once(name: str, lines: bytes, number: int) -> Rows | None:
    """The same where each line has a value and none of them is unusual, else None."""
    try:
        read = read_all(lines.decode().removesuffix("\n").split("\n"))
    except UnicodeDecodeError:
        return None
    return None if read is None else Rows(name, read, [(0, number)])


def _one_by_one(name: str, lines: bytes, number: int, encoding: str) -> Rows:
    texts, scan = _decoded(lines, encoding)
    items: list[Row] = []
    take = items.append
    numbered_texts = enumerate(texts)
    reading = True
    while reading:
        offset, line = 0, ""
        try:
            for offset, line in numbered_texts:  # noqa: B007 - the line of an error
                line = line.strip(" \t\r")  # noqa: PLW2901
                if not line:
                    continue
                value, end = scan(line, 0)
                if end != len(line):
                    raise ValueError(f"there is more after the JSON value: {line[end : end + 40].strip()!r}")
                take(_not_too_deep(value, line))
            reading = False
        except (StopIteration, ValueError, RecursionError) as error:
            at = f"{name}:{number + offset}"
            take(BadRow(at, line, f"{at}: {_reason(error, line)}", _hint(error)))
    there = [True] * len(texts) if len(items) == len(texts) else [not _is_blank(text) for text in texts]
    return numbered(name, items, there, number)


def _not_too_deep(value: Json, line: str) -> Json:
    """The value, unless it is so deep that it could be read, but not be written by whoever has less room on the stack."""
    if is_deeper(value, DEEPEST_ROW, line):
        raise RecursionError
    return value


def _decoded(lines: bytes, encoding: str) -> tuple[list[str], Scan]:
    """The lines as texts, and what reads a value of one."""
    scan = _scan_checked if _has_enormous(lines) else _scan
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        text = lines.decode("utf-8", "surrogateescape")
        return text.removesuffix("\n").split("\n"), _whole_text(scan, encoding)
    return text.removesuffix("\n").split("\n"), scan


def _whole_text(scan: Scan, encoding: str) -> Scan:
    """The scanner, for lines that may hold bytes that the encoding has not."""

    def scan_text(line: str, at: int) -> tuple[Json, int]:
        if (wrong := undecodable(line, encoding)) is not None:
            raise ValueError(wrong[0])
        return scan(line, at)

    return scan_text


def _is_blank(text: str) -> bool:
    return not text.strip(" \t\r")


def _reason(error: Exception, line: str) -> str:
    match error:
        case StopIteration():
            return f"not a JSON value: {_excerpt(line)}"
        case json.JSONDecodeError():
            return f"not JSON: {error.msg}, column {error.pos + 1}"
        case RecursionError():
            return f"nested too deeply: more than {DEEPEST_ROW} lists and objects in each other"
        case _:
            return str(error)


def _hint(error: Exception) -> str:
    return _JSONL_HINT if isinstance(error, StopIteration | json.JSONDecodeError) else ""


_JSONL_HINT = "each line must hold one JSON value; with plain text use `lines`"
_SHAPES = bytes.maketrans(b"123456789E", b"000000000e")
_ENORMOUS = (b"0e000", b"0e+000", b"0" * 300)  # may be a number that a float cannot hold, or that is not read


def _has_enormous(lines: bytes) -> bool:
    shapes = lines.translate(_SHAPES)  # ten times as fast as a regular expression
    return any(shape in shapes for shape in _ENORMOUS)


def _refuse_constant(word: str) -> Json:
    raise ValueError(f"{word} is not JSON")


_scan = json.JSONDecoder(parse_constant=_refuse_constant).scan_once  # type: ignore[attr-defined]
_scan_checked = json.JSONDecoder(  # type: ignore[attr-defined]
    parse_constant=_refuse_constant, parse_float=finite, parse_int=whole
).scan_once


def _excerpt(line: str) -> str:
    return repr(short(line, 40))
