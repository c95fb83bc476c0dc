"""The task type `echo`: says a message. The smallest task type there is; copy it to begin another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Struct, field

from batchwork.ports import Compiled, FieldValue, Scope, WorkerKind, Written
from batchwork.template import text_of
from batchwork.text.jsontext import Json


class EchoFields(msgspec.Struct):
    """What may be written in an `echo` task."""

    message: Annotated[Any, msgspec.Meta(description="The text to print on standard output; also the result.")]


class EchoTask:
    """Say a message."""

    name: ClassVar[str] = "echo"
    Fields: ClassVar[type] = EchoFields
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = 8

    def compile(self, task: Written) -> Compiled:
        message = task.fields["message"]
        return Compiled(program=lambda setting: EchoProgram(message, message.roots & setting.unit_names))


class EchoProgram(Struct):
    """The payload is the message, and so is the result."""

    message: FieldValue
    uses: frozenset[str]
    worker: WorkerKind = "inline"
    prepare: Mapping[str, Any] = field(default_factory=lambda: {"kind": "echo"})
    takes_item: bool = False
    says: bool = True

    def bind(self, scope: Scope) -> Json:
        return text_of(self.message.render(scope))
