"""Readers: one node to one typed value, or a problem that says what was expected. Which field has which reader is in parse.py."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import TypeVar

from batchwork.errors import Problem
from batchwork.spec.written import Limit, Rate, Reader
from batchwork.spec.yaml.nodes import ListNode, MapNode, Node, ScalarNode, describe
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing, suggest

T = TypeVar("T")
L = TypeVar("L", bound=str)

_DURATION = pattern(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|sec|m|min|h|d)?\s*\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_RATE = pattern(r"\s*(\d[\d_]*)\s*(?:/|per)\s*(s|sec|second|m|min|minute|h|hour)\s*\Z")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PERCENT = pattern(r"\s*(\d+(?:\.\d*)?)\s*%\s*\Z")
_NAME = pattern(r"[^\W\d]\w*\Z")
_STEP_NAME = pattern(r"[^\W\d][\w-]*\Z")
_TEMPLATE_WORDS = frozenset({"true", "false", "none", "self", "loop"})

MAX_DURATION_S = 366 * 86400.0


def wrong(field: str, expected: str, node: Node, hint: str = "") -> Problem:
    """`field` must be something, but is something else."""
    return Problem(node.place, f"`{field}` must be {expected}, but it is {describe(node)}", hint)


def integer(field: str, low: int, high: int, expected: str = "") -> Reader[int]:
    what = expected or f"an integer, at least {low:,} and at most {high:,}"

    def read(node: Node, problems: list[Problem]) -> int | None:
        value = node.value if isinstance(node, ScalarNode) else None
        if type(value) is int and low <= value <= high:
            return value
        digits = isinstance(value, str) and value.strip().isdigit()
        problems.append(wrong(field, what, node, "a number is written without quotes" if digits else ""))
        return None

    return read


def number(field: str, low: float, high: float) -> Reader[float]:
    def read(node: Node, problems: list[Problem]) -> float | None:
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        problems.append(wrong(field, f"a number from {low:g} to {high:g}", node))
        return None

    return read


def boolean(field: str) -> Reader[bool]:
    def read(node: Node, problems: list[Problem]) -> bool | None:
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, bool):
            return value
        yes_no = isinstance(value, str) and value.lower() in {"yes", "no", "on", "off", "true", "false"}
        hint = "yes, no, on, off and quoted words are text" if yes_no else ""
        problems.append(wrong(field, "true or false", node, hint))
        return None

    return read


def text(field: str) -> Reader[str]:
    def read(node: Node, problems: list[Problem]) -> str | None:
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return node.value
        plain = isinstance(node, ScalarNode) and node.value is not None
        problems.append(wrong(field, "text", node, "put it into quotes" if plain else ""))
        return None

    return read


def written(field: str) -> Reader[str]:
    """Text, or a number as it was written: for what only people read."""

    def read(node: Node, problems: list[Problem]) -> str | None:
        if isinstance(node, ScalarNode):
            return node.text
        problems.append(wrong(field, "text", node))
        return None

    return read


def word(field: str, words: Sequence[L]) -> Reader[L]:
    def read(node: Node, problems: list[Problem]) -> L | None:
        value = node.value if isinstance(node, ScalarNode) else None
        for known in words:
            if value == known:
                return known
        hint = suggest(value, words) if isinstance(value, str) else ""
        problems.append(wrong(field, listing(words, last="or"), node, hint))
        return None

    return read


def duration(field: str, zero: bool = False) -> Reader[float]:
    """Seconds, or a text such as "100ms", "30s", "5m", "2h"."""

    def read(node: Node, problems: list[Problem]) -> float | None:
        value = node.value if isinstance(node, ScalarNode) else None
        seconds: float | None = None
        if isinstance(value, str) and (match := _DURATION.match(value)):
            seconds = float(match[1]) * _UNITS[match[2]]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = float(value)
        if seconds is not None and (seconds > 0 or (zero and seconds == 0)) and seconds <= MAX_DURATION_S:
            return seconds
        what = "a duration that is not negative" if zero else "a duration greater than 0"
        problems.append(wrong(field, f"{what}, at most a year", node, "seconds, or a text such as 100ms, 30s, 5m, 2h"))
        return None

    return read


def rate(field: str) -> Reader[Rate]:
    def read(node: Node, problems: list[Problem]) -> Rate | None:
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(node, MapNode):
            problems.append(
                Problem(
                    node.place,
                    f"`{field}` as a mapping comes in a later version",
                    "write it as 50/s, 3000/min or 100/h",
                )
            )
            return None
        if isinstance(value, str) and (match := _RATE.match(value)) and len(match[1]) < 10 and int(match[1]) > 0:
            return Rate(int(match[1]), _PER[match[2][0]])
        problems.append(wrong(field, "attempts in a time, at least 1", node, "for example 50/s, 3000/min or 100/h"))
        return None

    return read


def failures(field: str) -> Reader[Limit]:
    """A count, or a percentage."""

    def read(node: Node, problems: list[Problem]) -> Limit | None:
        value = node.value if isinstance(node, ScalarNode) else None
        if type(value) is int and value >= 0:
            return Limit(count=value)
        if isinstance(value, str) and (match := _PERCENT.match(value)) and float(match[1]) <= 100:
            return Limit(share=float(match[1]) / 100)
        problems.append(wrong(field, "a count or a percentage up to 100%", node, "for example 10 or 5%"))
        return None

    return read


def share(field: str) -> Reader[float]:
    """A percentage, or a number from 0 to 1."""

    def read(node: Node, problems: list[Problem]) -> float | None:
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, str) and (match := _PERCENT.match(value)) and float(match[1]) <= 100:
            return float(match[1]) / 100
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        problems.append(wrong(field, "a percentage", node, "for example 5%"))
        return None

    return read


def identifier(what: str, dashes: bool = False) -> Reader[str]:
    """A name: letters of any language, digits, `_`; in step names also `-`."""
    pattern = _STEP_NAME if dashes else _NAME
    hint = "letters, digits, `_`" + (" and `-`" if dashes else "") + ", and a letter or `_` first"

    def read(node: Node, problems: list[Problem]) -> str | None:
        value = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(value, str) or not pattern.match(value) or len(value) > 200:
            problems.append(Problem(node.place, f"{what} must be an identifier, but it is {describe(node)}", hint))
            return None
        if not dashes and (keyword.iskeyword(value) or value in _TEMPLATE_WORDS):
            problems.append(Problem(node.place, f"{what} may not be `{value}`, a word of Python or of templates"))
            return None
        return value

    return read


def texts(field: str, one: bool = True) -> Reader[tuple[ScalarNode, ...]]:
    """A list of texts, or (with `one`) just one text; as nodes, which know their places."""

    def read(node: Node, problems: list[Problem]) -> tuple[ScalarNode, ...] | None:
        if one and isinstance(node, ScalarNode) and isinstance(node.value, str):
            return (node,)
        if not isinstance(node, ListNode):
            problems.append(wrong(field, "a list of names" + (" or one name" if one else ""), node))
            return None
        found = []
        for part in node.items:
            if isinstance(part, ScalarNode) and isinstance(part.value, str):
                found.append(part)
            else:
                problems.append(wrong(field, "a list of names", part))
        return tuple(found)

    return read
