"""Nodes to TaskSpec: what is done, and where its fields may stand."""

from __future__ import annotations

from collections.abc import Mapping

from batchwork.errors import Place, Problem
from batchwork.spec.fields.retry import AttemptSpec
from batchwork.spec.fields.task import TaskSpec
from batchwork.spec.mapping import Block
from batchwork.spec.readers import Reader, is_null, wrong
from batchwork.spec.yaml.nodes import Entry, MapNode, Node, ScalarNode, describe

TYPE_SYNONYMS = {"python_code": "python", "http.request": "http_request", "print_message": "echo"}
TASK_FORM = "a task is `{type: shell, command: …}`"


class TaskReader(Reader[TaskSpec], frozen=True):
    """A task inside of something else. `what` it is, for messages."""

    what: str

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> TaskSpec | None:
        return parse_task(node, self.what, problems)


def type_of(fields: Mapping[str, Entry], problems: list[Problem]) -> ScalarNode | None:
    """What stands behind `task` or `type`, if it is a name. Both together are a problem; so is neither, but not here."""
    written = [fields[name] for name in ("task", "type") if name in fields]
    if len(written) == 2:
        problems.append(Problem(written[1].place, "`task` and `type` mean the same", "keep one of them"))
    for entry in written:
        node = entry.node
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.style != "template":
            return node
        problems.append(wrong("type", "the name of a task type", node))
    return None


def type_name(node: ScalarNode) -> str:
    return TYPE_SYNONYMS.get(node.text, node.text)


def parse_task(node: Node, what: str, problems: list[Problem]) -> TaskSpec | None:
    """A nested task: its type, its fields (inline, or under `inputs`), and `retry` and `timeout` beside them."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.style != "template":
        return TaskSpec(type=type_name(node), type_place=node.place, place=node.place, fields={})
    if not isinstance(node, MapNode):
        problems.append(Problem(node.place, f"{what} must be a mapping with a `type`, but it is {describe(node)}"))
        return None
    count = len(problems)
    kind = type_of(node.entries, problems)
    if kind is None:
        if len(problems) == count:
            problems.append(Problem(node.place, f"`type` is required in {what}", TASK_FORM))
        return None
    fields = {name: entry for name, entry in node.entries.items() if name not in ("task", "type", "inputs")}
    inputs = node.entries.get("inputs")
    if inputs is not None:
        fields |= _inputs(inputs.node, fields, problems)
    return task_spec(kind, node.place, fields, problems)


def _inputs(node: Node, inline: Mapping[str, Entry], problems: list[Problem]) -> Mapping[str, Entry]:
    if not isinstance(node, MapNode):
        if not is_null(node):
            problems.append(Problem(node.place, f"`inputs` must be a mapping, but it is {describe(node)}"))
        return {}
    for name in node.entries.keys() & inline.keys():
        place = node.entries[name].place
        problems.append(Problem(place, f"`{name}` is given twice, under `inputs` and beside it", "keep one of them"))
    return node.entries


def task_spec(kind: ScalarNode, place: Place, fields: Mapping[str, Entry], problems: list[Problem]) -> TaskSpec:
    """A task of fields that are sorted out already. `retry` and `timeout` are read; a type may have them as its own too."""
    shared = {name: fields[name] for name in ("retry", "timeout") if name in fields}
    block = Block(MapNode(place, shared), "the task", [AttemptSpec], problems)
    return TaskSpec(
        type=type_name(kind),
        type_place=kind.place,
        place=place,
        fields={name: entry for name, entry in fields.items() if name != "retry"},
        **block.read(AttemptSpec),
    )
