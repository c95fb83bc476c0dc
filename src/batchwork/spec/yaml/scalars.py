"""YAML 1.2's core schema: which plain scalars are numbers, true, false or null. Everything else is text; no tags, no dates."""

from __future__ import annotations

import math

from batchwork.text.patterns import pattern

_WORDS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT = pattern(r"[-+]?[0-9]+\Z")
_OCTAL = pattern(r"0o[0-7]+\Z")
_HEX = pattern(r"0x[0-9a-fA-F]+\Z")
_FLOAT = pattern(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = pattern(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")

MAX_DIGITS = 4300
"""Python's own limit for reading an integer; longer ones cost the square of their length."""


class ScalarError(ValueError):
    """A plain scalar that is a number but not one that JSON can hold."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Raises ScalarError for infinities, NaN and numbers beyond every limit."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.match(text):
        return _integer(text)
    if _OCTAL.match(text) or _HEX.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return _float(text)
    if _NOT_FINITE.match(text):
        raise ScalarError(f"`{text}` is not a number that JSON can hold; quote it, if it is text")
    return text


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ScalarError(f"a number of {len(text):,} digits; more than {MAX_DIGITS:,} must be quoted, as text")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ScalarError(f"`{text[:40]}` is too large for a number; quote it, if it is text")
    return value
