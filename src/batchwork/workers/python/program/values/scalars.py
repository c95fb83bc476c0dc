"""Values that JSON has no form of, as what stands for them: enumerations, dates, decimals, paths, UUIDs, NumPy scalars.

Nothing is guessed: a missing value in whatever dress stands for nothing, and no type is known by its looks alone.
"""

from __future__ import annotations

import os
import sys
from enum import Enum

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable

UNKNOWN = object()
"""Nothing stands for this value."""


class Missing(Exception):
    """A value that says that there is none: NaT, NA, a masked element, a decimal that is not a number."""


def stand_in(value: Any) -> Any:
    """What stands for a value that is not JSON data: a text, a number, or a value nearer to one. UNKNOWN where nothing does."""
    if isinstance(value, Enum):
        return value.value
    for module, kinds, text in _AS_TEXT:
        found = sys.modules.get(module)
        if found is not None and isinstance(value, tuple(getattr(found, kind) for kind in kinds)):
            return text(value)
    return _of_library(value)


def _moment(value: Any) -> str:
    if value != value:  # noqa: PLR0124  only what is no time at all differs from itself
        raise Missing(_shown(value))
    return str(value.isoformat())


def _decimal(value: Any) -> str:
    if not value.is_finite():
        raise Missing(str(value))
    return str(value)


_AS_TEXT: tuple[tuple[str, tuple[str, ...], Callable[[Any], str]], ...] = (
    ("datetime", ("datetime", "date", "time"), _moment),
    ("decimal", ("Decimal",), _decimal),
    ("uuid", ("UUID",), str),
    ("pathlib", ("PurePath",), os.fspath),
)
"""Types that become texts, by their modules: a value can be of such a type only if its module is imported."""


# ---------------------------------------------------------------- NumPy and pandas, which may not be there


def _of_library(value: Any) -> Any:
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if library == "pandas" and kind.__name__ == "NAType":
        raise Missing("NA")
    if library == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "dtype"):
        return _numpy_scalar(value)
    return UNKNOWN


def _numpy_scalar(value: Any) -> Any:
    """The Python value of a NumPy scalar, or of an array of no dimensions."""
    if bool(getattr(value, "mask", False)):
        raise Missing("a masked element")
    kind = value.dtype.kind
    if kind in "mM" and str(value) == "NaT":
        raise Missing("NaT")
    if kind == "m":
        return UNKNOWN  # an amount of time has no form of its own, and its unit would be lost
    found = value.item()
    if kind == "M" and isinstance(found, int):
        return str(value)  # finer or farther than what Python's own dates can hold
    if kind == "f" and not isinstance(found, float):
        return float(value)  # longer than a float
    return UNKNOWN if type(found) is type(value) else found


def advice(value: Any) -> str:
    """What may be written instead of a value that nothing stands for."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "; decode it, or write it to a file"
    if isinstance(value, (set, frozenset)):
        return "; use sorted(…) or list(…)"
    return next((text for name, text in _ADVICE if hasattr(value, name)), "")


_ADVICE = (
    ("total_seconds", "; use .total_seconds()"),
    ("to_dict", "; use .to_dict(…)"),
    ("tolist", "; use .tolist()"),
    ("__dataclass_fields__", "; use dataclasses.asdict(…)"),
    ("__await__", "; await it in an `async def` function, or use asyncio.run(…)"),
    ("__aiter__", "; use [… async for …]"),
    ("numerator", "; use float(…)"),
    ("__call__", "; call it"),
    ("keys", "; use dict(…)"),
    ("__iter__", "; use list(…)"),
)
"""What to write instead, by an attribute; the first that a value has counts."""


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  whatever a library raises
        return type(value).__name__
