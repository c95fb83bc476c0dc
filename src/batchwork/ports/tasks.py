"""The seam of task types: Value, Setting, Program, Task. No task is here, see batchwork.tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.text.jsontext import Json

Scope: TypeAlias = Mapping[str, object]
"""Names that templates and code may use, with their values (JSON data, views such as BatchView, lazy Results)."""


class Value(Protocol):
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


Fields: TypeAlias = Mapping[str, Value]
Written: TypeAlias = Fields
"""The same, under a name that a class with an attribute `Fields` can use."""

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

    `prepare` is JSON data, sent once to each worker, except that under `sequences` names may stand for lazy results
    (see workers/frames.py). With `takes_item` the payload is the item itself and `bind` is not called.
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


@runtime_checkable
class Exposing(Protocol):
    """A task type of which some values stand where every user of the machine sees them, such as an argument list."""

    def exposed(self, fields: Written) -> Iterable[tuple[Place, frozenset[tuple[str | int, ...]]]]:
        """Where templates for such values stand, and what they use (`("env", "TOKEN")`)."""
        ...


class Task(Protocol):
    """A task type. Registered under the entry point group `batchwork.tasks`; the class has no state.

    `Fields` is a msgspec Struct: types, defaults and documentation of its fields. `literal` fields are never
    templates. With `open_fields`, fields that `Fields` lacks are further inputs. `needs` fields must be written.
    """

    name: ClassVar[str]
    Fields: ClassVar[type]
    literal: ClassVar[frozenset[str]]
    open_fields: ClassVar[bool]
    default_parallel: ClassVar[int | None]
    """Attempts at once where nothing is said: None for one for each CPU."""

    def check(self, fields: Written, names: frozenset[str], place: Place) -> Iterable[Problem]:
        """What is wrong beyond the types of fields. `names` are all names there are. Executes and imports nothing."""
        ...

    def warn(self, fields: Written, names: frozenset[str], place: Place) -> Iterable[Problem]:
        """What is legal but risky."""
        ...

    def code_names(self, fields: Written) -> frozenset[str]:
        """Names that its code (not its templates) uses, for dependencies and for what is sent to workers."""
        ...

    def identity(self, fields: Written) -> Json:
        """What is added to the written fields in the plan's fingerprint (the hash of a function's source file)."""
        ...

    def program(self, fields: Written, setting: Setting) -> Program:
        """The task made ready. Raises RenderError where a constant field does not render."""
        ...
