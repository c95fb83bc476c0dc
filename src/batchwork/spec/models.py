"""What may be written in a workflow, field by field, with its documentation. No checking here (see parse.py).

One struct for each kind of mapping. `Scalar[T]` fields may also be a template over parameters and the environment,
rendered when the plan is made.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

T = TypeVar("T")
Text: TypeAlias = str
Duration: TypeAlias = float | str
"""Seconds, or a text such as "100ms", "30s", "5m", "2h"."""
Maybe: TypeAlias = T | UnsetType
Scalar: TypeAlias = T | str | UnsetType
"""A value, a template that gives one, or nothing."""


class Retry(Struct, frozen=True):
    """When a failed attempt is made again."""

    max_attempts: Annotated[Scalar[int], Meta(description="attempts in all, the first one counted; default 1")] = UNSET
    delay: Annotated[Scalar[Duration], Meta(description="wait before the second attempt; default 0")] = UNSET
    backoff: Annotated[Scalar[float], Meta(description="factor by which the wait grows each time; default 1")] = UNSET
    max_delay: Annotated[Scalar[Duration], Meta(description="longest wait; default 1 hour")] = UNSET
    jitter: Annotated[Scalar[bool], Meta(description="wait a random part of the delay; default false")] = UNSET
    on: Annotated[
        Maybe[list[str | int] | str | int],
        Meta(description="only these error types, exit codes or HTTP statuses are retried"),
    ] = UNSET


class Defaults(Struct, frozen=True):
    """What holds for all steps that do not say otherwise."""

    retry: Annotated[Maybe[Retry | int], Meta(description="as in a step")] = UNSET
    timeout: Annotated[Scalar[Duration], Meta(description="for each attempt")] = UNSET
    max_parallel: Annotated[Scalar[int], Meta(description="attempts at once in steps with items")] = UNSET


class Param(Struct, frozen=True):
    """One parameter; the short form is just its default."""

    type: Annotated[
        Maybe[Literal["string", "integer", "number", "boolean", "list", "mapping"]],
        Meta(description="what a value must be; with `string` the text of NAME=VALUE is taken as it is"),
    ] = UNSET
    default: Annotated[Any, Meta(description="the value where none is given")] = UNSET
    required: Annotated[Maybe[bool], Meta(description="a value must be given; default: where there is no default")] = (
        UNSET
    )
    description: Annotated[Maybe[Text], Meta(description="for people")] = UNSET
    choices: Annotated[Maybe[list[Any]], Meta(description="the values that are allowed")] = UNSET


class Batch(Struct, frozen=True):
    """The inputs of a step with `task: batch`."""

    items: Annotated[
        Any, Meta(description="a list, a template that gives one, `$(command)` for its lines, or `{from: …}`")
    ]
    task: Annotated[dict[str, Any], Meta(description="what is done for each item (or batch): `type` and its fields")]
    key: Annotated[Maybe[Text], Meta(description="identity of an item across resumes; default: its value")] = UNSET
    on_duplicate: Annotated[
        Scalar[Literal["keep", "skip", "error"]],
        Meta(description="the same key again; default `keep`, with a written key `error`"),
    ] = UNSET
    batch_size: Annotated[Scalar[int], Meta(description="items in a batch, 1 to 1,000,000; default 1")] = UNSET
    each: Annotated[
        Scalar[Literal["item", "batch"]], Meta(description="what the task gets as `item`: one item, or a list")
    ] = UNSET
    parallel: Annotated[
        Maybe[bool | str | dict[str, Any]], Meta(description="several attempts at once; true if `max_parallel` > 1")
    ] = UNSET
    max_parallel: Annotated[
        Scalar[int], Meta(description="attempts at once, 1 to 10,000; default CPUs for python, 8 for the rest")
    ] = UNSET
    rate_limit: Annotated[Scalar[str], Meta(description="attempts over the whole step: 50/s, 3000/min, 100/h")] = UNSET
    timeout: Annotated[Scalar[Duration], Meta(description="for each attempt")] = UNSET
    retry: Annotated[Maybe[Retry | int], Meta(description="when a failed attempt is made again")] = UNSET
    continue_on_error: Annotated[
        Scalar[bool], Meta(description="go on after failed items; default false, true with `max_failures`")
    ] = UNSET
    max_failures: Annotated[
        Scalar[int | str], Meta(description="a count, or a share such as 5%, past which the step stops")
    ] = UNSET
    on_item_error: Annotated[
        Maybe[dict[str, Any]], Meta(description="a task that runs once for each failed item; has `error`")
    ] = UNSET
    on_in_doubt: Annotated[
        Scalar[Literal["retry", "fail", "stop"]],
        Meta(description="items that ran when the process died; default `retry`"),
    ] = UNSET
    queue_size: Annotated[Scalar[int], Meta(description="batches that reading may run ahead")] = UNSET
    arg_name: Annotated[Maybe[Text], Meta(description="a further name for `item`")] = UNSET


class Step(Struct, frozen=True):
    """One step."""

    name: Annotated[Maybe[Text], Meta(description="letters, digits, `_` and `-`; unique")] = UNSET
    task: Annotated[Maybe[Text], Meta(description="the task type; `type` means the same")] = UNSET
    type: Annotated[Maybe[Text], Meta(description="the same as `task`")] = UNSET
    description: Annotated[Maybe[Text], Meta(description="for people")] = UNSET
    inputs: Annotated[Maybe[dict[str, Any]], Meta(description="the task's fields")] = UNSET
    for_each: Annotated[Any, Meta(description="run the task for each item of this list or template")] = UNSET
    parallel: Annotated[
        Maybe[bool | str | dict[str, Any]], Meta(description="with `for_each`: true, false or {max_parallel: N}")
    ] = UNSET
    max_parallel: Annotated[Scalar[int], Meta(description="with `for_each`: attempts at once")] = UNSET
    retry: Annotated[Maybe[Retry | int], Meta(description="when a failed attempt is made again")] = UNSET
    timeout: Annotated[Scalar[Duration], Meta(description="for each attempt")] = UNSET
    when: Annotated[Maybe[bool | str], Meta(description="true or false; false: the step is skipped")] = UNSET
    depends_on: Annotated[
        Maybe[str | list[str]], Meta(description="steps that must be done; default: the one written before")
    ] = UNSET
    on_error: Annotated[
        Maybe[str | dict[str, Any]], Meta(description="`continue`, or a task that runs when the step has failed")
    ] = UNSET
    outputs: Annotated[Maybe[Text], Meta(description="a name for the step's result")] = UNSET


class Notify(Struct, frozen=True):
    """Who is told, and of what."""

    on: Annotated[
        Maybe[str | list[str]],
        Meta(description="finished (in whatever way), failed, threshold, stalled; default: finished"),
    ] = UNSET
    command: Annotated[Maybe[Text], Meta(description="run by the shell; gets the summary as JSON on its input")] = UNSET
    url: Annotated[Maybe[Text], Meta(description="gets the summary as JSON by POST")] = UNSET
    threshold: Annotated[Scalar[float | str], Meta(description="share of failed units, such as 5%")] = UNSET
    stalled: Annotated[Scalar[Duration], Meta(description="time in which nothing finished; default 10m")] = UNSET


class Workflow(Struct, frozen=True, rename={"finally_": "finally"}):
    """A workflow file."""

    steps: Annotated[Any, Meta(description="a list of steps with names, or a mapping from name to step")]
    name: Annotated[Maybe[Text], Meta(description="default: the name of the file")] = UNSET
    description: Annotated[Maybe[Text], Meta(description="for people")] = UNSET
    version: Annotated[Maybe[Text], Meta(description="for people")] = UNSET
    params: Annotated[Maybe[dict[str, Any]], Meta(description="parameters: a default, or {type, default, …}")] = UNSET
    env: Annotated[
        Maybe[dict[str, Any]], Meta(description="environment variables for all tasks; may use parameters")
    ] = UNSET
    secrets: Annotated[
        Maybe[list[str]], Meta(description="environment variables that must be set, and are masked everywhere")
    ] = UNSET
    defaults: Annotated[Maybe[Defaults], Meta(description="retry, timeout and max_parallel for all steps")] = UNSET
    finally_: Annotated[Any, Meta(description="steps that always run, at the end; they see `run.status`")] = UNSET
    notify: Annotated[Maybe[Notify | list[Notify]], Meta(description="who is told when the run ends, or stalls")] = (
        UNSET
    )


def field_names(struct: type[Struct]) -> tuple[str, ...]:
    """The fields as they are written in YAML."""
    return tuple(struct.__struct_encode_fields__)


def json_schema() -> dict[str, Any]:
    """A JSON Schema of workflow files."""
    return msgspec.json.schema(Workflow)
