"""Nodes to StepSpec: one step, and the list or mapping of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchwork.errors import Problem
from batchwork.spec.fields.batch import BatchSettings, BatchSpec
from batchwork.spec.fields.step import STEP_NAME, StepHead, StepSettings, StepSpec
from batchwork.spec.fields.task import TaskSpec
from batchwork.spec.mapping import Block, proper_names
from batchwork.spec.parse_batch import parse_batch, parse_for_each, unfold_parallel
from batchwork.spec.parse_task import task_spec, type_of
from batchwork.spec.yaml.nodes import ListNode, MapNode, Node, ScalarNode, describe

TASK_HINT = "for example `task: shell` with `inputs: {command: …}`, or `task: batch` for many items"
_NOT_BESIDE_BATCH = {
    "for_each": "its list is `items:`",
    "parallel": "it belongs under `inputs:`",
    "max_parallel": "it belongs under `inputs:`",
}


def parse_steps(node: Node, what: str, problems: list[Problem], finalizer: bool = False) -> tuple[StepSpec, ...]:
    """All steps under `steps` or `finally` that could be read at all."""
    found = [parse_step(name, part, problems, finalizer) for name, part in _parts(node, what, problems)]
    return tuple(step for step in found if step is not None)


def _parts(node: Node, what: str, problems: list[Problem]) -> Iterator[tuple[ScalarNode | None, Node]]:
    """The steps, each with its name where that is a key."""
    if isinstance(node, ListNode):
        yield from ((None, part) for part in node.items)
    elif isinstance(node, MapNode):
        for name, entry in node.entries.items():
            yield ScalarNode(entry.place, name, name), entry.node
    else:
        message = f"`{what}` must be a list of steps or a mapping from names to steps, but it is {describe(node)}"
        problems.append(Problem(node.place, message))


def parse_step(key: ScalarNode | None, node: Node, problems: list[Problem], finalizer: bool) -> StepSpec | None:
    """One step; `key` is its name where steps are a mapping."""
    if not isinstance(node, MapNode):
        message = f"a step must be a mapping with a name and a task, but it is {describe(node)}"
        problems.append(Problem(node.place, message, "for example {name: hello, task: echo, inputs: {message: Hi}}"))
        return None
    name = _name(key, node, problems)
    what = f"step `{name}`" if name else "a step"
    written = name or getattr(key or node.get("name"), "text", "")  # no name, but the rest is checked all the same
    hint = _hint(node)
    block = Block(node, what, [StepHead, StepSpec, StepSettings], problems, hint)
    unfold_parallel(block)
    fields = block.read(StepSpec)
    task, batch = _task(block, fields, problems)
    return StepSpec(
        name=written or f"(line {node.place.line}, column {node.place.column})",
        place=getattr(key, "place", block.key_place("name")),
        task=task,
        batch=batch,
        finalizer=finalizer,
        named=bool(written),
        settings=block.settings(StepSettings),
        **fields,
    )


def _hint(node: MapNode) -> str:
    """What is said of fields that are none of a step."""
    inputs = node.entries.get("inputs")
    if inputs is not None and isinstance(inputs.node, ScalarNode) and inputs.node.value is None:
        return f"if it belongs to `inputs:`, which is empty in line {inputs.place.line}, indent it further than that"
    if _has_inputs(node):
        return "fields of a batch step and of other tasks stand under `inputs:`"
    return "fields of a task stand under `inputs:`; `batchwork docs workflow` lists those of a step"


def _has_inputs(node: MapNode) -> bool:
    """Whether fields of a batch stand in the step itself."""
    known = proper_names([BatchSpec, BatchSettings])
    return not known.keys().isdisjoint(node.entries)


def _name(key: ScalarNode | None, node: MapNode, problems: list[Problem]) -> str | None:
    written = node.get("name")
    if key is not None:
        if written is not None and not (isinstance(written, ScalarNode) and written.value == key.value):
            problems.append(Problem(written.place, f"the step is already called `{key.text}`", "leave out `name`"))
        return STEP_NAME("name", key, problems)
    if written is not None:
        return STEP_NAME("name", written, problems)
    problems.append(Problem(node.place, "`name` is required in a step"))
    return None


def _task(block: Block, fields: Mapping[str, Any], problems: list[Problem]) -> tuple[TaskSpec | None, BatchSpec | None]:
    """The task of a step (of a batch step the nested one), and what makes it a batch step."""
    count = len(problems)
    kind = type_of(block.entries, problems)
    if kind is None:
        if len(problems) == count:
            problems.append(Problem(block.place, f"`task` is required in {block.what}", TASK_HINT))
        return None, None
    inputs = block.read(StepHead).get("inputs") or MapNode(block.place, {})
    if kind.text == "batch":
        _refuse(block, _NOT_BESIDE_BATCH, "`{}` does not stand beside `task: batch`")
        batch = parse_batch(inputs, problems)
        return batch.task, batch
    task = task_spec(kind, kind.place if kind.place.line else block.place, inputs.entries, problems)
    for_each = block.entries.get("for_each")
    if for_each is not None:
        return task, parse_for_each(for_each, fields.get("parallel"), fields.get("max_parallel"))
    hint = "several attempts at once need several items: `for_each:`, or `task: batch`"
    _refuse(block, dict.fromkeys(("parallel", "max_parallel"), hint), "`{}` needs `for_each`")
    return task, None


def _refuse(block: Block, names: dict[str, str], message: str) -> None:
    """A problem for each of these fields that is there; each has its hint."""
    for name, hint in names.items():
        if name in block.entries:
            block.problems.append(Problem(block.key_place(name), message.format(name), hint))
