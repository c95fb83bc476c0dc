"""The task type `template`: a text with {{ }} in it, or a file of such text, rendered into a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Struct

from batchwork.errors import Place, Problem, WorkflowError
from batchwork.ports import Compiled, Written
from batchwork.tasks.base import TaskFailed
from batchwork.tasks.fields import Given, about, value_of
from batchwork.tasks.files.encodings import checked_encoding, encoding_of, to_bytes, to_text
from batchwork.tasks.files.paths import TextField
from batchwork.tasks.files.task import FileTask
from batchwork.tasks.files.whole import Target, read_all, written
from batchwork.template import Value, misplaced, unknown_names
from batchwork.text.jsontext import Json


class TemplateFields(msgspec.Struct):
    """What may be written in a `template` task."""

    output: Annotated[str, about("The file that is written. Folders are made, an old file is replaced.")]
    template: Annotated[Any, about("The text, with {{ }} and {% %} in it. This or `source`.")] = None
    source: Annotated[
        str | None, about("A file that holds the text. It is read when the workflow is; it must be named as it is.")
    ] = None
    encoding: Annotated[str, about("Of both files: utf-8, latin-1, utf-16 …")] = "utf-8"


class TemplateTask(FileTask):
    """Render a text into a file, whole or not at all. The result is {path, bytes}."""

    name: ClassVar[str] = "template"
    Fields: ClassVar[type] = TemplateFields
    literal: ClassVar[frozenset[str]] = frozenset(("source",))
    written_paths = ("output",)
    texts = ("template",)
    replaces = True

    def run(self, fields: TemplateFields, unit: Any) -> dict[str, Any]:
        data = to_bytes(fields.template, encoding_of(fields.encoding), fields.output)
        return written(Target(fields.output), data)

    def compile(self, task: Written) -> Compiled:
        problems = [*self._problems(task.fields), *_which(task)]
        source = None
        if not problems and "source" in task.fields:
            source = _read(task.fields)
            problems += source.problems(task.names)
        fields = self._made_ready(task.fields)
        if source is not None and source.value is not None:
            del fields["source"]
            fields["template"] = TextField(source.value)
        program = partial(self._program, fields)
        warnings = [*self._warnings(task)]
        if source is None:
            return Compiled(program, problems, warnings)
        return Compiled(program, problems, warnings, names=source.roots, identity=source.identity)


class _Source(Struct, frozen=True):
    """A file of a template: its value, or why there is none, and what tells one version of it from another."""

    value: Value | None = None
    wrong: tuple[Problem, ...] = ()
    identity: Json = None

    @property
    def roots(self) -> frozenset[str]:
        return self.value.roots if self.value else frozenset()

    def problems(self, names: frozenset[str]) -> list[Problem]:
        if self.value is None:
            return [*self.wrong]
        return [*unknown_names(self.value, names), *misplaced(self.value)]


def _which(task: Written) -> Iterator[Problem]:
    """Exactly one of the two."""
    there = [name for name in ("template", "source") if name in task.fields]
    if not there:
        yield Problem(task.place, "`template` or `source` is required in the task `template`")
    elif len(there) == 2:
        yield Problem(task.fields["source"].place, "`template` and `source` exclude each other", "keep one of them")
    source = value_of(task.fields, "source")
    if source is not None and "{{" in str(source.json):
        message = "`source` must be named as it is: the names in it are checked before anything runs"
        yield Problem(source.place, message, "several templates are several steps, each with its `when`")


def _read(fields: Given) -> _Source:
    given, encoding = fields["source"], fields.get("encoding")
    path = str(given.render({}))
    name = "utf-8"
    if isinstance(encoding, Value) and encoding.is_constant:
        name = checked_encoding(encoding.json)
    try:
        data = read_all(path)
        text = to_text(data, name, path)
    except TaskFailed as error:
        return _Source(wrong=(Problem(given.place, f"`source`: {error}"),))
    try:
        value = Value.of(text, Place(path, 1, 1))
    except WorkflowError as error:
        return _Source(wrong=tuple(error.problems))
    return _Source(value, identity={"file": path, "sha256": hashlib.sha256(data).hexdigest()})
