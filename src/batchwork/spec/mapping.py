"""Reading one mapping by the fields that are declared for it: synonyms, what is unknown, what is missing. No particular fields here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.spec.field import Field, declared
from batchwork.spec.readers import has_template, is_null
from batchwork.spec.written import Deferred, WrittenSettings
from batchwork.spec.yaml.nodes import Entry, MapNode, Node, ScalarNode
from batchwork.text.spelling import listing, suggest_field

S = TypeVar("S", bound=Struct)


class Block:
    """One mapping, its entries under their proper names. Unknown ones become problems when it is made."""

    def __init__(
        self, node: MapNode, what: str, kinds: Sequence[type[Struct]], problems: list[Problem], hint: str = ""
    ) -> None:
        self.place = node.place
        self.what = what
        self.problems = problems
        self.entries: dict[str, Entry] = {}
        proper = proper_names(kinds)
        known = dict.fromkeys(proper.values())
        for written, entry in node.entries.items():
            name = proper.get(written, written)
            if name in self.entries:
                message = f"`{written}` is another name for `{name}`, which is already there"
                problems.append(Problem(entry.place, message, "keep one of them"))
            elif name in known:
                self.entries[name] = entry
            else:
                near = suggest_field(written, proper) or hint or f"there are: {listing(known)}"
                problems.append(Problem(entry.place, f"unknown field `{written}` in {what}", near))

    def node(self, name: str) -> Node | None:
        if name not in self.entries:
            return None
        return self.entries[name].node

    def key_place(self, name: str) -> Place:
        return getattr(self.entries.get(name), "place", self.place)

    def read(self, kind: type[Struct]) -> dict[str, Any]:
        """The fields of `kind` that are written and right, by attribute; templates for them where they may be some."""
        found = {}
        for attribute, field in declared(kind).items():
            node = self.node(field.name)
            if node is None or (field.null and is_null(node)):
                continue
            value = _setting(field, node, self.problems)
            if value is not None:
                found[attribute] = value
        return found

    def settings(self, kind: type[S]) -> WrittenSettings[S]:
        """The same, to be rendered when the plan is made."""
        return WrittenSettings(kind, self.place, self.read(kind))

    def require(self, name: str, hint: str = "") -> None:
        if name not in self.entries:
            self.problems.append(Problem(self.place, f"`{name}` is required in {self.what}", hint))


def proper_names(kinds: Sequence[type[Struct]]) -> dict[str, str]:
    """The names of all fields, then their synonyms; each with the name of its field."""
    fields = [field for kind in kinds for field in declared(kind).values()]
    synonyms = {other: field.name for field in fields for other in field.synonyms}
    return {field.name: field.name for field in fields} | synonyms


def _setting(field: Field, node: Node, problems: list[Problem]) -> object:
    if field.template and isinstance(node, ScalarNode) and has_template(node):
        return Deferred(node, lambda rendered, found: field.reader(field.name, rendered, found))
    return field.reader(field.name, node, problems)
