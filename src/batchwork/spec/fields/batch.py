"""The inputs of a step with `task: batch`: what is compiled, and the settings that go to the plan as they are."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Struct

from batchwork.errors import Place
from batchwork.spec.field import REQUIRED, Field
from batchwork.spec.fields.aggregate import AGGREGATES, AggregateSpec
from batchwork.spec.fields.results import RESULTS, ResultsSpec
from batchwork.spec.fields.retry import AttemptSpec
from batchwork.spec.fields.task import TaskSpec
from batchwork.spec.parse_task import TaskReader
from batchwork.spec.readers import (
    BOOLEAN,
    NODE,
    RATE,
    THRESHOLD,
    ValueReader,
    has_template,
    identifier,
    integer,
    word,
)
from batchwork.spec.written import MaybeTemplate, Rate, Threshold, WrittenSettings
from batchwork.spec.yaml.nodes import Node, ScalarNode

_OnDuplicate = Literal["keep", "skip", "error"]
Each = Literal["item", "batch"]
OnBadRow = Literal["fail", "skip", "stop"]
OnInDoubt = Literal["retry", "fail", "stop"]
_ON_DUPLICATE: tuple[_OnDuplicate, ...] = ("keep", "skip", "error")
_EACH: tuple[Each, ...] = ("item", "batch")
_ON_BAD_ROW: tuple[OnBadRow, ...] = ("fail", "skip", "stop")
_ON_IN_DOUBT: tuple[OnInDoubt, ...] = ("retry", "fail", "stop")

MAX_SLOTS = 10_000
_KEY: ValueReader[ScalarNode] = ValueReader(
    "template",
    {"type": "string", "pattern": r"\{\{"},
    lambda node: node if isinstance(node, ScalarNode) and has_template(node) and "{{" in node.text else None,
    "a template that tells items apart",
    'for example "{{ item.id }}"',
)
PARALLEL = Field(
    BOOLEAN,
    "several attempts at once: true, false or `{max_parallel: N}`. False: strictly one after another, retry waits included",
    default="true if `max_parallel` > 1",
)


MAX_PARALLEL = Field(
    integer(1, MAX_SLOTS),
    f"attempts at once, 1 to {MAX_SLOTS:,}",
    default="CPUs for `python`, 8 for the rest, if `parallel`",
    synonyms=("max_workers",),
)


class ParallelSpec(Struct, frozen=True):
    """What may be written under `parallel`."""

    max_parallel: Annotated[MaybeTemplate[int], MAX_PARALLEL] = None


class BatchSettings(Struct, frozen=True, kw_only=True):
    """Settings of a batch step."""

    on_duplicate: Annotated[
        _OnDuplicate,
        Field(
            word(_ON_DUPLICATE),
            "the same key again: `keep` (numbered `#1`, `#2`), `skip`, `error`",
            default="`keep`; with a written `key` `error`",
        ),
    ] = "keep"
    on_bad_row: Annotated[
        OnBadRow,
        Field(
            word(_ON_BAD_ROW),
            "a row that cannot be read, or has no field for `key`: `fail` a failed item of type `bad row`, `skip` it, "
            "counted, or `stop` the step",
        ),
    ] = "fail"
    batch_size: Annotated[
        int,
        Field(
            integer(1, 1_000_000),
            "how items are grouped for the author, 1 to 1,000,000",
            synonyms=("chunk_size",),
        ),
    ] = 1
    each: Annotated[
        Each,
        Field(
            word(_EACH),
            "what the task gets as `item`: one item, or (`batch`) the list of a group, "
            "which then is what runs, succeeds, fails and is retried",
            default="`item`, see below",
        ),
    ] = "item"
    parallel: Annotated[bool, PARALLEL] = False
    rate_limit: Annotated[
        Rate | None,
        Field(RATE, "attempts over the whole step, evenly spread: `50/s`, `3000/min`, `100/h`", null=True),
    ] = None
    continue_on_error: Annotated[
        bool,
        Field(
            BOOLEAN,
            "go on after failed items; false: the first item that has used up its attempts stops the step",
            default="false; true with `max_failures`",
        ),
    ] = False
    max_failures: Annotated[
        Threshold | None,
        Field(
            THRESHOLD,
            "a count, or a share of the finished items (`5%`, from 20 finished on), past which the step stops",
            null=True,
        ),
    ] = None
    on_in_doubt: Annotated[
        OnInDoubt, Field(word(_ON_IN_DOUBT), "items that ran when the process died: `retry`, `fail`, `stop`")
    ] = "retry"
    queue_size: Annotated[
        int | None,
        Field(
            integer(1, 1_000_000_000),
            "a cap, in batches, on how far reading runs ahead",
            default="what the workers need",
            null=True,
        ),
    ] = None
    arg_name: Annotated[str | None, Field(identifier("`arg_name`"), "a further name for `item`", template=False)] = None


class BatchSpec(AttemptSpec, frozen=True, kw_only=True):
    """The inputs of a batch step, or `for_each` and what stands beside it (`shorthand`)."""

    place: Place
    settings: WrittenSettings[BatchSettings]
    shorthand: bool = False
    items: Annotated[
        Node | None,
        Field(
            NODE,
            "a list, a template that gives one, `$(command)` for its lines, or a source: `{from: …}`",
            default=REQUIRED,
            template=False,
        ),
    ] = None
    task: Annotated[
        TaskSpec | None,
        Field(
            TaskReader("mapping", {"$ref": "#/$defs/task"}, "the `task` of a batch step"),
            "what is done for each item (or batch): `type` and the fields of the task, inline or under `inputs:`",
            default=REQUIRED,
            template=False,
        ),
    ] = None
    key: Annotated[
        ScalarNode | None,
        Field(_KEY, "identity of an item across resumes: a template", default="the value", null=True, template=False),
    ] = None
    max_parallel: Annotated[MaybeTemplate[int], MAX_PARALLEL] = None
    on_item_error: Annotated[
        TaskSpec | None,
        Field(
            TaskReader("mapping", {"$ref": "#/$defs/task"}, "`on_item_error`"),
            "a task that runs once for each failed item; has `error`, and may have a `timeout` of its own",
            null=True,
            template=False,
        ),
    ] = None
    results: Annotated[
        ResultsSpec | None,
        Field(
            RESULTS, "a table of the results in a file: `{to: path or URL, …}`, see below", null=True, template=False
        ),
    ] = None
    aggregate: Annotated[
        Mapping[str, AggregateSpec] | None,
        Field(
            AGGREGATES,
            "what is computed of all units, by name: `{NAME: {sum: template, by: template}}`, see below; it stands in "
            "`steps.NAME.aggregate`",
            null=True,
            template=False,
        ),
    ] = None
