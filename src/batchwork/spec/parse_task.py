"""Nodes to TaskSpec, BatchSpec and RetrySpec: what is done, and how often. Steps and the top level are in parse.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from batchwork.errors import Place, Problem
from batchwork.spec import models, readers
from batchwork.spec.mapping import Fields, is_template
from batchwork.spec.written import BatchSpec, RetrySpec, Setting, TaskSpec
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, describe

BATCH_SYNONYMS = {"chunk_size": "batch_size", "max_workers": "max_parallel"}
TYPE_SYNONYMS = {"python_code": "python", "http.request": "http_request"}
MAX_PARALLEL = readers.integer("max_parallel", 1, 10_000)
_ON_DUPLICATE: tuple[Literal["keep", "skip", "error"], ...] = ("keep", "skip", "error")
_EACH: tuple[Literal["item", "batch"], ...] = ("item", "batch")
_ON_IN_DOUBT: tuple[Literal["retry", "fail", "stop"], ...] = ("retry", "fail", "stop")
_NEITHER = "a task is `{type: shell, command: …}`"


def type_of(fields: Mapping[str, Entry], problems: list[Problem]) -> ScalarNode | None:
    """What stands behind `task` or `type`, if it is a name. Both together are a problem; so is neither, but not here."""
    written = [fields[name] for name in ("task", "type") if name in fields]
    if len(written) == 2:
        problems.append(Problem(written[1].place, "`task` and `type` mean the same", "keep one of them"))
    for entry in written:
        node = entry.node
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.style != "template":
            return node
        problems.append(readers.wrong("type", "the name of a task type", node))
    return None


def type_name(node: ScalarNode) -> str:
    return TYPE_SYNONYMS.get(node.text, node.text)


def parse_task(node: Node, what: str, problems: list[Problem]) -> TaskSpec | None:
    """A nested task: its type, its fields (inline, or under `inputs`), and `retry` and `timeout` beside them."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.style != "template":
        return TaskSpec(type_name(node), node.place, node.place, {})
    if not isinstance(node, MapNode):
        problems.append(Problem(node.place, f"{what} must be a mapping with a `type`, but it is {describe(node)}"))
        return None
    count = len(problems)
    kind = type_of(node.entries, problems)
    if kind is None:
        if len(problems) == count:
            problems.append(Problem(node.place, f"`type` is required in {what}", _NEITHER))
        return None
    fields = {name: entry for name, entry in node.entries.items() if name not in ("task", "type", "inputs")}
    inputs = node.entries.get("inputs")
    if inputs is not None:
        fields |= _inputs(inputs.node, fields, problems)
    return task_spec(kind, node.place, fields, problems)


def _inputs(node: Node, inline: Mapping[str, Entry], problems: list[Problem]) -> Mapping[str, Entry]:
    if not isinstance(node, MapNode):
        if not (isinstance(node, ScalarNode) and node.value is None):
            problems.append(Problem(node.place, f"`inputs` must be a mapping, but it is {describe(node)}"))
        return {}
    for name in node.entries.keys() & inline.keys():
        place = node.entries[name].place
        problems.append(Problem(place, f"`{name}` is given twice, under `inputs` and beside it", "keep one of them"))
    return node.entries


def task_spec(kind: ScalarNode, place: Place, fields: Mapping[str, Entry], problems: list[Problem]) -> TaskSpec:
    """A task of fields that are sorted out already. `retry` and `timeout` are read; a type may have them as its own too."""
    own = Fields(
        MapNode(place, {name: fields[name] for name in ("retry", "timeout") if name in fields}),
        "the task",
        ("retry", "timeout"),
        problems,
    )
    return TaskSpec(
        type_name(kind),
        kind.place,
        place,
        {name: entry for name, entry in fields.items() if name != "retry"},
        parse_retry(own, problems),
        own.setting("timeout", readers.duration("timeout"), nullable=True),
    )


