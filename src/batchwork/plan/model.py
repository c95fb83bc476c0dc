"""The plan as values: the spec checked and resolved, immutable. No checking here (see resolve.py, references.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

from batchwork.errors import Place, Problem
from batchwork.ports import Compiled, Task
from batchwork.retry import RetryPolicy
from batchwork.template import Template, Value
from batchwork.text.jsontext import Json


class TaskPlan(Struct, frozen=True):
    """A task with its fields as written, and what they are compiled to. Templates are rendered for each unit."""

    type: str
    task: Task
    fields: Mapping[str, Value]
    place: Place
    compiled: Compiled


class ItemsPlan(Struct, frozen=True):
    """Where items come from: `value`, or else `source` with `fields`, which are rendered once, when the step starts.

    literal: `value` is a list that may contain templates · template: `value` gives a list or a sequence of results ·
    command: written `$(…)`, short for the source `command` · from: any source.
    """

    kind: Literal["literal", "template", "command", "from"]
    value: Value | None = None
    source: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    place: Place = field(default_factory=Place)


class Threshold(Struct, frozen=True):
    """`max_failures`: a count, or a share of the finished units (0 to 1, from 20 finished on)."""

    count: int | None = None
    share: float | None = None


class Rate(Struct, frozen=True):
    """`rate_limit`: at most `count` attempts in `per_s` seconds, evenly spread."""

    count: int
    per_s: float


class BatchPlan(Struct, frozen=True):
    """What makes a step a batch step. `slots` is the number of attempts at once, already decided."""

    items: ItemsPlan
    key: Template | str | None
    on_duplicate: Literal["keep", "skip", "error"]
    batch_size: int
    each: Literal["item", "batch"]
    each_inferred: Place | None  # where the code is from which `each: batch` was told
    parallel: bool
    slots: int
    rate: Rate | None
    continue_on_error: bool
    max_failures: Threshold | None
    on_item_error: TaskPlan | None
    on_in_doubt: Literal["retry", "fail", "stop"]
    queue_size: int | None
    item_name: str | None  # `arg_name`: a further name for `item`


class StepPlan(Struct, frozen=True):
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


NotifyOn: TypeAlias = Literal["failed", "threshold", "stalled", "finished"]


class NotifyPlan(Struct, frozen=True):
    """One entry of `notify:`: a command, or a URL that gets the summary as JSON.

    `threshold`: a share of failed units (0 to 1); `stalled_s`: seconds in which nothing finished.
    """

    on: tuple[NotifyOn, ...]
    command: Value | None
    url: Value | None
    threshold: float
    stalled_s: float
    place: Place


class Plan(Struct, frozen=True):
    """A whole workflow, checked. `fingerprint` maps each step to what is done in it; equal ones may be resumed."""

    name: str
    description: str
    file: str  # as given on the command line
    folder: str  # absolute; where Python tasks find modules first
    text: str
    params: Mapping[str, Json]
    env: Mapping[str, Value]
    secrets: tuple[str, ...]
    steps: tuple[StepPlan, ...]  # in the order written; finalizers last
    notify: tuple[NotifyPlan, ...]
    fingerprint: Mapping[str, Json]
    warnings: tuple[Problem, ...] = ()
    decisions: tuple[Problem, ...] = ()  # what was decided for the author (`each`), with its place

    def step(self, name: str) -> StepPlan:
        """The step of that name. Raises KeyError."""
        return next(step for step in self.steps if step.name == name)
