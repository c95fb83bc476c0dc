"""The fields that task types and item sources declare as a msgspec Struct, in words. Fields of workflows and steps are not here."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from batchwork.text.jsontext import encode

REQUIRED = "required"
_WORDS: dict[object, str] = {
    Any: "anything",
    str: "text",
    bool: "true/false",
    int: "integer",
    float: "number",
    dict: "mapping",
    list: "list",
}


class DeclaredField(NamedTuple):
    """`default` is "required", empty where there is none, or how it would be written."""

    name: str
    type: str
    default: str
    text: str


def declared_fields(kind: type) -> Iterator[DeclaredField]:
    """Each field of a Struct, in its order."""
    for field in msgspec.structs.fields(kind):
        yield DeclaredField(field.encode_name, type_name(field.type), _default(field), _description(field.type))


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return REQUIRED
    if field.default in (msgspec.NODEFAULT, None, msgspec.UNSET, ""):
        return ""
    return field.default if isinstance(field.default, str) else encode(field.default)


def _description(kind: object) -> str:
    """What `Annotated[…, Meta(description=…)]` says."""
    notes = getattr(kind, "__metadata__", ())
    return next((note.description for note in notes if isinstance(note, msgspec.Meta) and note.description), "")


def type_name(kind: object) -> str:
    """A type in words: `text or list of text`."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return type_name(parts[0])
    if origin in (Union, UnionType):
        return _union_name(parts)
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin is list and parts:
        return f"list of {type_name(parts[0])}"
    plain = origin or kind
    if isinstance(plain, type):
        return _WORDS.get(plain, plain.__name__.lower())
    return "anything"


def _union_name(parts: tuple[object, ...]) -> str:
    names = [type_name(part) for part in parts if part not in (type(None), msgspec.UnsetType)]
    if "anything" in names:
        return "anything"
    return " or ".join(dict.fromkeys(names))
