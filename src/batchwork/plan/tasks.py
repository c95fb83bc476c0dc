"""TaskSpec to TaskPlan: the type found, its fields compiled and checked against what the type declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from batchwork.errors import BatchworkError, Place, Problem
from batchwork.plan.knowns import Knowns
from batchwork.plan.later import LATER_TASKS
from batchwork.plan.model import TaskPlan
from batchwork.plugins import find_task, task_names
from batchwork.ports import Compiled, Task, Written
from batchwork.spec.fields.task import TaskSpec
from batchwork.spec.yaml.nodes import Entry, Node, describe, json_of, place_in
from batchwork.template import Value
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing, suggest, suggest_field

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


def plan_task(spec: TaskSpec | None, names: frozenset[str], knowns: Knowns, shared: bool = True) -> TaskPlan | None:
    """The task with its fields; None where none is written, the type is unknown or a field does not compile.

    `names` are all names there are. `shared`: `retry` and `timeout` among the fields are the step's. Otherwise the task runs once,
    and `timeout` is its own.
    """
    if spec is None or (task := _find(spec, knowns)) is None:
        return None
    form = _Form(task, names, knowns, {field.encode_name: field for field in msgspec.structs.fields(task.Fields)})
    entries = _entries(spec, "timeout" in form.declared, shared, knowns)
    count = len(knowns.problems)
    values = {name: form.value(name, entry) for name, entry in entries.items()}
    fields = {name: value for name, value in values.items() if value is not None}
    for name in form.missing(entries):
        knowns.problems.append(Problem(spec.place, f"`{name}` is required in the task `{task.name}`"))
    compiled = Compiled()
    if len(fields) == len(entries) and len(knowns.problems) == count:
        compiled = _compiled(task, Written(fields, names, spec.place), knowns)
    return TaskPlan(spec.type, task, fields, spec.place, compiled, _own_timeout(spec, task, knowns, shared))


def _own_timeout(spec: TaskSpec, task: Task, knowns: Knowns, shared: bool) -> float | None:
    return None if shared or owns_timeout(task) else knowns.optional(spec.timeout_s)


def _entries(spec: TaskSpec, owns_timeout: bool, shared: bool, knowns: Knowns) -> dict[str, Entry]:
    """The task's fields without those that are the step's."""
    entries = dict(spec.fields)
    shell = knowns.spec.defaults.shell
    if shell is not None and spec.type == "shell" and entries.keys().isdisjoint(("shell", "argv")):
        entries["shell"] = Entry(shell.place, shell)
    if not owns_timeout:
        entries.pop("timeout", None)
    if spec.retry is not None and not shared:
        knowns.problems.append(Problem(spec.retry.place, "`retry` is not possible for this task: it runs once"))
    return entries


def _compiled(task: Task, written: Written, knowns: Knowns) -> Compiled:
    """What the task type makes of it, and nothing where there are problems, which are told."""
    compiled = task.compile(written)
    knowns.warnings.extend(compiled.warnings)
    problems = [*compiled.problems]
    for each in compiled.exposed:
        problems += knowns.exposed(each.paths, each.place)
    knowns.problems += problems
    if problems:
        return Compiled()
    return compiled


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
    names = task_names()
    hint = f"there are: {listing(names)} and, for a step, `batch`"
    if spec.type in LATER_TASKS:
        return Problem(spec.type_place, f"the task type `{spec.type}` comes in a later version", hint)
    if spec.type in _USUAL:
        hint = f"did you mean `{_USUAL[spec.type]}`?"
    else:
        hint = suggest(spec.type, [*names, "batch"]) or hint
    return Problem(spec.type_place, f"unknown task type `{spec.type}`", hint)


# ---------------------------------------------------------------- fields


class _Form(Struct, frozen=True):
    """What a task type declares, to be filled in. `names` are all names that templates may use."""

    task: Task
    names: frozenset[str]
    knowns: Knowns
    declared: Mapping[str, Any]

    def missing(self, entries: Mapping[str, Entry]) -> list[str]:
        return [name for name, field in self.declared.items() if field.required and name not in entries]

    def value(self, name: str, entry: Entry) -> Value | None:
        """The field, compiled; None where it is unknown or wrong, which is told."""
        if name in self.declared:
            return self._checked(name, entry.node)
        if self.task.open_fields:
            self._note_near(name, entry)
            return self.knowns.value(entry.node, self.names)
        self.knowns.problems.append(self._unknown(name, entry))
        return None

    def _checked(self, name: str, node: Node) -> Value | None:
        """A declared field: its type is checked now if it is constant (a templated one's when it is rendered)."""
        if name in self.task.literal:
            value: Value | None = Value.constant(json_of(node), node.place)
        else:
            # only in commands do `| args` and its like mean something, and the shell task checks it
            check_marks = (self.task.name, name) not in (("shell", "command"), ("shell", "argv"))
            value = self.knowns.value(node, self.names, check_marks)
        if value is not None and value.is_constant:
            problem = _mistyped(name, node, self.declared[name].type)
            if problem is not None:
                self.knowns.problems.append(problem)
                return None
        return value

    def _note_near(self, name: str, entry: Entry) -> None:
        near = suggest(name, self.declared)
        if near and len(name) > 3:
            message = f"`{name}` is not a field of the task, and is taken as an input"
            self.knowns.warnings.append(Problem(entry.place, message, near))

    def _unknown(self, name: str, entry: Entry) -> Problem:
        hint = suggest_field(name, [*self.declared, "retry", "timeout"]) or f"there are: {listing(self.declared)}"
        return Problem(entry.place, f"unknown field `{name}` in the task `{self.task.name}`", hint)


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
        if (at := _AT.match(text)) is None:
            return Problem(node.place, f"`{name}`: {text}")
        return Problem(_inside(node, at[2]), f"`{name}`: {at[1]}")
    expected, found, path = _expected(match[1]), _kind(match[2] or ""), match[3] or ""
    if "[...]" in path:  # it does not say which one
        return Problem(node.place, f"a value in `{name}` must be {expected}, but it is {found}")
    if not path:
        found = describe(node)
    return Problem(_inside(node, path), f"`{name}{path}` must be {expected}, but it is {found}")


def _expected(kinds: str) -> str:
    """Kinds, as msgspec lists them, in words."""
    words = [_kind(kind.strip()) for kind in kinds.split("|")]
    return " or ".join(word for word in words if word != "empty") or "empty"


def _kind(kind: str) -> str:
    return _WORDS.get(kind, kind)


def _inside(node: Node, path: str) -> Place:
    if not (parts := _PART.findall(path)):
        return node.place
    return place_in(node)(tuple(int(number) if number else key for key, number in parts))
