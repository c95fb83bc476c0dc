"""YAML text to a tree of nodes with places: what is no YAML, too costly or ambiguous is refused. No meaning of fields here.

YAML's events come from PyYAML (libyaml where it is there); they are put together without recursion, so that neither
depth nor aliases can cost more than the limits say before they are refused. What plain scalars mean is YAML 1.2's
core schema; tags are refused, so nothing is ever constructed.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml
from msgspec import Struct, field

from batchwork.errors import Place, Problem
from batchwork.spec.yaml.bare import find_bare, stand_in
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode
from batchwork.spec.yaml.scalars import ScalarError, resolve
from batchwork.text.patterns import pattern
from batchwork.text.spelling import suggest

MAX_SIZE = 32 * 1024 * 1024
"""Characters in a file."""
MAX_DEPTH = 100
"""Lists and mappings inside each other, aliases counted as what they stand for."""
MAX_ALIASED = 100_000
"""Nodes that aliases may stand for; more only up to ten times what is written out."""

_OTHER_BREAKS = "\x85\u2028\u2029"  # line ends in YAML 1.1, as libyaml reads it, and ordinary characters in 1.2
_PRIVATE = "\uf8f1\uf8f2\uf8f3"
_INDENT = pattern(r"[^\n]*\n(?:[ \t]*\n)*( *)")


class _Refused(Exception):
    """Reading cannot go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_yaml(file: str, text: str, problems: list[Problem]) -> Node | None:
    """The document in `text`, or None where there is none; what is wrong is added to `problems`."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_SIZE:
        problems.append(Problem(Place(file), f"the file is larger than {MAX_SIZE // 1024**2} MiB", _TOO_LARGE))
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    composer = _Composer(file, text, problems)
    try:
        return composer.document()
    except _Refused as refused:
        problems.append(refused.problem)
    except yaml.YAMLError as error:
        if not problems:  # an unquoted template gone wrong is what libyaml then stumbles over
            from batchwork.spec.yaml.complaints import complaint  # most files are YAML

            problems.append(complaint(error, file, text))
    except UnicodeEncodeError as error:
        place = Place(file, text.count("\n", 0, error.start) + 1, error.start - text.rfind("\n", 0, error.start))
        problems.append(Problem(place, "a character that is not valid Unicode (half of a surrogate pair)"))
    return None


_TOO_LARGE = "keep the items in a file of their own: `items: {from: jsonl, path: …}`"


class _Open(Struct):
    """A list or mapping that is still being read. `size` and `height` count aliases as what they stand for."""

    place: Place
    anchor: str | None
    mapping: bool
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1


class _Anchored(Struct, frozen=True):
    node: Node
    size: int
    height: int


class _Anchors(Struct):
    """What aliases may name: nodes by anchor; how many nodes are written, and how many aliases stand for."""

    known: dict[str, _Anchored] = field(default_factory=dict)
    written: int = 0
    aliased: int = 0

    def saw(self, anchor: str | None, node: _Anchored) -> None:
        """A node that is complete."""
        self.written += 1
        if anchor is not None:
            self.known[anchor] = node

    def too_many(self, found: _Anchored) -> bool:
        """Whether an alias more makes the file stand for too much."""
        self.aliased += found.size
        return self.aliased > max(MAX_ALIASED, 10 * self.written)


class _Composer:
    """Puts the events of one document together."""

    def __init__(self, file: str, text: str, problems: list[Problem]) -> None:
        bare = find_bare(text)
        self.file, self.problems = file, problems
        self.templates = bare.templates
        self.source = bare.text
        self.translated = any(char in text for char in _OTHER_BREAKS) and not any(char in text for char in _PRIVATE)
        if self.translated:
            self.source = self.source.translate(str.maketrans(_OTHER_BREAKS, _PRIVATE))
        self.anchors = _Anchors()
        self.open: list[_Open] = []
        self.wrong: set[Place] = set()
        for offset, message in bare.wrong.items():
            place = Place(file, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
            self.wrong.add(place)
            problems.append(Problem(place, message, 'put the whole value into quotes: "{{ … }} …"'))

    def document(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in yaml.parse(self.source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    message = "a second document begins here (`---`); a workflow is one document"
                    raise _Refused(Problem(self._place(event), message))
                continue
            node = self._node(event)
            if node is not None:
                root = node
        if self.wrong:  # what is read of a wrong template only leads to more messages
            return None
        return root

    def _node(self, event: yaml.Event) -> Node | None:
        """Take one event; the root once it is complete."""
        if isinstance(event, yaml.ScalarEvent):
            node: Node = self._scalar(event)
            return self._add(node, 1, 0, event.anchor)
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._begin(event)
            return None
        if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            done = self.open.pop()
            node = self._mapping(done) if done.mapping else ListNode(done.place, tuple(done.items))
            return self._add(node, done.size, done.height, done.anchor)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        return None

    def _add(self, node: Node, size: int, height: int, anchor: str | None) -> Node | None:
        self.anchors.saw(anchor, _Anchored(node, size, height))
        return self._place_in_parent(node, size, height)

    def _place_in_parent(self, node: Node, size: int, height: int) -> Node | None:
        if not self.open:
            return node
        parent = self.open[-1]
        parent.items.append(node)
        parent.size += size
        parent.height = max(parent.height, height + 1)
        return None

    def _begin(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        place = self._place(event)
        self._check_tag(event, place)
        if len(self.open) >= MAX_DEPTH:
            raise _Refused(Problem(place, f"nested too deeply: more than {MAX_DEPTH} lists and mappings in each other"))
        self.open.append(_Open(place, event.anchor, isinstance(event, yaml.MappingStartEvent)))

    def _alias(self, event: yaml.AliasEvent) -> Node | None:
        name, place = event.anchor or "", self._place(event)
        found = self.anchors.known.get(name)
        if found is None:
            if any(part.anchor == name for part in self.open):
                raise _Refused(Problem(place, f"alias `*{name}` stands inside what it names"))
            hint = suggest(name, self.anchors.known) or "an anchor `&name` must stand before the alias `*name`"
            raise _Refused(Problem(place, f"alias `*{name}` is unknown: there is no anchor `&{name}`", hint))
        if self.anchors.too_many(found):
            message = f"alias `*{name}` makes the file stand for more than {MAX_ALIASED:,} values; it is not expanded"
            raise _Refused(Problem(place, message, "write fewer aliases of aliases, or keep the items in a file"))
        if len(self.open) + found.height > MAX_DEPTH:
            raise _Refused(Problem(place, f"nested too deeply: alias `*{name}` goes beyond {MAX_DEPTH} levels"))
        return self._place_in_parent(found.node, found.size, found.height)

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        place, text, style = self._place(event), event.value, event.style
        self._check_tag(event, place)
        if self.translated:
            text = text.translate(str.maketrans(_PRIVATE, _OTHER_BREAKS))
        if style in ("|", ">"):
            place = self._content_place(event)._replace(flat=style == ">")
            return ScalarNode(place, text, text, "block")
        if style in ("'", '"'):
            if "\n" in text:
                place = place._replace(flat=True)
            return ScalarNode(place, text, text, "quoted")
        template = self._template(event) if self.templates else None
        if template is not None:
            if text != stand_in(template):
                message = "text that begins with `{{` and goes on after `}}` must be quoted"
                self.problems.append(Problem(place, message, 'put the whole value into quotes: "{{ … }} …"'))
            return ScalarNode(place, template, template, "template")
        try:
            return ScalarNode(place, resolve(text), text)
        except ScalarError as error:
            self.problems.append(Problem(place, str(error)))
            return ScalarNode(place, text, text)

    def _template(self, event: yaml.ScalarEvent) -> str | None:
        """The template that a plain scalar stands for; behind an anchor it begins later than the event."""
        end: int = event.end_mark.index if event.end_mark is not None else 0
        return self.templates.get(_mark(event).index) or self.templates.get(end - len(event.value))

    def _mapping(self, done: _Open) -> MapNode:
        entries: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, node in zip(done.items[::2], done.items[1::2], strict=True):
            name = self._key(key)
            if name is None:
                continue
            if name in entries:
                first = entries[name].place
                message = f"duplicate key `{name}`: it is already at line {first.line}"
                self.problems.append(Problem(key.place, message, "keep one of them"))
                continue
            entries[name] = Entry(key.place, node)
            if name == "<<" and isinstance(key, ScalarNode) and key.style == "plain":
                for part in self._merged(node):
                    merged = {**part.entries, **merged}
        if merged:
            del entries["<<"]
            for name, entry in merged.items():
                entries.setdefault(name, entry)
        return MapNode(done.place, entries)

    def _merged(self, node: Node) -> Iterable[MapNode]:
        """The mappings that `<<` merges, those that win first."""
        for part in getattr(node, "items", (node,)):
            if isinstance(part, MapNode):
                yield part
            else:
                message = "`<<` merges mappings, and this is not a mapping"
                self.problems.append(Problem(part.place, message, "write `<<: *name` with a mapping behind `&name`"))

    def _key(self, key: Node) -> str | None:
        if not isinstance(key, ScalarNode):
            self.problems.append(Problem(key.place, "a key must be text, but this is a list or a mapping"))
            return None
        if self.wrong and key.place in self.wrong:
            return None
        if key.style == "template":
            self.problems.append(Problem(key.place, "a key cannot be a template", "write the key as quoted text"))
            return None
        if key.value is None and key.text == "":
            self.problems.append(Problem(key.place, "a key is missing before `:`"))
            return None
        return key.text

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place) -> None:
        tag = event.tag
        if tag is None:
            return
        shown = str(tag).replace("tag:yaml.org,2002:", "!!")
        message = f"the tag `{shown}` is refused: a workflow may not have YAML tags"
        self.problems.append(Problem(place, message, "remove the tag, and quote what is to be text"))

    def _place(self, event: yaml.Event) -> Place:
        mark = _mark(event)
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _content_place(self, event: yaml.ScalarEvent) -> Place:
        """Where the first line of a block scalar's content begins."""
        mark = _mark(event)
        indent = _INDENT.match(self.source, mark.index)
        return Place(self.file, mark.line + 2, len(indent[1]) + 1 if indent else 1)


def _mark(event: yaml.Event) -> yaml.Mark:
    mark = event.start_mark
    assert isinstance(mark, yaml.Mark) or hasattr(mark, "index")  # events that are parsed have marks
    return mark  # type: ignore[return-value]  # libyaml's marks are of another class with the same fields
