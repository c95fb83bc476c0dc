"""The seam of task types: what is written, what it is compiled to, the program made of that. No task type is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.text.jsontext import Json

Scope: TypeAlias = Mapping[str, object]
"""Names that templates and code may use, with their values (JSON data, views such as BatchView, lazy Results)."""


class FieldValue(Protocol):
    """A field as written: JSON data in which any text may be a template. Implemented by `template.Value`."""

    @property
    def roots(self) -> frozenset[str]:
        """The names that it uses; empty for a constant."""
        ...

    @property
    def place(self) -> Place: ...

    def render(self, scope: Scope) -> object:
        """The value in `scope`. Raises RenderError."""
        ...


class Written(Struct, frozen=True):
    """A task as its author wrote it: its fields by name, the names that templates and code may use there, its place.

    The fields have the types that the task type declares, as far as they are constant; none is unknown or missing.
    """

    fields: Mapping[str, FieldValue]
    names: frozenset[str]
    place: Place


WorkerKind: TypeAlias = str
"""What a program runs in: `python`, `reactor`, `inline`, or a kind that another package's executor is named by."""


class Setting(Struct, frozen=True):
    """What a task type may know when it makes a program.

    `constants` are the names that are the same for every unit (params, env, outputs, steps, run …); `names` are all
    names there are, with those of the unit (item, key, index, attempt, batch, idempotency_key …) in `unit_names`.
    `environ` is what commands get: the process's environment and the workflow's `env:`. Paths are absolute.
    """

    step: str
    constants: Scope
    unit_names: frozenset[str]
    environ: Mapping[str, str]
    workflow_dir: str
    cwd: str
    timeout_s: float | None
    secrets: Sequence[str] = ()

    @property
    def names(self) -> frozenset[str]:
        return self.unit_names | self.constants.keys()


class Program(Protocol):
    """A task made ready for one step: a constant part for each worker and a binding for each unit.

    `prepare` is JSON data, sent once to each worker, except that under `sequences` names may stand for lazy results. With `takes_item` the payload is the item itself and `bind` is not called.
    """

    worker: WorkerKind
    prepare: Mapping[str, Any]
    takes_item: bool
    says: bool
    """The result is a text to be printed on standard output."""
    uses: frozenset[str]
    """The unit's names that are needed (`batch` costs memory, so only those who use it get it)."""

    def bind(self, scope: Scope) -> Json:
        """The payload of one unit. `scope` has all names. Raises RenderError or BindError."""
        ...


class Exposed(Struct, frozen=True):
    """A template whose value would stand where every user of the machine sees it, such as in an argument list.

    `paths` are what it uses: `("env", "TOKEN")`. Where a secret is among them, the workflow is refused.
    """

    place: Place
    paths: frozenset[tuple[str | int, ...]]


def _no_program(_setting: Setting) -> Program:
    raise ValueError("a task with problems makes no program")


class Compiled(Struct, frozen=True, eq=False):
    """What a task type makes of one task as written. Only `program` must be given, and not even that beside `problems`."""

    program: Callable[[Setting], Program] = _no_program
    """The task made ready for a step. Asked for each time it is about to run, so what can be done before is done already.

    Raises RenderError where a field that is the same for all units does not render.
    """
    problems: Sequence[Problem] = ()
    """What is wrong beyond the types of fields. Where there is any, the workflow is refused, and nothing runs."""
    warnings: Sequence[Problem] = ()
    """What is legal but risky."""
    exposed: Sequence[Exposed] = ()
    names: frozenset[str] = frozenset()
    """The names that its code (not its templates) uses, for dependencies and for what is sent to workers."""
    identity: Json = None
    """What is added to the written fields in the plan's fingerprint, such as the hash of a function's source file."""
    remarks: Sequence[tuple[str, str]] = ()
    """What `batchwork plan` says of it beside its fields: pairs of a word and a text."""


class Task(Protocol):
    """A task type. Registered under the entry point group `batchwork.tasks`; the class has no state.

    `Fields` is a msgspec Struct: types, defaults and documentation of its fields. `literal` fields are never
    templates. With `open_fields`, fields that `Fields` lacks are further inputs.
    """

    name: ClassVar[str]
    Fields: ClassVar[type]
    literal: ClassVar[frozenset[str]]
    open_fields: ClassVar[bool]
    default_parallel: ClassVar[int | None]
    """Attempts at once where nothing is said: None for one for each CPU."""

    def compile(self, task: Written) -> Compiled:
        """All there is to know of a task as written. Asked once for each task, when the plan is made.

        Equal tasks compile alike: nothing is executed or imported, and at most source files are read. What is wrong is
        a problem and never raised.
        """
        ...
