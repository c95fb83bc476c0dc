"""What the task types for files share: which fields are paths, what is checked beforehand, the program for Python workers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import ClassVar

from msgspec.structs import replace

from batchwork.errors import Problem
from batchwork.ports import Compiled, FieldValue, Setting, Written
from batchwork.tasks.base import MethodTask, TaskProgram, method_program
from batchwork.tasks.fields import Given, about, read_problems, value_of
from batchwork.tasks.files.encodings import checked_encoding
from batchwork.tasks.files.paths import TextField, path_field, path_problems, path_warnings
from batchwork.text.jsontext import Json

PATH = about("The file.")
CREATE_DIRS = about("Whether folders above the file are made.")
OVERWRITE = about("Whether a file that is there is replaced; without it, that is a failure.")


class FileTask(MethodTask):
    """A task type whose work is the method `run`, in a Python worker: it can be timed out and killed like any other."""

    read_paths: ClassVar[tuple[str, ...]] = ()
    written_paths: ClassVar[tuple[str, ...]] = ()
    replaces: ClassVar[bool] = False
    """Whether one item's file would take the place of another's."""
    texts: ClassVar[tuple[str, ...]] = ()
    remarks: ClassVar[tuple[tuple[str, str], ...]] = ()
    """What `batchwork plan` says of each such task."""
    default_parallel: ClassVar[int | None] = 8

    def compile(self, task: Written) -> Compiled:
        fields = self._made_ready(task.fields)
        return Compiled(
            program=partial(self._program, fields),
            problems=[*self._problems(task.fields)],
            warnings=[*self._warnings(task)],
            remarks=self.remarks,
        )

    def _program(self, fields: Mapping[str, FieldValue], setting: Setting) -> TaskProgram:
        """Files have their own modules before those of the workflow's folder."""
        program = method_program(type(self), fields, setting, *self._of_unit(setting))
        return replace(program, prepare={**program.prepare, "path": []})

    def _of_unit(self, setting: Setting) -> tuple[Collection[str], Mapping[str, Json]]:
        """What the task wants of a unit beside its fields: names, and values that are the same for all."""
        return (), {}

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
