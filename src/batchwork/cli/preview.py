"""The first items of a step as a run would see them, and its task's fields rendered for them. Runs no command, imports no user code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from batchwork.engine.feed.source.opening import Around, open_around
from batchwork.errors import BatchworkError
from batchwork.items.keys.guard import default_keys
from batchwork.model import BatchView
from batchwork.plan.model import BatchPlan, ItemsPlan, Plan, StepPlan
from batchwork.plugins import find_source
from batchwork.ports import BadRow
from batchwork.template import Template, Value
from batchwork.text.jsontext import Json, encode
from batchwork.text.wording import number, only_if, plural, short, visible

FIRST = 3
ITEMS_MAX = 1000
"""Items that are read, whatever the size of a batch."""
_MASK = "***"


class Preview(Struct, frozen=True):
    """`count`: how many items there are, in words, if that is known beforehand."""

    count: str
    lines: tuple[str, ...]


def preview(plan: Plan, step: StepPlan) -> Preview | None:
    """The first items, or why they are not known before the run; None for a step without items."""
    batch = step.batch
    if batch is None:
        return None
    try:
        scope = _scope(plan)
        found, count = _first(batch.items, scope, min(FIRST * batch.batch_size, ITEMS_MAX))
    except BatchworkError as error:
        return Preview("", (f"   first         not known: {visible(error.message)}",))
    if found is None:
        return Preview("", ("   first         known when the step runs",))
    return Preview(count, tuple(_unit_lines(step, batch, found, scope)))


def _scope(plan: Plan) -> dict[str, object]:
    """What is known before anything has run; secrets are masked already here."""
    environ = {**os.environ, **{name: _MASK for name in plan.secrets if name in os.environ}}
    run = {"id": "RUN", "name": plan.name, "dir": "RUN_DIR"}
    scope: dict[str, object] = {**plan.params, "params": plan.params, "args": plan.params, "env": environ, "run": run}
    for name, value in plan.env.items():
        environ[name] = value.text(scope)
    return scope


def _first(items: ItemsPlan, scope: Mapping[str, object], wanted: int) -> tuple[list[Json] | None, str]:
    """The first items and how many there are in all; None where only a run can know."""
    if not scope.keys() >= {name for value in items.values() for name in value.roots} - {"item"}:
        return None, ""
    if items.value is None:
        return _first_read(items, scope, wanted)
    value = items.value.render(scope)
    if not isinstance(value, list):
        return None, ""
    return value[:wanted], "" if items.kind == "literal" else plural(len(value), "item")


def _first_read(items: ItemsPlan, scope: Mapping[str, object], wanted: int) -> tuple[list[Json] | None, str]:
    """As `_first`, of a source that has fields."""
    if not _may_preview(items):
        return None, ""
    source = open_around(items, Around(scope, os.getcwd(), os.environ))
    try:
        length = source.reading().length
        rows = next(iter(source.pages(0, wanted)), ())
        page: list[Json] = [row for row in rows if not isinstance(row, BadRow)]  # the run tells of the others
        if length is None and len(rows) < wanted:
            length = len(rows)
        return page[:wanted], "" if length is None else plural(length, "item")
    finally:
        source.close()


def _may_preview(items: ItemsPlan) -> bool:
    """Whether nobody notices that its first items are read."""
    if items.value is not None:
        return True
    source = find_source(items.source)
    return not source.commands and source.may_preview and all(map(_may_preview, items.parts.values()))


def _unit_lines(step: StepPlan, batch: BatchPlan, found: list[Json], scope: Mapping[str, object]) -> Iterator[str]:
    if not found:
        yield "   first         there are no items"
        return
    keys = default_keys(found)
    size = batch.batch_size
    batches = [BatchView(start // size, found[start : start + size], None) for start in range(0, len(found), size)]
    units: list[tuple[Json, BatchView]] = [(item, batches[index // size]) for index, item in enumerate(found)]
    if batch.each == "batch":
        units = [(found[start : start + size], batches[start // size]) for start in range(0, len(found), size)]
    label = "first"
    for index, (item, view) in enumerate(units[:FIRST]):
        names = {**scope, "item": item, "index": index, "attempt": 1, "batch": view, "idempotency_key": "TOKEN"}
        names["key"] = keys[index]
        if batch.arg_name:
            names[batch.arg_name] = item
        if isinstance(batch.key, Template):
            names["key"] = _shown(batch.key, names)
        key = only_if(batch.each == "item", f"  key {short(visible(str(names['key'])), 40)}")
        yield f"   {label:13} [{number(index)}] {short(visible(encode(item)), 100)}{key}"
        yield from _field_lines(step, names)
        label = ""


def _field_lines(step: StepPlan, names: Mapping[str, object]) -> Iterator[str]:
    """The task's fields that are templates, rendered for one unit. Commands are shown by their bindings, not pasted."""
    for name, value in step.task.fields.items():
        if name in step.task.task.literal or not value.roots or not isinstance(value, Value):
            continue
        if step.task.type == "shell" and name == "command":
            bound = [(part.source, part.value) for template in value.templates() for part in template.expressions]
            for source, render in bound:
                yield f"   {'':13}     {name}: {{{{ {source.strip()} }}}} = {_rendered(render, names)}"
            continue
        yield f"   {'':13}     {name}: {_rendered(value.render, names)}"


def _shown(template: Template, names: Mapping[str, object]) -> str:
    try:
        return template.text(names)
    except BatchworkError as error:
        return f"({error.message})"


def _rendered(render: Callable[[Mapping[str, object]], object], names: Mapping[str, object]) -> str:
    try:
        return short(visible(encode(render(names))), 200)
    except BatchworkError as error:
        return f"({visible(error.message)})"
    except (TypeError, ValueError):
        return "(known when the step runs)"
