"""What the task types share in reading their fields: those that are the same for all units, sizes and durations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar

import msgspec

from batchwork.errors import Problem, RenderError
from batchwork.ports import FieldValue, Scope, Setting
from batchwork.template import Value
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing

T = TypeVar("T")

Given: TypeAlias = Mapping[str, FieldValue]
"""The fields of a task that were given, by name."""

OF_UNITS = frozenset(("item", "key", "index", "attempt", "batch", "idempotency_key", "error"))
_SIZE = pattern(r"\s*(\d+(?:\.\d+)?)\s*(B|bytes?|[kKMG]i?B?)?\s*\Z")
_DURATION = pattern(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|sec|m|min|h)?\s*\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, None: 1.0}


def about(text: str) -> msgspec.Meta:
    """What is said of a field to those who write it."""
    return msgspec.Meta(description=text)


def value_of(fields: Given, name: str) -> Value | None:
    """The field as it was written, or None."""
    value = fields.get(name)
    return value if isinstance(value, Value) else None


def rendered(value: FieldValue | None, scope: Scope) -> object:
    """The field in `scope`; None where it is not given. Raises RenderError."""
    return value and value.render(scope)


def constant_problems(fields: Given, names: Iterable[str]) -> Iterator[Problem]:
    """Of the fields `names`, which are the same for all units, those that use a unit's names."""
    for name in [name for name in names if name in fields]:
        used = sorted(fields[name].roots & OF_UNITS)
        if used:
            message = f"`{name}` is the same for all items, and cannot use {listing(used)}"
            yield Problem(fields[name].place, message, "parameters, `env` and results of earlier steps may be used")


def read_problems(fields: Given, readers: Mapping[str, Callable[[object], object]]) -> Iterator[Problem]:
    """What is wrong with the constants among the fields that `readers` read."""
    for name, reader in readers.items():
        value = value_of(fields, name)
        if value is not None and value.is_constant and value.json is not None:
            try:
                reader(value.json)
            except ValueError as error:
                yield Problem(value.place, f"`{name}` must be {error}")


def constant(fields: Given, name: str, setting: Setting, reader: Callable[[object], T], default: T) -> T:
    """The value of a field that is the same for all units. Raises RenderError."""
    found = rendered(fields.get(name), setting.constants)
    if found is None:
        return default
    try:
        return reader(found)
    except ValueError as error:
        raise RenderError(f"`{name}` must be {error}") from None


# ---------------------------------------------------------------- readers: raise ValueError with what was expected


def bytes_of(value: object) -> int:
    """Bytes, from a number or a text such as `1 MiB`, `512k`, `1.5MB`."""
    expected = ValueError("a size of at least 1 byte, such as 65536, 512 KiB or 10 MiB")
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif isinstance(value, str) and (match := _SIZE.match(value)):
        unit = match[2] or "B"
        base = {"B": 1000}.get(unit[1:], 1024)
        power = {"B": 0, "b": 0, "k": 1, "K": 1, "M": 2, "G": 3}[unit[0]]
        count = int(float(match[1]) * base**power)
    else:
        raise expected
    if not 1 <= count <= 1 << 40:
        raise expected
    return count


def seconds(value: object) -> float:
    """Seconds, from a number or a text such as `30s`, `5m`."""
    expected = ValueError("a duration greater than 0, in seconds or such as 500ms, 30s, 5m, 2h")
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str) and (match := _DURATION.match(value)):
        found = float(match[1]) * _SECONDS[match[2]]
    else:
        raise expected
    if not 0 < found <= 366 * 86400 or not math.isfinite(found):
        raise expected
    return found


def flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")
