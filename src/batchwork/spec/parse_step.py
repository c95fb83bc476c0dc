"""Nodes to StepSpec: one step, and the list or mapping of them. Tasks and batches are in parse_task.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from batchwork.errors import Place, Problem
from batchwork.spec import models, readers
from batchwork.spec.mapping import Fields, is_template
from batchwork.spec.parse_task import (
    BATCH_SYNONYMS,
    parse_batch,
    parse_parallel,
    parse_retry,
    parse_task,
    task_spec,
    type_of,
)
from batchwork.spec.written import BatchSpec, StepSpec, TaskSpec
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, describe

_SYNONYMS = {"condition": "when", "max_workers": "max_parallel"}
_BATCH_ONLY = frozenset(models.field_names(models.Batch)) | frozenset(BATCH_SYNONYMS)


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
    written = name or _written_name(key, node)  # the rest of it is checked all the same
    others = [field for field in node.entries if field in _BATCH_ONLY]
    hint = "fields of a batch step and of other tasks stand under `inputs:`" if others else ""
    fields = Fields(node, what, models.field_names(models.Step), problems, _SYNONYMS, hint=hint)
    task, batch = _task(fields, what, problems)
    depends_on = fields.take("depends_on", readers.texts("depends_on"))
    return StepSpec(
        name=written or f"(line {node.place.line}, column {node.place.column})",
        place=key.place if key else fields.key_place("name"),
        task=task,
        batch=batch,
        retry=parse_retry(fields, problems),
        timeout_s=fields.setting("timeout", readers.duration("timeout"), nullable=True),
        when=_when(fields.node("when"), problems),
        depends_on=depends_on,
        on_error=_on_error(fields.node("on_error"), problems),
        outputs=_outputs(fields.node("outputs"), problems),
        finalizer=finalizer,
        named=bool(written),
    )


def _written_name(key: ScalarNode | None, node: MapNode) -> str:
    """What stands as the name, although it may not be one."""
    written = key if key is not None else node.get("name")
    return written.text if isinstance(written, ScalarNode) else ""


def _name(key: ScalarNode | None, node: MapNode, problems: list[Problem]) -> str | None:
    written = node.get("name")
    read = readers.identifier("the name of a step", dashes=True)
    if key is None:
        if written is None:
            problems.append(Problem(node.place, "`name` is required in a step"))
            return None
        return read(written, problems)
    if written is not None and not (isinstance(written, ScalarNode) and written.value == key.value):
        problems.append(Problem(written.place, f"the step is already called `{key.text}`", "leave out `name`"))
    return read(key, problems)


def _task(fields: Fields, what: str, problems: list[Problem]) -> tuple[TaskSpec | None, BatchSpec | None]:
    """The task of a step (of a batch step the nested one), and what makes it a batch step."""
    count = len(problems)
    kind = type_of(fields.entries, problems)
    if kind is None:
        if len(problems) == count:
            problems.append(Problem(fields.place, f"`task` is required in {what}", "for example `task: batch`"))
        return None, None
    inputs = fields.mapping("inputs")
    for_each = fields.entries.get("for_each")
    if kind.text == "batch":
        for name in ("for_each", "parallel", "max_parallel"):
            if name in fields.entries:
                hint = "its list is `items:`" if name == "for_each" else "it belongs under `inputs:`"
                problems.append(Problem(fields.key_place(name), f"`{name}` does not stand beside `task: batch`", hint))
        batch, nested = parse_batch(inputs or MapNode(fields.place, {}), problems)
        return nested, batch
    entries = dict(inputs.entries) if inputs else {}
    task = task_spec(kind, _task_place(kind, fields), entries, problems)
    if for_each is None:
        for name in ("parallel", "max_parallel"):
            if name in fields.entries:
                hint = "several attempts at once need several items: `for_each:`, or `task: batch`"
                problems.append(Problem(fields.key_place(name), f"`{name}` needs `for_each`", hint))
        return task, None
    return task, _shorthand(for_each, fields, problems)


def _task_place(kind: ScalarNode, fields: Fields) -> Place:
    return kind.place if kind.place.line else fields.place


def _shorthand(for_each: Entry, fields: Fields, problems: list[Problem]) -> BatchSpec:
    parallel, max_parallel = parse_parallel(fields, problems)
    return BatchSpec(
        items=for_each.node,
        place=for_each.place,
        shorthand=True,
        each="item",
        parallel=parallel,
        max_parallel=max_parallel,
    )


def _when(node: Node | None, problems: list[Problem]) -> ScalarNode | None:
    if node is None:
        return None
    if isinstance(node, ScalarNode) and (isinstance(node.value, bool) or is_template(node)):
        return node
    problems.append(readers.wrong("when", "true, false or a template that gives one of them", node))
    return None


def _on_error(node: Node | None, problems: list[Problem]) -> Literal["continue"] | TaskSpec | None:
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return None
    if isinstance(node, MapNode):
        return parse_task(node, "`on_error`", problems)
    if isinstance(node, ScalarNode) and node.value == "continue":
        return "continue"
    problems.append(readers.wrong("on_error", "`continue` or a task", node, "for example {task: echo, inputs: {…}}"))
    return None


def _outputs(node: Node | None, problems: list[Problem]) -> ScalarNode | None:
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return None
    name = readers.identifier("the name under `outputs`")(node, problems)
    return node if name is not None and isinstance(node, ScalarNode) else None
