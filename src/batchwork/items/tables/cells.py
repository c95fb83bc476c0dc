"""Values of tables as JSON data, by one rule. No table is read here.

Whole numbers, floats, texts, true, false and null are themselves; lists and mappings hold such values. Dates and times are ISO 8601
texts, durations too; decimals are texts with all their digits; UUIDs and addresses are texts; binary values are Base64 texts. NaN and
Infinity have no form: a row that holds one is a bad row.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from batchwork.text.jsontext import Json

Convert = Callable[[Any], Json]


class NoForm(Exception):
    """The value has no form as JSON data. The message says what it is."""


class Formless:
    """Stands for a value that Python cannot hold. `what` says what it is."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __repr__(self) -> str:
        return f"<{self.what}>"


def plain(value: Any) -> Json:
    """The value as JSON data. Raises NoForm."""
    convert = _KINDS.get(type(value))
    if convert is not None:
        return convert(value)
    if isinstance(value, Formless):
        raise NoForm(value.what)
    for kind, convert in _KINDS.items():
        if isinstance(value, kind):
            return convert(value)
    raise NoForm(f"a value of type {type(value).__name__}")


def _same(value: Any) -> Json:
    found: Json = value
    return found


def _finite(value: float) -> Json:
    if not isfinite(value):
        raise NoForm({"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)])
    return value


def _decimal(value: decimal.Decimal) -> Json:
    if not value.is_finite():
        raise NoForm(str(value))
    return format(value, "f")  # as databases write it: Python would write 0.0000000 as 0E-7


def _moment(value: dt.date | dt.time) -> Json:
    return value.isoformat()


def duration(value: dt.timedelta, nanos: int = 0) -> str:
    """ISO 8601 in seconds: `PT90061.5S`; `nanos` are added."""
    total = value // dt.timedelta(microseconds=1) * 1000 + nanos
    whole, rest = divmod(abs(total), 1_000_000_000)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{'-' if total < 0 else ''}PT{whole}{fraction}S"


def _binary(value: bytes) -> Json:
    return b64encode(bytes(value)).decode()


def _list(value: Any) -> Json:
    return [plain(part) for part in value]


def _mapping(value: Mapping[Any, Any]) -> Json:
    return {str(name): plain(part) for name, part in value.items()}


_KINDS: Final[dict[type, Convert]] = {
    str: _same,
    bool: _same,
    int: _same,
    type(None): _same,
    float: _finite,
    dt.datetime: _moment,
    dt.date: _moment,
    dt.time: _moment,
    dt.timedelta: duration,
    decimal.Decimal: _decimal,
    uuid.UUID: str,
    bytes: _binary,
    bytearray: _binary,
    memoryview: _binary,
    list: _list,
    tuple: _list,
    dict: _mapping,
    ipaddress.IPv4Address: str,
    ipaddress.IPv6Address: str,
    ipaddress.IPv4Network: str,
    ipaddress.IPv6Network: str,
    ipaddress.IPv4Interface: str,
    ipaddress.IPv6Interface: str,
}
