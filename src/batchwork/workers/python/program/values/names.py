"""The names that code sees beside its item: params, env, batch, steps, run, error. JSON data with a convenient surface."""

from __future__ import annotations

import os

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Iterable, Mapping

    from .fresh import Shared


class MissingName(KeyError, AttributeError):
    """There is no such name; the message lists near ones."""

    def __str__(self) -> str:
        return str(self.args[0])


def missing(what: str, name: object, known: Iterable[str]) -> MissingName:
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, 3, 0.6)
    if not near:
        near = [each for each in names if each.lower() == str(name).lower()]
    if near:
        return MissingName(f"{what} has no {name}; did you mean {' or '.join(near)}?")
    if not names or len(names) > 20:
        return MissingName(f"{what} has no {name}")
    return MissingName(f"{what} has no {name}; there is {', '.join(names)}")


class Namespace(dict):  # type: ignore[type-arg]
    """A dict whose values may also be written as attributes; `namespace` makes one whatever its keys are called."""

    __slots__ = ("_what",)

    def __init__(self, what: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._what = what

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: Any) -> Any:
        value = super().__getitem__(name)
        if type(value) is dict:  # it takes the place of what was there, so that what is done to it stays
            value = namespace(f"{self._what}.{name}", value)
            super().__setitem__(name, value)
        return value

    def __missing__(self, name: str) -> Any:
        raise missing(self._what, name, self)

    def __reduce__(self) -> Any:
        return dict, (dict(self),)

    def __deepcopy__(self, memo: Any) -> Any:
        import copy

        return copy.deepcopy(dict(self), memo)


class _KeysFirst(Namespace):
    """One with keys that are called like methods of a dict: the keys come first, as they do in templates."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in _METHODS and dict.__contains__(self, name):
            return self[name]
        return super().__getattribute__(name)


_METHODS = frozenset(name for name in dir(dict) if not name.startswith("_"))


def namespace(what: str, values: Mapping[str, Any]) -> Namespace:
    """A namespace called `what`."""
    if _METHODS.isdisjoint(values):
        return Namespace(what, values)
    return _KeysFirst(what, values)


class Parts:
    """Parts that may be written `view.part` or `view["part"]`; the class says which there are."""

    __slots__ = ()
    parts: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        if name in self.parts:
            return getattr(self, name)
        raise missing(f"{self!r}", name, self.parts)


HIDDEN = ("BATCHWORK_COOKIE", "BATCHWORK_WORKER")


def worker_environment() -> Namespace:
    """`env`: the environment that the worker was started with."""
    return namespace("env", {name: value for name, value in os.environ.items() if name not in HIDDEN})


class UnitBatch(Parts):
    """`batch`: the author's group of items that the unit belongs to. Its items are made when they are asked for."""

    parts = ("index", "item", "items", "size", "total")
    __slots__ = ("_item", "_made", "_shared", "index", "size", "total")

    def __init__(self, index: int, items: list[Any] | Shared, total: int | None, *item: Any) -> None:
        self.index, self.total = index, total
        self._item = item
        """None: it is the items."""
        self._made: Any = None
        if isinstance(items, list):
            self._made, self.size = items, len(items)
        else:
            self._shared, self.size = items, items.size

    @property
    def items(self) -> Any:
        if self._made is None:
            self._made = self._shared.make()
        return self._made

    @property
    def item(self) -> Any:
        return self._item[0] if self._item else self.items

    def __repr__(self) -> str:
        return f"<batch {self.index} of {self.size} items>"


class StepView(Parts):
    """`steps.NAME`."""

    __slots__ = parts = ("aggregate", "error", "result", "status")

    def __init__(self, result: Any, status: Any, error: Any, aggregate: Any) -> None:
        self.result = result
        self.status = status
        self.error = error
        self.aggregate = aggregate

    def __repr__(self) -> str:
        return f"<step, {self.status}>"


ERROR_PARTS = ("type", "message", "attempts", "exit_code", "status_code")


class ErrorText(str):  # noqa: SLOT000  it has attributes
    """`error`: as text the message, with the parts of the failure as attributes."""

    type: str
    message: str
    attempts: int | None
    exit_code: int | None
    status_code: int | None

    def __new__(cls, fields: Mapping[str, Any]) -> ErrorText:  # noqa: PYI034  `Self` is newer than 3.8
        text = super().__new__(cls, fields.get("message") or "")
        text.message = str(text)
        text.type = str(fields.get("type") or "")
        text.attempts = fields.get("attempts")
        text.exit_code = fields.get("exit_code")
        text.status_code = fields.get("status_code")
        return text

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, str):
            return super().__getitem__(place)
        if place in ERROR_PARTS:
            return getattr(self, place)
        raise missing("error", place, ERROR_PARTS)
