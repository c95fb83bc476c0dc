"""Values of templates as text and as plain JSON data. No templates here."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from itertools import islice
from math import isfinite

from msgspec import Struct
from msgspec.structs import asdict

from batchwork.errors import BatchworkError, RenderError
from batchwork.text import jsontext
from batchwork.text.jsontext import Json

ITERATOR_MAX = 1_000_000
"""How many elements an endless or very long iterator may give before it is refused."""


def text_of(value: object) -> str:
    """A value inside text: strings as they are, all else as JSON. An object with a text of its own (`error`) is that text."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    if kind is int:
        try:
            return str(value)
        except ValueError as error:  # more than 4,300 digits
            raise RenderError(f"{error}") from None
    if value is None:
        return "null"
    if kind is bool:
        return str(value).lower()
    if isinstance(value, str):  # a subclass, such as Markup
        return str.__str__(value)
    if kind not in (dict, list, float) and kind.__str__ is not object.__str__:
        return str(value)
    return json_text(value)


def json_text(value: object) -> str:
    """A value as compact JSON text. Raises RenderError."""
    try:
        return jsontext.encode(value)
    except (TypeError, ValueError, RecursionError):
        return _encoded(plain(value))


def plain(value: object) -> Json:
    """A value as JSON data: views and lazy sequences as lists and mappings. Raises RenderError naming the path inside."""
    try:
        return _plain(value, "")
    except RecursionError:
        raise RenderError("the value is nested too deeply, or contains itself") from None


def settled(value: object) -> object:
    """The value of a lone expression, with what can be read only once (generators) and tuples and ranges made lists."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float) and not isfinite(value):
        raise RenderError(f"the value is {value}, which JSON cannot express")
    if isinstance(value, Iterator):
        read = list(islice(value, ITERATOR_MAX + 1))
        if len(read) > ITERATOR_MAX:
            raise RenderError(f"the expression gives more than {ITERATOR_MAX:,} values")
        return read
    if isinstance(value, tuple | range | KeysView | ValuesView | AbstractSet):
        return list(value)
    return value


def _plain(value: object, path: str) -> Json:
    if value is None or isinstance(value, bool | int | str | float):
        return _scalar(value, path)
    if _has_text_of_its_own(value):
        return str(value)
    if isinstance(value, Struct):  # `batch`
        value = asdict(value)
    if isinstance(value, Mapping):
        return {_name(key, path): _plain(part, _below(path, key)) for key, part in value.items()}
    if isinstance(value, _LISTED) and not isinstance(value, bytes | bytearray):
        return [_plain(part, f"{path}[{number}]") for number, part in enumerate(value)]
    raise RenderError(f"the value{_at(path)} is {_kind(value)}, which is not JSON data")


def _has_text_of_its_own(value: object) -> bool:
    return type(value).__str__ is not object.__str__ and not isinstance(value, list | dict | tuple | bytes)


_LISTED = (Sequence, Iterator, AbstractSet, KeysView, ValuesView)


def _scalar(value: None | bool | str | float, path: str) -> Json:
    if isinstance(value, str) and type(value) is not str:
        return str.__str__(value)
    if isinstance(value, float) and not isfinite(value):
        raise RenderError(f"the value{_at(path)} is {value}, which JSON cannot express")
    return value


def _below(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _encoded(value: Json) -> str:
    try:
        return jsontext.encode(value)
    except (ValueError, RecursionError) as error:
        raise RenderError(f"the value cannot be written as JSON: {error}") from None


def _name(key: object, path: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise RenderError(f"the key {key!r}{_at(path)} is {_kind(key)}; the keys of JSON data are text")


def _at(path: str) -> str:
    return f" at {path}" if path else ""


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"


def kind_in_words(value: object) -> str:
    """What kind of value this is, for messages: "a text", "a list of 3"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        try:
            return f"a list of {len(value)}"
        except (TypeError, BatchworkError):  # a lazy sequence may not know its length, or not be readable
            return "a list"
    return f"a {type(value).__name__}"
