"""JSON as batchwork writes it: exact for every int, never NaN, lone surrogates kept as escapes. No typed decoding here.

The standard module is used and not msgspec, because items must come back exactly as they went in: msgspec refuses
lone surrogates. Where it may be used all the same, for many values at once, `jsontexts` knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring, encode_basestring_ascii  # of C where there is one
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"

Write: TypeAlias = Callable[[object], str]


def kept(*, ascii_only: bool = False, sort_keys: bool = False) -> Write:
    """An encoder that is made once. The standard module makes one for each value, which takes as long as the encoding."""
    usual = json.JSONEncoder(separators=(",", ":"), ensure_ascii=ascii_only, allow_nan=False, sort_keys=sort_keys)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return usual.encode
    quote = encode_basestring_ascii if ascii_only else encode_basestring
    of_c = make(None, usual.default, quote, None, ":", ",", sort_keys, False, False)

    def write(value: object) -> str:
        if isinstance(value, str):
            return quote(value)
        try:
            return "".join(of_c(value, 0))
        except RecursionError:
            return usual.encode(value)  # which says whether it is too deep or holds itself

    return write


_plain = kept()
_ascii = kept(ascii_only=True)
_sorted = kept(sort_keys=True)
_sorted_ascii = kept(ascii_only=True, sort_keys=True)

KEY_MAX = 200
"""Longest canonical JSON, in characters, that is a key as it stands; longer ones are hashed."""


def encode(value: object) -> str:
    """Compact JSON text that can be stored as UTF-8. Raises ValueError for NaN, TypeError for what is not JSON."""
    text = _plain(value)
    if _storable(text):
        return text
    return _ascii(value)


def decode(text: str | bytes) -> Json:
    """The value of a JSON text. Raises json.JSONDecodeError (a ValueError)."""
    value: Json = json.loads(text)
    return value


def canonical(value: object) -> str:
    """JSON text that is the same for equal values: keys sorted, no spaces."""
    text = _sorted(value)
    if _storable(text):
        return text
    return _sorted_ascii(value)


def default_key(value: object) -> str:
    """The identity of an item that has no written key: its canonical JSON if short, else `sha256:` and 32 hex digits."""
    return key_of(canonical(value))


def key_of(text: str) -> str:
    """The key that a canonical JSON text is or gives. The sign of a whole number does not count."""
    if len(text) <= KEY_MAX or (text[0] == "-" and text[1:].isdecimal() and len(text) == KEY_MAX + 1):
        return text
    return _hashed(text)


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
