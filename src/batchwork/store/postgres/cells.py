"""Cells of the database to and from values: packed in the binary form of its protocol. No statement is known here.

PostgreSQL has no NUL in texts and no lone surrogates. A NUL is written as two characters that are read as one again; a
surrogate as an escape, as in all stores.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any, Final

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

ESCAPE, NUL = "\x1a", "\x1a0"
_ESCAPED = re.compile("\x1a(.)", re.DOTALL)
_NULL: Final = struct.pack(">i", -1)
_length = struct.Struct(">i").pack
_bigint = struct.Struct(">q").pack


class Cell(bytes):
    """A value in the form of the protocol."""

    __slots__ = ()


class Bigint(Cell):
    __slots__ = ()


class Text(Cell):
    __slots__ = ()


class Float8(Cell):
    __slots__ = ()


class Bigints(Cell):
    __slots__ = ()


class Texts(Cell):
    __slots__ = ()


class Byteas(Cell):
    __slots__ = ()


OIDS: Final[dict[type[Cell], int]] = {Bigint: 20, Text: 25, Float8: 701, Bigints: 1016, Texts: 1009, Byteas: 1001}


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer | None:
        return obj  # type: ignore[no-any-return]


def _dumper(kind: type[Cell], number: int) -> type[Dumper]:
    return type(f"{kind.__name__}Dumper", (_AsItIs,), {"oid": number})


class _TextLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return unescaped(str(data, "utf-8"))


_DUMPERS: Final = {kind: _dumper(kind, number) for kind, number in OIDS.items()}


def adapt(connection: Connection[Any]) -> None:
    """Let a connection take packed cells, and give texts as they were."""
    for kind, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(kind, dumper)
    for name in ("text", "varchar"):
        connection.adapters.register_loader(name, _TextLoader)


# ---------------------------------------------------------------- texts


def encoded(text: str) -> bytes:
    """A text as PostgreSQL can hold it."""
    if ESCAPE in text or "\x00" in text:
        text = text.replace(ESCAPE, ESCAPE + ESCAPE).replace("\x00", NUL)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def unescaped(text: str) -> str:
    """The text that `encoded` was given, but for surrogates."""
    if ESCAPE not in text:
        return text
    return _ESCAPED.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    return "\x00" if match[1] == "0" else match[1]


# ---------------------------------------------------------------- to the wire


def _bigints(values: Sequence[int | None]) -> Bigints:
    try:
        count = len(values)
        body = struct.pack(f">{'iq' * count}", *chain.from_iterable(zip(repeat(8), values)))
    except struct.error:
        body = b"".join(_NULL if value is None else _length(8) + _bigint(value) for value in values)
    return Bigints(_head(20, len(values)) + body)


def _texts(values: Sequence[str | None]) -> Texts:
    return Texts(_head(25, len(values)) + _varying(None if value is None else encoded(value) for value in values))


def _byteas(values: Sequence[bytes | None]) -> Byteas:
    return Byteas(_head(17, len(values)) + _varying(values))


def _varying(values: Any) -> bytes:
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (_length(len(value)), value)
    return b"".join(parts)


def _head(element: int, count: int) -> bytes:
    """Of an array with one dimension, which may hold nulls."""
    if not count:
        return struct.pack(">iii", 0, 0, element)
    return struct.pack(">iiiii", 1, 1, element, count, 1)


PACKERS: Final[dict[str, Callable[[Any], Cell]]] = {
    "bigint": lambda value: Bigint(_bigint(value)),
    "text": lambda value: Text(encoded(value)),
    "float8": lambda value: Float8(struct.pack(">d", value)),
    "bigint[]": _bigints,
    "text[]": _texts,
    "bytea[]": _byteas,
}
"""What makes a cell of a value, by the type that a statement says."""
