"""A task's result as JSON text, or a clear refusal that names the place inside it. Nothing is guessed, NaN is never written."""

from __future__ import annotations

import json
import json.encoder
import os
import sys

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable

RESULT_MAX = 64 << 20
"""Largest result, in characters of JSON."""
DEPTH = 200
"""Deepest result: what reads it again must not run out of stack."""
DIGITS = 4300
"""Longest whole number: the limit that Python itself has for reading one."""
_BITS = 14_280

_PLAIN: frozenset[type] = frozenset({str, int, float, bool, type(None)})
_AS_TEXT: tuple[tuple[str, tuple[str, ...], Callable[[Any], str]], ...] = (
    ("datetime", ("datetime", "date", "time"), lambda value: str(value.isoformat())),
    ("decimal", ("Decimal",), str),
    ("uuid", ("UUID",), str),
    ("pathlib", ("PurePath",), os.fspath),
)
"""Types that become texts, by their modules: a value can be of such a type only if its module is imported."""

_WORDS = {None: "null", True: "true", False: "false"}
_quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii


class ResultError(Exception):
    """The result is not JSON data, or too much of it."""


def _make_encoder() -> Callable[[Any], str]:
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    compiled = make(None, _refuse, _quoted, None, ":", ",", False, False, False)  # cycles are looked for in _ordinary
    return lambda value: "".join(compiled(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(type(value).__name__)


_encode_plain = _make_encoder()


def encode_result(value: Any) -> str:
    """Compact ASCII JSON. Raises ResultError."""
    kind = type(value)
    if kind is str:
        text = _quoted(value)
    elif value is None or kind is bool:
        return _WORDS[value]
    elif kind is int and -(10**18) < value < 10**18:
        return str(value)
    else:
        text = _encode_nested(value)
    if len(text) > RESULT_MAX:
        raise ResultError(
            f"result too large: {len(text):,} characters of JSON, and the limit is {RESULT_MAX:,}; write it to a file"
        )
    return text


def _encode_nested(value: Any) -> str:
    try:
        if _ordinary(value, 0):
            return _encode_plain(value)
    except (TypeError, ValueError, RecursionError, OverflowError):
        pass  # what is wrong, and where, is found by looking at each part
    try:
        return _encode_plain(_converted(value, "$", 0, set()))
    except RecursionError:  # the task itself was deep in calls already, or the author lowered the limit
        raise ResultError("result too deep") from None


def _ordinary(value: Any, depth: int) -> bool:
    """Whether all parts are of JSON's own types, with texts as keys, and not too deep. TypeError where a key is not text."""
    kind = type(value)
    if kind is dict:
        "".join(value)  # the fastest way to look at all keys
        value = value.values()
    elif kind is not list and kind is not tuple:
        return kind in _PLAIN
    if depth == DEPTH:
        return False
    depth += 1
    for part in value:  # noqa: SIM110  `all` would make it a third slower
        if type(part) not in _PLAIN and not _ordinary(part, depth):
            return False
    return True


def _converted(value: Any, path: str, depth: int, above: set[int]) -> Any:
    """The same as JSON data. Raises ResultError with the path of the part that cannot be."""
    if depth > DEPTH:
        raise ResultError(f"result too deep: more than {DEPTH} levels at {_short(path)}")
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _whole(int(value), path)
    if isinstance(value, float):
        return _finite(float(value), path)
    if isinstance(value, (dict, list, tuple)) or getattr(value, "batchwork_sequence", False):
        return _container(value, path, depth, above)
    return _text_or_scalar(value, path, depth, above)


def _container(value: Any, path: str, depth: int, above: set[int]) -> Any:
    if id(value) in above:
        raise ResultError(f"result is not JSON: it contains itself at {_short(path)}")
    above.add(id(value))
    convert: Callable[..., Any] = _list
    if isinstance(value, dict):
        convert = _mapping
    parts = convert(value, path, depth, above)
    above.discard(id(value))
    return parts


def _whole(value: int, path: str) -> int:
    if value.bit_length() > _BITS:
        raise ResultError(f"result too large: a whole number of more than {DIGITS} digits at {_short(path)}")
    return value


def _finite(value: float, path: str) -> float:
    if value - value != 0:  # infinities and NaN
        raise ResultError(f"result is not JSON: {value} at {_short(path)} (JSON has no such number; use null)")
    return value


def _list(value: Any, path: str, depth: int, above: set[int]) -> list[Any]:
    return [_converted(part, f"{path}[{number}]", depth + 1, above) for number, part in enumerate(value)]


def _mapping(value: dict[Any, Any], path: str, depth: int, above: set[int]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for key, part in value.items():
        name = _key(key, path)
        if name in parts:
            raise ResultError(f"result is not JSON: two keys at {_short(path)} are both {json.dumps(name)} as text")
        parts[name] = _converted(part, _under(path, name), depth + 1, above)
    return parts


def _key(key: Any, path: str) -> str:
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(_converted(key, path, 0, set()))
    text = _as_text(key)
    if text is None:
        scalar = _scalar(key)
        if scalar is None:
            raise ResultError(f"result is not JSON: a key at {_short(path)} is of type {type(key).__name__}, not text")
        return _key(scalar, path)
    return text


def _under(path: str, name: str) -> str:
    if name.isidentifier():
        return f"{path}.{name}"
    return f"{path}[{json.dumps(name[:60])}]"


def _text_or_scalar(value: Any, path: str, depth: int, above: set[int]) -> Any:
    text = _as_text(value)
    if text is not None:
        return text
    scalar = _scalar(value)
    if scalar is not None:
        return _converted(scalar, path, depth + 1, above)
    kind = type(value)
    name = kind.__name__
    if kind.__module__ not in {"builtins", "__main__"}:
        name = f"{kind.__module__}.{name}"
    raise ResultError(f"result is not JSON: {name} at {_short(path)}{_advice(value)}")


def _as_text(value: Any) -> str | None:
    for module, kinds, text in _AS_TEXT:
        found = sys.modules.get(module)
        if found is not None and isinstance(value, tuple(getattr(found, kind) for kind in kinds)):
            return text(value)
    return None


def _scalar(value: Any) -> Any:
    """The Python value of a NumPy scalar (an array of no dimensions), None for anything else."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        scalar = value.item()
        if type(scalar) is not kind:
            return scalar
    return None


def _advice(value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        return "; use sorted(…) or list(…)"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "; decode it, or write it to a file"
    if hasattr(value, "__next__"):
        return "; use list(…)"
    if hasattr(value, "to_dict"):
        return "; use .to_dict(…)"
    if hasattr(value, "tolist"):
        return "; use .tolist()"
    if hasattr(value, "__dataclass_fields__"):
        return "; use dataclasses.asdict(…)"
    return ""


def _short(path: str) -> str:
    if len(path) <= 120:
        return path
    return f"{path[:60]} … {path[-40:]}"
