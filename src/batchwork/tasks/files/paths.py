"""Paths in the fields of a task: checked as far as they are known beforehand, and for each unit. No file is touched here."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from batchwork.errors import BindError, Place, Problem, RenderError
from batchwork.ports import FieldValue, Scope
from batchwork.tasks.fields import OF_UNITS
from batchwork.template import Value, text_of


class OfValue(Struct, frozen=True):
    """A field that is made of a value as it was written."""

    value: FieldValue

    @property
    def roots(self) -> frozenset[str]:
        return self.value.roots

    @property
    def place(self) -> Place:
        return self.value.place


class PathField(OfValue, frozen=True):
    """A path. `ups`: how often values may go up by `..`, None for as often as they like."""

    field: str
    ups: int | None = None

    def render(self, scope: Scope) -> str:
        """Raises RenderError, BindError."""
        found = self.value.render(scope)
        if isinstance(found, dict | list) or found is None or isinstance(found, bool):
            raise RenderError(f"`{self.field}` must be the path of a file, but it is {text_of(found)[:60]}")
        path = checked_path(self.field, text_of(found))
        if self.ups is not None and path.split("/").count("..") > self.ups:
            message = f"`{self.field}`: a value leads out of its folder by `..`: {path!a}"
            raise BindError(message, "take its last part with {{ … | basename }}")
        return path


class TextField(OfValue, frozen=True):
    """A text; other values as JSON."""

    def render(self, scope: Scope) -> str:
        """Raises RenderError."""
        return text_of(self.value.render(scope))


def path_field(field: str, value: FieldValue, *, written: bool) -> PathField:
    """A path that is `written` to keeps in the folder that the author names, if one is named before any value."""
    template = value.template if isinstance(value, Value) else None
    if not written or template is None:
        return PathField(value, field)
    first = template.parts[0] if template.parts else ""
    if not isinstance(first, str):  # a value says where it begins, so a value says where it is
        return PathField(value, field)
    text = "".join(part if isinstance(part, str) else "x" for part in template.parts)
    return PathField(value, field, text.split("/").count(".."))


def path_problems(field: str, value: Value | None) -> Iterator[Problem]:
    """What can be said of a path before values are known."""
    if value is not None and value.is_constant:
        try:
            PathField(value, field).render({})
        except RenderError as error:
            yield Problem(value.place, error.message, error.hint)


def path_warnings(field: str, value: Value | None, names: frozenset[str]) -> Iterator[Problem]:
    """Where all items would be written to one file; `names` are those there are."""
    if value is not None and "item" in names and value.roots.isdisjoint(OF_UNITS):
        message = f"`{field}` is the same for all items: each replaces what the one before has written"
        yield Problem(value.place, message, "use {{ item }}, {{ key }} or {{ index }} in it")


def checked_path(field: str, path: str) -> str:
    """Raises BindError."""
    if not path or "\0" in path:
        raise BindError(f"`{field}` is {path!a}, which cannot be the path of a file")
    if path.endswith("/"):
        raise BindError(f"`{field}` is {path!a}, a folder", "name the file in it, such as with {{ item | basename }}")
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BindError(f"`{field}` contains {path[error.start]!a}, half of a character") from None
    return path
