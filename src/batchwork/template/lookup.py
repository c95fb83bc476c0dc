"""What a name or a path leads to in a scope, and what is said where it leads to nothing. No templates here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from batchwork.errors import RenderError
from batchwork.ports import Scope
from batchwork.template.forms import kind_in_words
from batchwork.text.spelling import listing, suggest

Path: TypeAlias = tuple[str | int, ...]
"""A name and what is taken from it by constant keys: `("steps", "fetch", "result")`."""


def looking_up(root: str, steps: tuple[str | int, ...]) -> Callable[[Scope], object]:
    if not steps:

        def bare(scope: Scope) -> object:
            try:
                return scope[root]
            except KeyError:
                raise unknown_name(root, scope) from None

        return bare

    def path(scope: Scope) -> object:
        try:
            value = scope[root]
            for key in steps:
                if type(value) not in _PLAIN:
                    return careful(scope)
                value = value[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return careful(scope)
        return value

    def careful(scope: Scope) -> object:
        try:
            value = scope[root]
        except KeyError:
            raise unknown_name(root, scope) from None
        for at, key in enumerate(steps):
            value = take(value, key, (root, *steps[:at]))
        return value

    return path


_PLAIN = frozenset((dict, list))
_ABSENT = object()


def take(value: object, key: str | int, path: Path = ()) -> object:
    """What `value` has under `key`: a mapping's key before an object's attribute. Raises RenderError listing what there is."""
    found = _found(value, key)
    if found is _ABSENT or (callable(found) and not isinstance(value, Mapping | Sequence)):
        raise RenderError(nothing_there(value, key, path))
    return found


def _found(value: object, key: str | int) -> object:
    if isinstance(value, Mapping):
        try:
            return value[key]
        except KeyError:
            return _ABSENT
    if isinstance(key, int):
        if isinstance(value, Sequence):
            try:
                return value[key]
            except IndexError:
                return _ABSENT
        return _ABSENT
    if key.startswith("_") or value is None or isinstance(value, str | int | float | list | tuple | bytes):
        return _ABSENT
    found: object = getattr(value, key, _ABSENT)
    return found


def nothing_there(value: object, key: object, path: Path = ()) -> str:
    """The message for a key that is not there, with what is there instead."""
    if path == ("env",) and isinstance(key, str):
        return _no_variable(value, key)
    what = f"`{spelled(path)}`" if path else "the value"
    if isinstance(value, Sequence) and not isinstance(value, str) and isinstance(key, int):
        return f"{what} is {kind_in_words(value)} and has no element {key}"
    names = names_in(value)
    if names:
        return f"{what} has no `{key}`; {_there(str(key), names)}"
    kind = kind_in_words(value)
    if isinstance(value, Mapping):
        kind = "an empty mapping"
    return f"{what} is {kind} and has no `{key}`"


def _no_variable(environ: object, name: str) -> str:
    message = f"the environment variable `{name}` is not set"
    if near := suggest(name, names_in(environ)):
        return f"{message} ({near})"
    return message


def _there(name: str, names: Sequence[str]) -> str:
    """What there is instead, that which `name` may mean first."""
    near = suggest(name, names)
    return f"{near} there is {listing(names, 12)}".lstrip()


def names_in(value: object) -> list[str]:
    """The keys of a mapping, or the public values of an object."""
    if isinstance(value, Mapping):
        return [str(name) for name in value]
    if value is None or isinstance(value, str | int | float | list | tuple | bytes):
        return []
    kind = type(value)
    names = [name for name in dir(kind) if not name.startswith("_") and not callable(getattr(kind, name, None))]
    return names + [name for name in getattr(value, "__dict__", ()) if not name.startswith("_")]


def unknown_name(name: str, scope: Iterable[str]) -> RenderError:
    names = sorted(scope)
    return RenderError(f"there is no `{name}`; {_there(name, names)}")


def spelled(path: Path) -> str:
    """A path as it is written in a template: `item.tags[0]['first name']`."""
    text = ""
    for part in path:
        if isinstance(part, str) and part.isidentifier():
            text += f".{part}"
        else:
            text += f"[{part!r}]"
    return text.removeprefix(".")
