"""What the task types for files share: which fields are paths, what is checked beforehand, the program for Python workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from msgspec import Struct

from batchwork.errors import Problem
from batchwork.ports import Compiled, FieldValue, Scope, Setting, WorkerKind, Written
from batchwork.tasks.base import MethodTask
from batchwork.tasks.fields import Given, read_problems, value_of
from batchwork.tasks.files.encodings import checked_encoding
from batchwork.tasks.files.paths import TextField, path_field, path_problems, path_warnings
from batchwork.text.jsontext import Json


class FileTask(MethodTask):
    """A task type whose work is the method `run`, in a Python worker: it can be timed out and killed like any other."""

    read_paths: ClassVar[tuple[str, ...]] = ()
    written_paths: ClassVar[tuple[str, ...]] = ()
    replaces: ClassVar[bool] = False
    """Whether one item's file would take the place of another's."""
    texts: ClassVar[tuple[str, ...]] = ()
    default_parallel: ClassVar[int | None] = 8

    def compile(self, task: Written) -> Compiled:
        fields = self._made_ready(task.fields)
        return Compiled(
            program=lambda setting: file_program(type(self), fields, setting),
            problems=[*self._problems(task.fields)],
            warnings=[*self._warnings(task)],
        )

    def _made_ready(self, given: Given) -> dict[str, FieldValue]:
        fields = dict(given)
        for name in self.read_paths + self.written_paths:
            if name in fields:
                fields[name] = path_field(name, fields[name], written=name in self.written_paths)
        for name in self.texts:
            if name in fields:
                fields[name] = TextField(fields[name])
        return fields

    def _problems(self, given: Given) -> Iterator[Problem]:
        for name in self.read_paths + self.written_paths:
            yield from path_problems(name, value_of(given, name))
        yield from read_problems(given, {"encoding": checked_encoding})

    def _warnings(self, task: Written) -> Iterator[Problem]:
        if self.replaces:
            for name in self.written_paths:
                yield from path_warnings(name, value_of(task.fields, name), task.names)


def file_program(kind: type[MethodTask], fields: Mapping[str, FieldValue], setting: Setting) -> FileProgram:
    """The task for workers. Fields that are the same for all units are rendered once, here. Raises RenderError."""
    per_unit = {name: value for name, value in fields.items() if value.roots & setting.unit_names}
    fixed = {name: value.render(setting.constants) for name, value in fields.items() if name not in per_unit}
    prepare = {
        "kind": "task",
        "class": f"{kind.__module__}:{kind.__qualname__}",
        "fields": fixed,
        "interpreter": sys.executable,
    }
    uses = frozenset[str]().union(*(value.roots for value in per_unit.values())) & setting.unit_names
    return FileProgram(prepare, uses, per_unit)


class FileProgram(Struct):
    """The payload has the fields that differ between units, and nothing else."""

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    fields: Mapping[str, FieldValue]
    worker: WorkerKind = "python"
    takes_item: bool = False
    says: bool = False

    def bind(self, scope: Scope) -> Json:
        fields = {name: value.render(scope) for name, value in self.fields.items()}
        return {"fields": fields, "unit": {}}  # type: ignore[dict-item]
