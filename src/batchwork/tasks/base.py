"""The base of task types written by third parties in Python: a name, fields, and `run`. Its units run in Python workers.

    class Resize(batchwork.Task):
        name = "resize"

        class Fields(msgspec.Struct):
            path: str
            width: int = 100

        def run(self, fields, unit):
            return {"path": shrink(fields.path, fields.width)}

named under the entry point group `batchwork.tasks`: `resize = "my_package.tasks:Resize"`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from batchwork.errors import Problem
from batchwork.ports import Compiled, FieldValue, Scope, Setting, WorkerKind, Written
from batchwork.text.jsontext import Json

OF_UNIT = ("item", "key", "index", "attempt", "idempotency_key")
"""What `unit` has, as attributes, as far as the step has it (no `item` where there are no items)."""


class NoFields(msgspec.Struct):
    """No fields may be written."""


class TaskFailed(Exception):
    """What `run` raises where the message tells all that people need: it is shown without a traceback.

    `kind` is the failure's type (`error.type`); `retryable`: another attempt may go better.
    """

    def __init__(self, message: str, *, kind: str = "failed", retryable: bool = True) -> None:
        super().__init__(message)
        self.batchwork_failure = {"type": kind, "message": message, "retryable": retryable}


class MethodTask:
    """A task type whose work is the method `run`. The class has no state: each worker makes one of its own."""

    name: ClassVar[str]
    Fields: ClassVar[type] = NoFields
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = None

    def run(self, fields: Any, unit: Any) -> Any:
        """The result of one unit, JSON data. What it raises is the unit's failure.

        `fields` is a `Fields` with all templates rendered; `unit` has item, key, index, attempt, idempotency_key.
        """
        raise TypeError(f"the task type `{self.name}` has no method `run`")

    def check(self, task: Written) -> Iterable[Problem]:
        """What is wrong with a task beyond the types of its fields. Executes nothing. To be overridden."""
        return ()

    def compile(self, task: Written) -> Compiled:
        program = partial(method_program, type(self), task.fields)
        return Compiled(program=program, problems=[*self.check(task)])


def method_program(
    kind: type[MethodTask],
    written: Mapping[str, FieldValue],
    setting: Setting,
    of_unit: Collection[str] = OF_UNIT,
    given: Mapping[str, Json] | None = None,
) -> TaskProgram:
    """The task for workers. Fields that are the same for all units are rendered once, here. Raises RenderError.

    `of_unit` is what `unit` has of each unit, `given` what it has besides.
    """
    per_unit = {name: value for name, value in written.items() if value.roots & setting.unit_names}
    fixed = {name: value.render(setting.constants) for name, value in written.items() if name not in per_unit}
    prepare = {
        "kind": "task",
        "class": f"{kind.__module__}:{kind.__qualname__}",
        "fields": fixed,
        "interpreter": sys.executable,
        "path": [setting.workflow_dir, setting.cwd],
    }
    uses = frozenset(of_unit).union(*(value.roots for value in per_unit.values())) & setting.unit_names
    return TaskProgram(prepare, uses, per_unit, frozenset(of_unit), given or {})


class TaskProgram(Struct):
    """The payload has the fields that differ between units, and of the unit itself what the task wants."""

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    fields: Mapping[str, FieldValue]
    of_unit: frozenset[str]
    given: Mapping[str, Json]
    worker: WorkerKind = "python"
    takes_item: bool = False
    says: bool = False

    def bind(self, scope: Scope) -> Json:
        fields = {name: value.render(scope) for name, value in self.fields.items()}
        unit = {**self.given, **{name: scope[name] for name in self.of_unit if name in scope}}
        return {"fields": fields, "unit": unit}  # type: ignore[dict-item]
