"""What a program gives, checked as the command line checks what a person types. Raises UsageError, which names the argument."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

from batchwork.engine.run.request import check_run_id
from batchwork.errors import UsageError
from batchwork.text.jsontext import Json
from batchwork.text.spelling import listing, suggest
from batchwork.text.wording import short, visible

DEEPEST = 100
"""Lists and mappings within each other in a parameter; more are one that holds itself."""


def path(name: str, value: object) -> str:
    """A path: text, or an object that stands for one."""
    found = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(found, str) or not found or "\0" in found:
        raise _refused(name, "a path", value)
    return found


def optional_path(name: str, value: object) -> str | None:
    return None if value is None else path(name, value)


def optional_text(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _refused(name, "text", value)
    return value


def new_run_id(value: object) -> str | None:
    run_id = optional_text("run_id", value)
    if run_id is not None:
        check_run_id(run_id)
    return run_id


def flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refused(name, "True or False", value)
    return value


def optional_count(name: str, value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise _refused(name, "a whole number of at least 1", value)
    return value


def word(name: str, value: object, words: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in words:
        near = suggest(value, words) if isinstance(value, str) else ""
        raise _refused(name, f"one of {listing(words, last='or')}", value, near)
    return value


def parameters(value: object) -> dict[str, Json] | None:
    """Parameters by name, as JSON data of its own: what the caller changes later is not seen."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _refused("params", "a mapping from names to values", value)
    return _mapping(value, "params", 1)


def _data(value: object, where: str, depth: int) -> Json:
    if depth > DEEPEST:
        raise UsageError(f"`{short(where, 60)}` is nested too deep, or holds itself")
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_data(part, f"{where}[{at}]", depth + 1) for at, part in enumerate(value)]
        case Mapping():
            return _mapping(value, where, depth)
        case _:
            raise _refused(
                where, "JSON data", value, "text, numbers, true, false, null, lists and mappings can be stored"
            )


def _mapping(value: Mapping[object, object], where: str, depth: int) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, part in value.items():
        if not isinstance(key, str):
            raise _refused(f"a name in {where}", "text", key)
        found[key] = _data(part, f"{where}.{key}", depth + 1)
    return found


def _refused(name: str, what: str, value: object, hint: str = "") -> UsageError:
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001  # whatever the caller's class does, its name is enough
        shown = type(value).__name__
    return UsageError(f"`{name}` must be {what}, but it is {short(visible(shown), 60)}", hint)
