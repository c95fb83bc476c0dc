"""The file that a response is saved to (`save_to`): its path, which values cannot lead out of the folder that is written."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from batchwork.errors import BindError, Problem
from batchwork.ports import Scope
from batchwork.tasks.fields import OF_UNITS
from batchwork.template import Value, text_of


class SavePlace(Struct, frozen=True):
    """A path that is made for each unit; `ups` is how often `..` stands in what the author wrote."""

    value: Value
    ups: int

    def path(self, scope: Scope) -> str | None:
        """None where it is null: the body is then part of the result. Raises RenderError, BindError."""
        found = self.value.render(scope)
        if found is None:
            return None
        path = checked_path(text_of(found))
        if path.split("/").count("..") > self.ups:
            message = f"a value leads out of its folder by `..`: {path!a}"
            raise BindError(message, "take its last part with {{ … | basename }}")
        return path


def save_place(value: Value | None) -> SavePlace | None:
    if value is None:
        return None
    template = value.template
    written = str(value.json)
    if template is not None:
        written = "".join(part if isinstance(part, str) else "x" for part in template.parts)
    return SavePlace(value, written.split("/").count(".."))


def place_problems(value: Value | None) -> Iterator[Problem]:
    """What can be said of it before its values are known."""
    if value is None or value.json is None:
        return
    if not isinstance(value.json, str):
        yield Problem(value.place, "`save_to` must be the path of a file")
    elif value.is_constant:
        try:
            checked_path(value.json)
        except BindError as error:
            yield Problem(value.place, error.message, error.hint)


def place_warnings(value: Value | None, names: frozenset[str]) -> Iterator[Problem]:
    """Where all items would be saved in the same place; `names` are those there are."""
    if value is not None and value.json is not None and "item" in names and value.roots.isdisjoint(OF_UNITS):
        message = "`save_to` is the same for all items: each replaces what the one before has saved"
        yield Problem(value.place, message, "use {{ item }}, {{ key }} or {{ index }} in it")


def checked_path(path: str) -> str:
    """Raises BindError."""
    if not path or "\0" in path or path.endswith("/"):
        raise BindError(f"`save_to` is {path!a}, which cannot be the path of a file")
    return path
