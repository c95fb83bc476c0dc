"""TaskSpec to TaskPlan: the type found, its fields compiled and checked against what the type declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from batchwork.errors import BatchworkError, Place, Problem
from batchwork.plan.knowns import Knowns
from batchwork.plan.later import LATER_FIELDS, LATER_TASKS
from batchwork.plan.model import TaskPlan
from batchwork.plugins import find_task, task_names
from batchwork.ports import Compiled, Task, Written
from batchwork.spec.fields.task import TaskSpec
from batchwork.spec.yaml.nodes import Entry, Node, describe, json_of, place_in
from batchwork.template import Value
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing, suggest

_EXPECTED = pattern(r"Expected `([^`]*)`(?:, got `([^`]*)`)?(?: - at `\$([^`]*)`)?\Z")
_AT = pattern(r"(.*) - at `\$([^`]*)`\Z", re.DOTALL)
_WORDS = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
_USUAL = {
    "bash": "shell",
    "sh": "shell",
    "command": "shell",
    "http": "http_request",
    "print": "echo",
    "script": "shell",
}
_PART = pattern(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")


def plan_task(spec: TaskSpec, names: frozenset[str], knowns: Knowns, shared: bool = True) -> TaskPlan | None:
    """The task with its fields; None where the type is unknown or a field does not compile.

    `names` are all names there are. `shared`: `retry` and `timeout` may stand among the fields (they are the step's).
    """
    task = _find(spec, knowns)
    if task is None:
        return None
    declared = {field.encode_name: field for field in msgspec.structs.fields(task.Fields)}
    entries = dict(spec.fields)
    if "timeout" not in declared:
        timeout = entries.pop("timeout", None)
        if timeout is not None and not shared:
            knowns.problems.append(Problem(timeout.place, "`timeout` is not possible for this task"))
    if spec.retry is not None and not shared:
        knowns.problems.append(Problem(spec.retry.place, "`retry` is not possible for this task: it runs once"))
    count = len(knowns.problems)
    fields: dict[str, Value] = {}
    for name, entry in entries.items():
        if name in declared:
            value = _field(name, entry, declared[name].type, task, names, knowns)
        elif task.open_fields:
            value = knowns.value(entry.node, names)
            _note_near(name, entry, declared, knowns)
        else:
            knowns.problems.append(_unknown(name, entry, task, declared))
            continue
        if value is not None:
            fields[name] = value
    for name, field in declared.items():
        if field.required and name not in entries:
            knowns.problems.append(Problem(spec.place, f"`{name}` is required in the task `{task.name}`"))
    compiled = Compiled()
    if len(fields) == len(entries) and len(knowns.problems) == count:
        compiled = _compiled(task, Written(fields, names, spec.place), knowns)
    return TaskPlan(spec.type, task, fields, spec.place, compiled)


def _compiled(task: Task, written: Written, knowns: Knowns) -> Compiled:
    """What the task type makes of it, and nothing where there are problems, which are told."""
    compiled = task.compile(written)
    knowns.warnings.extend(compiled.warnings)
    problems = [*compiled.problems]
    for each in compiled.exposed:
        problems += knowns.exposed(each.paths, each.place)
    knowns.problems += problems
    return Compiled() if problems else compiled


def owns_timeout(task: Task) -> bool:
    """Whether `timeout` is a field of the type itself."""
    return any(field.encode_name == "timeout" for field in msgspec.structs.fields(task.Fields))


def _find(spec: TaskSpec, knowns: Knowns) -> Task | None:
    try:
        return find_task(spec.type)
    except KeyError:
        knowns.problems.append(_no_such_type(spec))
    except BatchworkError as error:
        knowns.problems.append(Problem(spec.type_place, error.message, error.hint))
    return None


def _no_such_type(spec: TaskSpec) -> Problem:
    if spec.type == "batch":
        message = "`batch` inside of another task comes in a later version"
        return Problem(spec.type_place, message, "make it a step of its own, over the results of this one")
    if spec.type in LATER_TASKS:
        message = f"the task type `{spec.type}` comes in a later version"
        return Problem(spec.type_place, message, f"there are: {listing(task_names())} and, for a step, `batch`")
    names = task_names()
    usual = _USUAL.get(spec.type)
    hint = (
        f"did you mean `{usual}`?"
        if usual
        else suggest(spec.type, [*names, "batch"]) or f"there are: {listing(names)} and, for a step, `batch`"
    )
    return Problem(spec.type_place, f"unknown task type `{spec.type}`", hint)


def _unknown(name: str, entry: Entry, task: Task, declared: Mapping[str, Any]) -> Problem:
    if name in LATER_FIELDS.get(task.name, ()):
        return Problem(entry.place, f"`{name}` comes in a later version")
    hint = suggest(name, [*declared, "retry", "timeout"]) or f"there are: {listing(declared)}"
    return Problem(entry.place, f"unknown field `{name}` in the task `{task.name}`", hint)


def _note_near(name: str, entry: Entry, declared: Mapping[str, Any], knowns: Knowns) -> None:
    near = suggest(name, declared)
    if near and len(name) > 3:
        knowns.warnings.append(
            Problem(entry.place, f"`{name}` is not a field of the task, and is taken as an input", near)
        )


# ---------------------------------------------------------------- one field


def _field(name: str, entry: Entry, kind: object, task: Task, names: frozenset[str], knowns: Knowns) -> Value | None:
    """A declared field: compiled, and checked now if it is constant (a templated one when it is rendered)."""
    node = entry.node
    if name in task.literal:
        value: Value | None = Value.constant(json_of(node), node.place)
    else:
        # only in a shell's command do `| args` and `| raw` mean something, and the shell task checks it
        value = knowns.value(node, names, check_marks=(task.name, name) != ("shell", "command"))
    if value is not None and value.is_constant:
        problem = _mistyped(name, node, kind)
        if problem is not None:
            knowns.problems.append(problem)
            return None
    return value


def _mistyped(name: str, node: Node, kind: object) -> Problem | None:
    try:
        msgspec.convert(json_of(node), kind)
    except msgspec.ValidationError as error:
        return _said(name, node, str(error))
    return None


def _said(name: str, node: Node, text: str) -> Problem:
    """What msgspec says, in words, at the place of the part that it is about."""
    match = _EXPECTED.match(text)
    if match is None:
        at = _AT.match(text)
        return Problem(_inside(node, at[2] if at else ""), f"`{name}`: {at[1] if at else text}")
    kinds = [_WORDS.get(kind.strip(), kind.strip()) for kind in match[1].split("|")]
    expected = " or ".join(kind for kind in kinds if kind != "empty") or "empty"
    path = match[3] or ""
    if "[...]" in path:  # it does not say which one
        message = f"a value in `{name}` must be {expected}, but it is {_WORDS.get(match[2] or '', match[2])}"
        return Problem(node.place, message)
    found = f"{_WORDS.get(match[2] or '', match[2])}" if path else describe(node)
    return Problem(_inside(node, path), f"`{name}{path}` must be {expected}, but it is {found}")


def _inside(node: Node, path: str) -> Place:
    parts: list[str | int] = [int(number) if number else key for key, number in _PART.findall(path)]
    return place_in(node)(tuple(parts)) if parts else node.place
