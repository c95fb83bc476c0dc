"""What a YAML file holds, as frozen trees in which everything has its place. No reading of text, no meaning.

Nodes never form cycles, and a file may have a million of them, so the garbage collector need not look at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.text.jsontext import Json
from batchwork.text.wording import visible

Style: TypeAlias = Literal["plain", "quoted", "block", "template"]
NodePath: TypeAlias = tuple[str | int, ...]


class ScalarNode(Struct, frozen=True, gc=False):
    """Text, a number, true, false or null. `text` is what was written; `template`: an unquoted `{{ … }}`.

    The place of a block scalar (`|`, `>`) is where its content begins, so that its n-th line is n - 1 lines below.
    """

    place: Place
    value: str | int | float | bool | None
    text: str
    style: Style = "plain"


class ListNode(Struct, frozen=True, gc=False):
    place: Place
    items: tuple[Node, ...]


class Entry(Struct, frozen=True, gc=False):
    """One `key: value` of a mapping; `place` is the key's."""

    place: Place
    node: Node


class MapNode(Struct, frozen=True, gc=False):
    place: Place
    entries: Mapping[str, Entry]

    def get(self, name: str) -> Node | None:
        if name not in self.entries:
            return None
        return self.entries[name].node


Node: TypeAlias = ScalarNode | ListNode | MapNode


def json_of(node: Node) -> Json:
    """The node as JSON data. Its depth is bounded by the loader."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [item.value if isinstance(item, ScalarNode) else json_of(item) for item in node.items]
    return {key: json_of(entry.node) for key, entry in node.entries.items()}


def node_of(value: object, place: Place) -> Node:
    """JSON data as a node, everything at `place`: for what was rendered, or given on the command line."""
    if isinstance(value, Mapping):
        return MapNode(place, {str(key): Entry(place, node_of(part, place)) for key, part in value.items()})
    if isinstance(value, str):
        return ScalarNode(place, value, value, "quoted")
    if value is None:
        return ScalarNode(place, None, "null")
    if isinstance(value, (bool, int, float)):
        return ScalarNode(place, value, str(value).lower())
    if isinstance(value, Sequence):
        return ListNode(place, tuple(node_of(part, place) for part in value))
    return ScalarNode(place, str(value), str(value), "quoted")


def place_in(node: Node) -> Callable[[NodePath], Place]:
    """The places of the parts of `node` by their path in its JSON data; a path that leads nowhere gives the last place on it."""

    def find(path: NodePath) -> Place:
        here: Node = node
        for part in path:
            if isinstance(here, MapNode) and (entry := here.entries.get(str(part))) is not None:
                here = entry.node
            elif isinstance(here, ListNode) and isinstance(part, int) and 0 <= part < len(here.items):
                here = here.items[part]
            else:
                break
        return text_place(here)

    return find


def text_place(node: Node) -> Place:
    """Where the first character of a text stands: behind the quote, if there is one."""
    if isinstance(node, ScalarNode) and node.style == "quoted" and node.place.line:
        return Place(node.place.file, node.place.line, node.place.column + 1, node.place.flat)
    return node.place


def describe(node: Node) -> str:
    """What a node is, for "… but this is …"."""
    if isinstance(node, MapNode):
        return "a mapping" if node.entries else "an empty mapping"
    if isinstance(node, ListNode):
        return "a list" if node.items else "an empty list"
    value = node.value
    if value is None:
        return "empty" if not node.text else "null"
    if isinstance(value, str):
        if len(value) > 40:
            value = value[:39] + "…"
        return f"the text {value!r}"
    return f"{node.text or value}"


def excerpted(problem: Problem, lines: Sequence[str]) -> Problem:
    """The problem with the line of the file that it is about."""
    number = problem.place.line
    if problem.excerpt or not 0 < number <= len(lines):
        return problem
    line = lines[number - 1].rstrip()
    column = max(problem.place.column - 1, 0)
    if len(line) > 100:
        start = max(column - 40, 0)
        before, after = line[:start], line[start + 80 :]
        line = f"{before and '…'}{line[start : start + 80].strip()}{after and '…'}"
    return Problem(problem.place, problem.message, problem.hint, visible(line.strip()))
