"""Items that are JSON values, one in each line: `{from: jsonl, path}`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from batchwork.errors import SourceError
from batchwork.items.files import FileItems
from batchwork.ports import ItemSource, SourceType
from batchwork.text.jsontext import Json
from batchwork.text.wording import short


class JsonlSource(SourceType):
    """The JSON values of a file that has one in each line."""

    name = "jsonl"

    class Fields(Struct, frozen=True):
        """Which file."""

        path: Annotated[str, Meta(description="the file; relative paths start where batchwork was started")]

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return FileItems(fields.path, cwd, read_jsonl)


def read_jsonl(name: str, lines: bytes, number: int) -> list[Json]:
    """The JSON value of each line that is not blank."""
    items: list[Json] = []
    take = items.append
    offset, line = 0, ""
    try:
        text = lines.decode()
        scan = _scan_checked if _has_enormous(lines) else _scan
        for offset, line in enumerate(text.split("\n")):  # noqa: B007 - the line of an error
            line = line.strip(" \t\r")  # noqa: PLW2901
            if not line:
                continue
            value, end = scan(line, 0)
            if end != len(line):
                raise ValueError(f"there is more after the JSON value: {line[end : end + 40].strip()!r}")
            take(value)
    except UnicodeDecodeError as error:
        at = number + lines.count(b"\n", 0, error.start)
        raise SourceError(f"{name}:{at}: not UTF-8 (byte 0x{lines[error.start]:02x})") from None
    except StopIteration:
        raise SourceError(f"{name}:{number + offset}: not a JSON value: {_excerpt(line)}", _JSONL_HINT) from None
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{name}:{number + offset}: not JSON: {error.msg}, column {error.pos + 1}", _JSONL_HINT
        ) from None
    except RecursionError:
        raise SourceError(f"{name}:{number + offset}: nested too deeply") from None
    except ValueError as error:
        raise SourceError(f"{name}:{number + offset}: {error}") from None
    return items


_JSONL_HINT = "each line must hold one JSON value; with plain text use `lines`"
_SHAPES = bytes.maketrans(b"123456789E", b"000000000e")
_ENORMOUS = (b"0e000", b"0e+000", b"0" * 300)  # may be a number that a float cannot hold, or that is not read


def _has_enormous(lines: bytes) -> bool:
    shapes = lines.translate(_SHAPES)  # ten times as fast as a regular expression
    return any(shape in shapes for shape in _ENORMOUS)


def _refuse_constant(word: str) -> Json:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _whole(text: str) -> int:
    limit = sys.get_int_max_str_digits()
    if 0 < limit < len(text):
        raise ValueError(f"a number of {len(text):,} digits; more than {limit:,} must be quoted, as text")
    return int(text)


_scan = json.JSONDecoder(parse_constant=_refuse_constant).scan_once  # type: ignore[attr-defined]
_scan_checked = json.JSONDecoder(  # type: ignore[attr-defined]
    parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole
).scan_once


def _excerpt(line: str) -> str:
    return repr(short(line, 40))
