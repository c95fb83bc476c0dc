"""The body of a request, from what is written: JSON, a text, a form, a file that is sent as it is, parts with files in them.

Files are named here and read by who sends them, piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from msgspec import Struct

from batchwork.errors import BindError, Problem, RenderError
from batchwork.ports import Scope
from batchwork.tasks.fields import Given, rendered, value_of
from batchwork.tasks.http_request.headers import checked_value, each
from batchwork.template import Value, json_text, text_of
from batchwork.text.jsontext import Json
from batchwork.text.spelling import listing, suggest_field

BODIES = ("json", "data", "multipart")
_PART_FIELDS = ("file", "text", "filename", "type")
_FORM = "application/x-www-form-urlencoded"


class Body(Struct, frozen=True):
    """What is sent: one of them, or nothing."""

    json: Value | None
    data: Value | None
    multipart: Value | None = None

    def sent(self, scope: Scope) -> tuple[Json, str]:
        """The text, `{"file": path}` or `{"multipart": parts}`, and its content type. Raises RenderError, BindError."""
        if self.json is not None and not (self.json.is_constant and self.json.json is None):
            return json_text(self.json.render(scope)), "application/json"
        if self.multipart is not None and (parts := self.multipart.render(scope)) is not None:
            return {"multipart": list(_parts(parts))}, ""  # who sends it chooses what stands between the parts
        value = rendered(self.data, scope)
        if value is None:
            return None, ""
        try:
            return _data(value)
        except UnicodeEncodeError as error:
            raise BindError(f"`data` contains {str(error.object)[error.start]!a}, half of a character") from None


def body_problems(fields: Given) -> Iterator[Problem]:
    """What can be said of the body before its values are known."""
    there = [name for name in BODIES if name in fields]
    if len(there) > 1:
        place = fields[there[-1]].place
        yield Problem(place, f"{listing(there)} exclude each other: a request has one body", "keep one of them")
    parts = value_of(fields, "multipart")
    if parts is not None and isinstance(parts.json, dict):
        try:
            for part in [part for value in parts.json.values() for part in each(value)]:
                _checked_fields(part)
        except RenderError as error:
            yield Problem(parts.place, error.message, error.hint)


def _data(value: object) -> tuple[Json, str]:
    """Raises UnicodeEncodeError, BindError."""
    if isinstance(value, Mapping):
        if value.keys() == {"file"}:
            return {"file": _path(value["file"])}, "application/octet-stream"
        return _form(value), _FORM
    text = text_of(value)
    text.encode()
    return text, "text/plain; charset=utf-8"


def _form(value: Mapping[str, object]) -> str:
    pairs = [(str(name), part) for name, parts in value.items() for part in each(parts)]
    return urlencode([(name, text_of(part)) for name, part in pairs if part is not None])


def _parts(value: object) -> Iterator[Json]:
    """Raises RenderError, BindError."""
    if not isinstance(value, Mapping):
        raise RenderError("`multipart` must be a mapping of names to values")
    for name, parts in value.items():
        for part in each(parts):
            if part is not None:
                yield {"name": _encodable(str(name)), **_part(part)}


def _part(part: object) -> dict[str, Json]:
    _checked_fields(part)
    if not isinstance(part, Mapping):
        return {"text": _encodable(text_of(part))}
    found: dict[str, Json] = {}
    if "file" in part:
        found["file"] = _path(part["file"])
    else:
        found["text"] = _encodable(text_of(part["text"]))
    if part.get("filename") is not None:
        found["filename"] = checked_value("filename", text_of(part["filename"]))
    if part.get("type") is not None:
        found["type"] = checked_value("type", text_of(part["type"]))
    return found


def _checked_fields(part: object) -> None:
    """Insist that a mapping describes a part. Raises RenderError."""
    if not isinstance(part, Mapping):
        return
    for name in part:
        if name not in _PART_FIELDS:
            hint = suggest_field(str(name), _PART_FIELDS) or f"there are: {listing(_PART_FIELDS)}"
            raise RenderError(f"unknown field `{name}` in a part of `multipart`", hint)
    if ("file" in part) == ("text" in part):
        raise RenderError(
            "a part of `multipart` has either `file` or `text`", "a plain value is short for {text: value}"
        )


def _path(value: object) -> str:
    path = text_of(value)
    if not path or "\0" in path:
        raise BindError(f"{path!a} cannot be the name of a file")
    return path


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BindError(f"`multipart` contains {text[error.start]!a}, half of a character") from None
    if "\0" in text:
        raise BindError("`multipart` has a NUL in a text", "send it from a file: {file: path}")
    return text
