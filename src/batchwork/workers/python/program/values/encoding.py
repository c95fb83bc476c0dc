"""A task's result as JSON text, or a clear refusal that names the place inside it. Nothing is guessed, NaN is never written."""

from __future__ import annotations

import json
import json.encoder
from enum import Enum

from .scalars import UNKNOWN, Missing, advice, stand_in

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


def number_or_text(value: Any) -> Any:
    """A whole number of 64 bits as it is, all else as `encode_result` gives it. Raises ResultError."""
    if type(value) is int and -(10**18) < value < 10**18:
        return value
    return encode_result(value)


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
    if isinstance(value, Enum):
        return _converted(value.value, path, depth + 1, above)
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _whole(int.__int__(value), path)
    if isinstance(value, float):
        return _finite(float.__float__(value), path)
    if isinstance(value, (dict, list, tuple)) or getattr(value, "batchwork_sequence", False):
        return _container(value, path, depth, above)
    return _converted(_stand_in(value, path), path, depth + 1, above)


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
    for key, part in dict.items(value):
        name = _key(key, path)
        if name in parts:
            raise ResultError(f"result is not JSON: two keys at {_short(path)} are both {json.dumps(name)} as text")
        parts[name] = _converted(part, _under(path, name), depth + 1, above)
    return parts


def _key(key: Any, path: str) -> str:
    if isinstance(key, Enum):
        return _key(key.value, path)
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(_converted(key, f"{path} (a key)", 0, set()))
    if isinstance(key, (tuple, frozenset, bytes)):
        raise ResultError(f"result is not JSON: a key at {_short(path)} is of type {type(key).__name__}, not text")
    return _key(_stand_in(key, f"{path} (a key)"), path)


def _under(path: str, name: str) -> str:
    if name.isidentifier():
        return f"{path}.{name}"
    return f"{path}[{json.dumps(name[:60])}]"


def _stand_in(value: Any, path: str) -> Any:
    """What stands for a value that is not JSON data itself. Raises ResultError where nothing does."""
    try:
        found = stand_in(value)
    except Missing as missing:
        raise ResultError(
            f"result is not JSON: {missing} at {_short(path)} (JSON has no such value; use None)"
        ) from None
    if found is not UNKNOWN:
        return found
    kind = type(value)
    name = kind.__name__
    if kind.__module__ not in {"builtins", "__main__"}:
        name = f"{kind.__module__}.{name}"
    raise ResultError(f"result is not JSON: {name} at {_short(path)}{advice(value)}")


def _short(path: str) -> str:
    if len(path) <= 120:
        return path
    return f"{path[:60]} … {path[-40:]}"
