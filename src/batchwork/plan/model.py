"""The plan as values: the spec checked and resolved, immutable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from batchwork.errors import Place, Problem
from batchwork.model import FileFormat
from batchwork.ports import Compiled, Task
from batchwork.spec.fields.aggregate import Function
from batchwork.spec.fields.batch import BatchSettings
from batchwork.spec.fields.notify import NotifyOn, NotifySettings
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.spec.fields.step import StepSettings
from batchwork.spec.fields.workflow import WorkflowSettings
from batchwork.template import Template, Value
from batchwork.text.jsontext import Json

if TYPE_CHECKING:
    from batchwork.quoting import ShellCommand  # few workflows notify, and reading commands is a lot of code


class TaskPlan(Struct, frozen=True):
    """A task with its fields as written, and what they are compiled to. Templates are rendered for each unit.

    `timeout_s` is there for tasks that handle errors; for all others it is the step's.
    """

    type: str
    task: Task
    fields: Mapping[str, Value]
    place: Place
    compiled: Compiled
    timeout_s: float | None = None


class ItemsPlan(Struct, frozen=True):
    """Where items come from: `value`, or else `source` with `fields`, which are rendered once, when the step starts.

    literal: `value` is a list that may contain templates · template: `value` gives a list or a sequence of results ·
    command: written `$(…)`, short for the source `command` · from: any source.

    `parts` are the items that the source's nested field holds, by name. `narrowing` is what any source may have beside its
    own fields: `filter` (rendered for each item), `skip`, `limit`.
    """

    kind: Literal["literal", "template", "command", "from"]
    value: Value | None = None
    source: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    parts: Mapping[str, ItemsPlan] = field(default_factory=dict)
    narrowing: Mapping[str, Value] = field(default_factory=dict)

    def values(self) -> Iterator[Value]:
        """All values that are rendered, those of its parts too."""
        if self.value is not None:
            yield self.value
        yield from self.fields.values()
        yield from self.narrowing.values()
        for part in self.parts.values():
            yield from part.values()


class ResultsPlan(Struct, frozen=True):
    """Where the table of a step's results goes. Places and columns are rendered when the step runs."""

    to: Value
    format: FileFormat | None
    columns: Mapping[str, Value] | None
    join: bool
    failed: Value | None
    place: Place


class AggregatePlan(Struct, frozen=True):
    """One value that is computed of all units, or one for each group that `by` gives."""

    function: Function
    value: Value
    by: Value | None


class BatchPlan(BatchSettings, frozen=True, kw_only=True):
    """What makes a step a batch step: its settings, and what is decided. `slots` is the number of attempts at once on one machine, `room`
    how many there may be on several: more, where nobody said how many.
    """

    items: ItemsPlan
    key: Template | str | None
    each_inferred: Place | None  # where the code is from which `each: batch` was told
    slots: int
    room: int
    on_item_error: TaskPlan | None
    results: ResultsPlan | None = None
    aggregate: Mapping[str, AggregatePlan] = field(default_factory=dict)


class StepPlan(StepSettings, frozen=True, kw_only=True):
    """One step. Without `batch` it has one unit, with no item."""

    name: str
    task: TaskPlan
    batch: BatchPlan | None
    depends_on: tuple[str, ...]
    references: frozenset[str]  # steps whose result, status or error it uses: skipped with them
    when: Template | bool | None
    outputs: str | None
    on_error: Literal["continue"] | TaskPlan | None
    retry: RetryPolicy
    timeout_s: float | None
    finalizer: bool  # stands under `finally:`
    place: Place

    @property
    def stays(self) -> str:
        """Why its units run on this machine, whatever others there are, in words after "because"; empty where they need not."""
        if self.batch is None:
            return "it has no items"
        if not self.batch.parallel:
            return "one item runs after another (`parallel: true` or `max_parallel` says otherwise)"
        return "`echo` starts no process" if self.task.type == "echo" else ""


class NotifyPlan(NotifySettings, frozen=True, kw_only=True):
    """One entry of `notify:`: a command, or a URL that gets the summary as JSON."""

    on: tuple[NotifyOn, ...]
    command: ShellCommand | None
    url: Value | None
    place: Place


class Plan(WorkflowSettings, frozen=True, kw_only=True):
    """A whole workflow, checked. `fingerprint` maps each step to what is done in it; equal ones may be resumed."""

    file: str  # as given on the command line
    folder: str  # absolute; where Python tasks find modules first
    text: str
    params: Mapping[str, Json]
    env: Mapping[str, Value]
    secrets: tuple[str, ...]
    steps: tuple[StepPlan, ...]  # in the order written; finalizers last
    notify: tuple[NotifyPlan, ...]
    fingerprint: Mapping[str, Json]
    credentials: tuple[str, ...] = ()  # what it holds without declaring it: of `auth`, headers, URLs
    defaulted: frozenset[str] = frozenset()  # parameters that are as the file says
    warnings: tuple[Problem, ...] = ()
    decisions: tuple[Problem, ...] = ()  # what was decided for the author (`each`), with its place

    def step(self, name: str) -> StepPlan:
        """The step of that name. Raises KeyError."""
        return next(step for step in self.steps if step.name == name)