def parse_retry(fields: Fields, problems: list[Problem]) -> RetrySpec | None:
    """The field `retry` of `fields`: a mapping, or just the number of attempts."""
    node = fields.node("retry")
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return None
    attempts = readers.integer("max_attempts", 1, 1_000_000)
    if isinstance(node, ScalarNode) and type(node.value) is int:
        return RetrySpec(node.place, attempts(node, problems))
    if not isinstance(node, MapNode):
        problems.append(readers.wrong("retry", "a mapping", node, "for example {max_attempts: 3, delay: 1}"))
        return None
    read = Fields(node, "`retry`", models.field_names(models.Retry), problems)
    return RetrySpec(
        node.place,
        read.setting("max_attempts", attempts),
        read.setting("delay", readers.duration("delay", zero=True)),
        read.setting("backoff", readers.number("backoff", 1, 1000)),
        read.setting("max_delay", readers.duration("max_delay", zero=True)),
        read.setting("jitter", readers.boolean("jitter")),
        read.setting("on", _retried),
    )


def _retried(node: Node, problems: list[Problem]) -> tuple[str | int, ...]:
    """What `on` names: one or a list."""
    parts = node.items if isinstance(node, ListNode) else (node,)
    found: list[str | int] = []
    for part in parts:
        value = part.value if isinstance(part, ScalarNode) else None
        if isinstance(value, (str, int)) and not isinstance(value, bool) and not is_template(part):
            found.append(value)
        else:
            what = "error types, exit codes or HTTP statuses"
            problems.append(readers.wrong("on", what, part, "for example [timeout, ConnectionError, 75, 503]"))
    return tuple(found)


def parse_parallel(fields: Fields, problems: list[Problem]) -> tuple[Setting[bool], Setting[int]]:
    """`parallel` (true, false or {max_parallel: N}) and `max_parallel` beside it."""
    node = fields.node("parallel")
    most = fields.setting("max_parallel", MAX_PARALLEL)
    if not isinstance(node, MapNode):
        return fields.setting("parallel", readers.boolean("parallel")), most
    inner = Fields(node, "`parallel`", ("max_parallel",), problems, BATCH_SYNONYMS)
    if inner.require("max_parallel") and most is not None:
        place = inner.key_place("max_parallel")
        problems.append(
            Problem(place, "`max_parallel` is given twice, in `parallel` and beside it", "keep one of them")
        )
    return True, inner.setting("max_parallel", MAX_PARALLEL)


def parse_batch(node: MapNode, problems: list[Problem]) -> tuple[BatchSpec, TaskSpec | None]:
    """The inputs of a batch step, and its task."""
    fields = Fields(node, "the inputs of a batch step", models.field_names(models.Batch), problems, BATCH_SYNONYMS)
    fields.require("items", "for example `items: [a, b]`, `items: $(ls *.csv)` or `items: {from: jsonl, path: …}`")
    task = fields.node("task")
    nested = None
    if fields.require("task", _NEITHER) and task is not None:
        nested = parse_task(task, "the `task` of a batch step", problems)
    on_item_error = fields.node("on_item_error")
    parallel, max_parallel = parse_parallel(fields, problems)
    batch = BatchSpec(
        items=fields.node("items"),
        place=node.place,
        key=_key(fields, problems),
        on_duplicate=fields.setting("on_duplicate", readers.word("on_duplicate", _ON_DUPLICATE)),
        batch_size=fields.setting("batch_size", readers.integer("batch_size", 1, 1_000_000)),
        each=fields.setting("each", readers.word("each", _EACH)),
        parallel=parallel,
        max_parallel=max_parallel,
        rate_limit=fields.setting("rate_limit", readers.rate("rate_limit"), nullable=True),
        retry=parse_retry(fields, problems),
        timeout_s=fields.setting("timeout", readers.duration("timeout"), nullable=True),
        continue_on_error=fields.setting("continue_on_error", readers.boolean("continue_on_error")),
        max_failures=fields.setting("max_failures", readers.failures("max_failures"), nullable=True),
        on_item_error=_handling(on_item_error, problems),
        on_in_doubt=fields.setting("on_in_doubt", readers.word("on_in_doubt", _ON_IN_DOUBT)),
        queue_size=fields.setting("queue_size", readers.integer("queue_size", 1, 1_000_000_000), nullable=True),
        arg_name=fields.take("arg_name", readers.identifier("`arg_name`")),
    )
    return batch, nested


def _handling(node: Node | None, problems: list[Problem]) -> TaskSpec | None:
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return None
    return parse_task(node, "`on_item_error`", problems)


def _key(fields: Fields, problems: list[Problem]) -> ScalarNode | None:
    node = fields.node("key")
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return None
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and "{{" in node.value:
        return node
    problems.append(readers.wrong("key", "a template that tells items apart", node, 'for example "{{ item.id }}"'))
    return None
