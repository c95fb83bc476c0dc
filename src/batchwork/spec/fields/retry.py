"""The fields of `retry`, and what stands wherever attempts are made: `retry` and `timeout`."""

from typing import Annotated

from msgspec import Struct

from batchwork.errors import Problem
from batchwork.spec.field import Field
from batchwork.spec.mapping import Block
from batchwork.spec.readers import (
    BOOLEAN,
    ListReader,
    Reader,
    duration_text,
    has_template,
    integer,
    number_between,
    wrong,
)
from batchwork.spec.written import MaybeTemplate, WrittenSettings
from batchwork.spec.yaml.nodes import Entry, MapNode, Node, ScalarNode


def _failure(node: Node) -> str | int | None:
    """What stands for a kind of failure: the name of a type, an exit code or an HTTP status."""
    value = getattr(node, "value", None)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or has_template(node):
        return None
    return value


_FAILURES = "error types, exit codes or HTTP statuses"
_ON: Reader[tuple[str | int, ...]] = ListReader(
    "list",
    {"anyOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": ["string", "integer"]}}]},
    _failure,
    _FAILURES,
    _FAILURES,
    "for example [timeout, ConnectionError, 75, 503]",
)


class RetryPolicy(Struct, frozen=True):
    """When a failed attempt is made again. Delays are seconds; `on` limits retries to failure types, exit codes, statuses."""

    max_attempts: Annotated[
        int, Field(integer(1, 1_000_000), "attempts in all, the first one counted; `retry: 3` is short for it")
    ] = 1
    delay_s: Annotated[float, Field(duration_text(zero=True), "wait before the second attempt", name="delay")] = 0.0
    backoff: Annotated[float, Field(number_between(1, 1000), "factor by which the wait grows each time")] = 1.0
    max_delay_s: Annotated[float, Field(duration_text(zero=True), "longest wait", name="max_delay", default="1h")] = (
        3600.0
    )
    jitter: Annotated[bool, Field(BOOLEAN, "wait a random part of the delay")] = False
    on: Annotated[
        tuple[str | int, ...],
        Field(_ON, "only these error types, exit codes or HTTP statuses are retried", default="what can change"),
    ] = ()


class RetryReader(Reader[WrittenSettings[RetryPolicy]], frozen=True):
    """A mapping, or just the number of attempts."""

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> WrittenSettings[RetryPolicy] | None:
        if isinstance(node, ScalarNode) and type(node.value) is int:
            node = MapNode(node.place, {"max_attempts": Entry(node.place, node)})
        if not isinstance(node, MapNode):
            problems.append(wrong(field, "a mapping", node, "for example {max_attempts: 3, delay: 1}"))
            return None
        return Block(node, f"`{field}`", [RetryPolicy], problems).settings(RetryPolicy)


class AttemptSpec(Struct, frozen=True, kw_only=True):
    """What may be written of attempts in a step, the inputs of a batch, a task and `defaults`; the nearest one wins."""

    retry: Annotated[
        WrittenSettings[RetryPolicy] | None,
        Field(
            RetryReader("mapping or integer", {"$ref": "#/$defs/retry"}),
            "when a failed attempt is made again; for a step with items, per item",
            default="1 attempt",
            null=True,
            template=False,
        ),
    ] = None
    timeout_s: Annotated[
        MaybeTemplate[float],
        Field(
            duration_text(),
            "per attempt: seconds, or `100ms`, `30s`, `5m`, `2h`; the whole process tree of an attempt that takes longer is ended",
            name="timeout",
            default="none; HTTP 60 s",
            null=True,
        ),
    ] = None
