"""The Spec: what the author wrote, typed, with places; the result of parse.py. Nothing is resolved: no types, no references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct, field

from batchwork.errors import NOWHERE, Place, Problem
from batchwork.spec.yaml.nodes import Entry, Node, ScalarNode

T = TypeVar("T")
Reader: TypeAlias = Callable[[Node, list[Problem]], T | None]
"""Makes a value of a node, or adds a problem and gives None."""


class Deferred(Struct, Generic[T], frozen=True):
    """A setting written as a template: rendered and then read like any other when the parameters are known."""

    node: ScalarNode
    read: Reader[T]


Setting: TypeAlias = T | Deferred[T] | None
"""A value, a template that will give one, or nothing where nothing was written."""


class Rate(Struct, frozen=True):
    count: int
    per_s: float


class Limit(Struct, frozen=True):
    """`max_failures` as written: a count or a share (0 to 1)."""

    count: int | None = None
    share: float | None = None


class RetrySpec(Struct, frozen=True):
    place: Place
    max_attempts: Setting[int] = None
    delay_s: Setting[float] = None
    backoff: Setting[float] = None
    max_delay_s: Setting[float] = None
    jitter: Setting[bool] = None
    on: Setting[tuple[str | int, ...]] = None


class TaskSpec(Struct, frozen=True):
    """A task and its fields, wherever they stood. `retry` and `timeout_s` were written beside or among them."""

    type: str
    type_place: Place
    place: Place
    fields: Mapping[str, Entry]
    retry: RetrySpec | None = None
    timeout_s: Setting[float] = None


class BatchSpec(Struct, frozen=True):
    """The inputs of a batch step, or `for_each` and what stands beside it (`shorthand`)."""

    items: Node | None
    place: Place
    shorthand: bool = False
    key: ScalarNode | None = None
    on_duplicate: Setting[Literal["keep", "skip", "error"]] = None
    batch_size: Setting[int] = None
    each: Setting[Literal["item", "batch"]] = None
    parallel: Setting[bool] = None
    max_parallel: Setting[int] = None
    rate_limit: Setting[Rate] = None
    retry: RetrySpec | None = None
    timeout_s: Setting[float] = None
    continue_on_error: Setting[bool] = None
    max_failures: Setting[Limit] = None
    on_item_error: TaskSpec | None = None
    on_in_doubt: Setting[Literal["retry", "fail", "stop"]] = None
    queue_size: Setting[int] = None
    arg_name: str | None = None


class StepSpec(Struct, frozen=True):
    """One step. `task` is the nested one where there is a `batch`, and None where it is missing or unreadable.

    `named` is False where no name is written: `name` then only stands for it in what else is found to be wrong.
    """

    name: str
    place: Place
    task: TaskSpec | None
    batch: BatchSpec | None = None
    retry: RetrySpec | None = None
    timeout_s: Setting[float] = None
    when: ScalarNode | None = None
    depends_on: tuple[ScalarNode, ...] | None = None
    on_error: Literal["continue"] | TaskSpec | None = None
    outputs: ScalarNode | None = None
    finalizer: bool = False
    named: bool = True


class ParamSpec(Struct, frozen=True):
    name: str
    place: Place
    type: str | None = None
    default: Node | None = None
    required: bool = False
    choices: tuple[Node, ...] | None = None
    description: str = ""


class NotifySpec(Struct, frozen=True):
    place: Place
    on: tuple[str, ...]
    command: ScalarNode | None
    url: ScalarNode | None
    threshold: Setting[float] = None
    stalled_s: Setting[float] = None


class Spec(Struct, frozen=True):
    """A whole workflow as written. `params` is None where there is no `params:` block: then every name is accepted.

    `whole` is False where a step could not be read, so that its name may be missing.
    """

    name: str | None = None
    description: str = ""
    version: str = ""
    params: Mapping[str, ParamSpec] | None = None
    env: Mapping[str, Entry] = field(default_factory=dict)
    secrets: tuple[ScalarNode, ...] = ()
    retry: RetrySpec | None = None
    timeout_s: Setting[float] = None
    max_parallel: Setting[int] = None
    steps: tuple[StepSpec, ...] = ()
    notify: tuple[NotifySpec, ...] = ()
    whole: bool = True
    place: Place = NOWHERE
