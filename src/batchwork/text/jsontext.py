"""JSON as batchwork writes it: exact for every int, never NaN, lone surrogates kept as escapes. No typed decoding here.

The standard module is used and not msgspec, because items must come back exactly as they went in: msgspec refuses
lone surrogates and integers beyond 64 bits.
"""

from __future__ import annotations

import json
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"

_plain = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_ascii = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False)
_sorted = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, sort_keys=True)
_sorted_ascii = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False, sort_keys=True)

KEY_MAX = 200
"""Longest canonical JSON, in characters, that is a key as it stands; longer ones are hashed."""


def encode(value: object) -> str:
    """Compact JSON text that can be stored as UTF-8. Raises ValueError for NaN, TypeError for what is not JSON."""
    text = _plain.encode(value)
    if _storable(text):
        return text
    return _ascii.encode(value)


def decode(text: str | bytes) -> Json:
    """The value of a JSON text. Raises json.JSONDecodeError (a ValueError)."""
    value: Json = json.loads(text)
    return value


def canonical(value: object) -> str:
    """JSON text that is the same for equal values: keys sorted, no spaces."""
    text = _sorted.encode(value)
    if _storable(text):
        return text
    return _sorted_ascii.encode(value)


def default_key(value: object) -> str:
    """The identity of an item that has no written key: its canonical JSON if short, else `sha256:` and 32 hex digits."""
    if type(value) is int and -(10**KEY_MAX) < value < 10**KEY_MAX:
        return str(value)
    text = canonical(value)
    if len(text) > KEY_MAX:
        return _hashed(text)
    return text


def _hashed(text: str) -> str:
    import hashlib  # takes as long as all the rest here, and most keys are short

    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:32]


def wash(text: str) -> str:
    """`text` with each lone surrogate (which UTF-8 lacks) as `\\udXXX`."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def _storable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
