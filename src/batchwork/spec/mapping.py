"""Reading one mapping field by field: synonyms, what is unknown, what comes later, what is missing. No particular fields here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from batchwork.errors import Place, Problem
from batchwork.spec.written import Deferred, Reader, Setting
from batchwork.spec.yaml.nodes import Entry, MapNode, Node, ScalarNode, describe
from batchwork.text.spelling import listing, suggest

T = TypeVar("T")


def is_template(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, str) and ("{{" in node.value or "{%" in node.value)


class Fields:
    """The fields of one mapping, under their proper names. Unknown ones become problems when it is made."""

    def __init__(
        self,
        node: MapNode,
        what: str,
        known: Iterable[str],
        problems: list[Problem],
        synonyms: Mapping[str, str] | None = None,
        later: Iterable[str] = (),
        hint: str = "",
    ) -> None:
        self.place = node.place
        self.what = what
        self.problems = problems
        self.entries: dict[str, Entry] = {}
        names, others = tuple(known), synonyms or {}
        for written, entry in node.entries.items():
            name = others.get(written, written)
            if name in self.entries:
                message = f"`{written}` is another name for `{name}`, which is already there"
                problems.append(Problem(entry.place, message, "keep one of them"))
            elif name in names:
                self.entries[name] = entry
            elif written in later:
                problems.append(Problem(entry.place, f"`{written}` comes in a later version"))
            else:
                near = suggest(written, [*names, *others]) or hint or f"there are: {listing(names)}"
                problems.append(Problem(entry.place, f"unknown field `{written}` in {what}", near))

    def node(self, name: str) -> Node | None:
        entry = self.entries.get(name)
        return entry.node if entry else None

    def key_place(self, name: str) -> Place:
        entry = self.entries.get(name)
        return entry.place if entry else self.place

    def take(self, name: str, read: Reader[T]) -> T | None:
        """The value of a field, which may not be a template; None where it is not there or wrong."""
        node = self.node(name)
        return None if node is None else read(node, self.problems)

    def setting(self, name: str, read: Reader[T], nullable: bool = False) -> Setting[T]:
        """The value of a field, or the template that will give it."""
        node = self.node(name)
        if node is None or (nullable and isinstance(node, ScalarNode) and node.value is None):
            return None
        if isinstance(node, ScalarNode) and is_template(node):
            return Deferred(node, read)
        return read(node, self.problems)

    def mapping(self, name: str) -> MapNode | None:
        """A field that must be a mapping; an empty one may be left out."""
        node = self.node(name)
        if node is None or (isinstance(node, ScalarNode) and node.value is None):
            return None
        if isinstance(node, MapNode):
            return node
        self.problems.append(Problem(node.place, f"`{name}` must be a mapping, but it is {describe(node)}"))
        return None

    def require(self, name: str, hint: str = "") -> bool:
        if name in self.entries:
            return True
        self.problems.append(Problem(self.place, f"`{name}` is required in {self.what}", hint))
        return False
