"""Cutting a stream of bytes into lines, and lines into items: texts (`lines`) or JSON values (`jsonl`). Nothing is opened here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from batchwork.errors import SourceError
from batchwork.items.base import Part
from batchwork.text.jsontext import Json

BLOCK_BYTES = 256 * 1024
BLOCK_BYTES_LEAST = 512
BYTES_AN_ITEM = 64
"""What an item is thought to take when reading may not run ahead."""
LINE_BYTES_MAX = 64 * 1024 * 1024
"""A longer line is an error: one item must not take the memory of all."""

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Format: TypeAlias = Callable[[str, bytes, int], list[Json]]
"""(what is read, whole lines, the number of the first of them from 1) → their items. Raises SourceError naming the line."""


def block_bytes(size: int) -> int:
    """How much to read at once for pages of `size` items: with small ones little, because what was read has left its source."""
    return max(BLOCK_BYTES_LEAST, min(BLOCK_BYTES, size * BYTES_AN_ITEM))


def items_of(name: str, blocks: Iterable[bytes | None], read: Format) -> Iterator[Part | None]:
    """The items in a stream of bytes. None, which means that nothing more is there for now, is passed on."""
    number = 1
    for lines in _whole_lines(name, blocks):
        if lines is None:
            yield None
            continue
        yield read(name, lines, number), len(lines)
        number += lines.count(b"\n")


def read_lines(name: str, lines: bytes, number: int) -> list[Json]:
    """Each line that is not empty, as text. Bytes that are not UTF-8 are kept (as lone surrogates): file names may have them."""
    text = lines.decode("utf-8", "surrogateescape")
    if "\r" in text:
        return [line for each in text.split("\n") if (line := each.removesuffix("\r"))]
    return [*filter(None, text.split("\n"))]


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
    return repr(line if len(line) <= 40 else line[:39] + "…")


def _whole_lines(name: str, blocks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """The bytes again, cut at line ends only, without a byte order mark at the start."""
    waiting: list[bytes] = []  # pieces of a line that has not ended
    length = number = 0
    first = True
    for block in blocks:
        if not block:
            yield None
            continue
        if first:
            block, first = _without_mark(name, b"".join(waiting) + block), False  # noqa: PLW2901
            waiting, length = [], 0
            if len(block) < len(_BOM) and _BOM.startswith(block):
                first = True  # a mark may have come in pieces
        end = block.rfind(b"\n") + 1
        if end:
            lines = b"".join([*waiting, block[:end]])
            waiting, length = [block[end:]], len(block) - end
            number += lines.count(b"\n")
            yield lines
        else:
            waiting.append(block)
            length += len(block)
        if length > LINE_BYTES_MAX:
            raise SourceError(
                f"{name}:{number + 1}: the line is longer than {LINE_BYTES_MAX >> 20} MiB",
                "items are lines; does the file have line ends? One large value can be given by its path instead",
            )
    if length and (rest := b"".join(waiting)) != _BOM:
        yield rest


def _without_mark(name: str, block: bytes) -> bytes:
    if block.startswith(_UTF16):
        raise SourceError(
            f"{name}: this is UTF-16, not UTF-8", "convert it, for example with `iconv -f UTF-16 -t UTF-8`"
        )
    return block.removeprefix(_BOM)
