"""Values that are the same for all items, made so that what one item does to them is not seen by another.

Small ones are made anew for each item. Large ones are made once, and changing them is refused.
"""

from __future__ import annotations

import json

from .names import Namespace

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable

    Make = Callable[[], Any]

SMALL = 64 << 10
"""Most bytes of JSON that are made anew for each item."""


def maker(name: str, value: Any) -> Make:
    """What makes JSON data for one item; `name` is how the author calls it. Raises TypeError or ValueError where it is no such data."""
    if not isinstance(value, (dict, list)):
        return lambda: value
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if len(text) > SMALL or len(text.encode("utf-8", "surrogatepass")) > SMALL:
        frozen = read_only(name, value)
        return lambda: frozen
    decode = json.JSONDecoder().decode
    return lambda: decode(text)


class Shared:
    """A list that several items get, each of them its own. What makes it is made when the first of them asks."""

    __slots__ = ("_make", "_name", "_value", "size")

    def __init__(self, name: str, value: list[Any]) -> None:
        self._name, self._value = name, value
        self.size = len(value)
        self._make: Make | None = None

    def make(self) -> Any:
        if self._make is None:
            self._make = maker(self._name, self._value)
        return self._make()


def read_only(name: str, value: Any) -> Any:
    """The same data, whose lists and mappings refuse to be changed."""
    if isinstance(value, dict):
        return ReadOnlyDict(name, {key: read_only(name, part) for key, part in value.items()})
    if isinstance(value, list):
        return ReadOnlyList(name, [read_only(name, part) for part in value])
    return value


class ReadOnlyDict(Namespace):
    """A mapping that many items share."""

    __slots__ = ()

    def __copy__(self) -> dict[str, Any]:
        return dict(self)


class ReadOnlyList(list):  # type: ignore[type-arg]
    """A list that many items share."""

    __slots__ = ("_what",)

    def __init__(self, what: str, values: list[Any]) -> None:
        super().__init__(values)
        self._what = what

    def __reduce__(self) -> Any:
        return list, (list(self),)

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: Any) -> list[Any]:
        import copy

        return [copy.deepcopy(part, memo) for part in self]


def _refuse(self: Any, *_: Any, **__: Any) -> Any:
    what = self._what
    raise TypeError(
        f"`{what}` is read-only: it is larger than 64 KiB, and all items of a worker share it; "
        f"change a copy of it, copy.deepcopy({what})"
    )


for _kind, _changing in (
    (ReadOnlyDict, "__setitem__ __delitem__ __ior__ clear pop popitem setdefault update"),
    (
        ReadOnlyList,
        "__setitem__ __delitem__ __iadd__ __imul__ append clear extend insert pop remove reverse sort",
    ),
):
    for _method in _changing.split():
        setattr(_kind, _method, _refuse)
