"""Loads the SQL statements of queries/, one file each, and finds their parameters. Nothing is executed here.

A parameter is `$1::type`, or `:name` for those that are given by name; the driver is given all of them as `$1`, `$2` …
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from msgspec import Struct

from batchwork.store.postgres.cells import PACKERS
from batchwork.text.patterns import pattern

_FOLDER = os.path.join(os.path.dirname(__file__), "queries")
_PARAMETER = pattern(r"(?<![:\w])[$:](\w+)(?:::(\w+(?:\[\])?))?")
_NAMED: Final = {"after": "bigint", "place": "bigint", "size": "bigint", "code": "bigint", "key": "text"}
_NUMBERS: Final = frozenset({"ended_ms", "started_ms", "duration_ms", "stale"})
"""Columns that are changed one by one and hold no text."""


class Statement(Struct, frozen=True):
    """A statement as the driver takes it, and where each of its parameters comes from: (place or name, type)."""

    text: str
    parameters: tuple[tuple[int | str, str], ...]

    def bound(self, cells: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """The parameters, packed for the wire."""
        packed = []
        for source, kind in self.parameters:
            value = cells[source]  # type: ignore[index]
            packed.append(None if value is None else PACKERS[kind](value))
        return packed


def statement(name: str, **parts: int | str) -> Statement:
    """The statement queries/NAME.sql with `{part}` replaced.

    Parts are numbers and words of this package (columns, filters), never values from outside.
    """
    return _statement(name, tuple(sorted(parts.items())))


@cache
def _file(name: str) -> str:
    with open(os.path.join(_FOLDER, f"{name}.sql"), encoding="utf-8") as file:
        text = file.read()
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _statement(name: str, parts: tuple[tuple[str, int | str], ...]) -> Statement:
    if not parts:
        return _plain(name)
    words = dict(parts)
    if "column" in words:
        words["type"] = "bigint" if words["column"] in _NUMBERS else "text"
    return _parsed(_file(name).format(**words))


@cache
def _plain(name: str) -> Statement:
    return _parsed(_file(name))


def _parsed(text: str) -> Statement:
    kinds: dict[str, str] = {}
    for word, kind in _PARAMETER.findall(text):
        kinds[word] = kinds.get(word) or kind or _NAMED[word]
    numbers = {word: number for number, word in enumerate(kinds, start=1)}

    def numbered(match: re.Match[str]) -> str:
        return f"${numbers[match[1]]}::{kinds[match[1]]}"

    sources = (int(word) - 1 if word.isdecimal() else word for word in kinds)
    return Statement(_PARAMETER.sub(numbered, text), tuple(zip(sources, kinds.values(), strict=True)))
