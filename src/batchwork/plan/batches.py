"""BatchSpec to BatchPlan: how the items of a step are grouped, run at once, limited. Where they come from is in items.py."""

from __future__ import annotations

from typing import Final, Literal

from batchwork.errors import Place, Problem
from batchwork.plan.items import plan_items
from batchwork.plan.knowns import ITEM_NAMES, RESERVED, Knowns
from batchwork.plan.model import BatchPlan, ItemsPlan, Rate, TaskPlan, Threshold
from batchwork.plan.tasks import plan_task
from batchwork.spec.written import BatchSpec, Setting
from batchwork.template import Template, is_template

MAX_SLOTS: Final = 10_000


def item_names(batch: BatchSpec | None, knowns: Knowns) -> frozenset[str]:
    """All names in the task of a batch step."""
    further = {batch.arg_name} if batch is not None and batch.arg_name else set()
    return knowns.names | ITEM_NAMES | further


def plan_batch(spec: BatchSpec, task: TaskPlan | None, knowns: Knowns) -> BatchPlan | None:
    """What makes the step a batch step; None where its items or its task cannot be told."""
    _check_arg_name(spec, knowns)
    field = "for_each" if spec.shorthand else "items"
    items = plan_items(spec.items, field, knowns) if spec.items is not None else None
    key = _key(spec, knowns)
    size = knowns.setting(spec.batch_size, 1)
    each, inferred = _each(spec, task, size, knowns)
    parallel, slots = _slots(spec, task, knowns)
    rate = knowns.optional(spec.rate_limit)
    limit = knowns.optional(spec.max_failures)
    goes_on = knowns.setting(spec.continue_on_error, spec.max_failures is not None)
    if limit is not None and not goes_on:
        message = "`max_failures` has no effect with `continue_on_error: false`: the first failed item stops the step"
        knowns.warnings.append(Problem(spec.place, message))
    handled = None
    if spec.on_item_error is not None:
        names = item_names(spec, knowns) | {"error"}
        if each == "item" and size > 1:
            names -= {"batch"}  # the others of the batch may be anywhere by then, also in an earlier process
        handled = plan_task(spec.on_item_error, names, knowns, shared=False)
    if items is None or task is None:
        return None
    if inferred is not None:
        _check_each(items, inferred, knowns)
    return BatchPlan(
        items=items,
        key=key,
        on_duplicate=knowns.setting(spec.on_duplicate, "keep" if spec.key is None else "error"),
        batch_size=size,
        each=each,
        each_inferred=inferred,
        parallel=parallel,
        slots=slots,
        rate=Rate(rate.count, rate.per_s) if rate is not None else None,
        continue_on_error=goes_on,
        max_failures=Threshold(limit.count, limit.share) if limit is not None else None,
        on_item_error=handled,
        on_in_doubt=knowns.setting(spec.on_in_doubt, "retry"),
        queue_size=knowns.optional(spec.queue_size),
        item_name=spec.arg_name,
    )


def _check_arg_name(spec: BatchSpec, knowns: Knowns) -> None:
    if spec.arg_name is not None and spec.arg_name != "item" and spec.arg_name in knowns.names | RESERVED:
        message = f"`arg_name` may not be `{spec.arg_name}`: that name already means something else"
        knowns.problems.append(Problem(spec.place, message))


def _key(spec: BatchSpec, knowns: Knowns) -> Template | None:
    if spec.key is None:
        return None
    names = knowns.names | {"item", "index"} | ({spec.arg_name} if spec.arg_name else set())
    template = knowns.template(spec.key, names)
    if template is not None and template.needs <= names and not template.roots & {"item", spec.arg_name, "index"}:
        message = "`key` is the same for every item"
        knowns.problems.append(Problem(spec.key.place, message, 'use the item in it, for example "{{ item.id }}"'))
    return template


def _each(
    spec: BatchSpec, task: TaskPlan | None, size: int, knowns: Knowns
) -> tuple[Literal["item", "batch"], Place | None]:
    """What the task gets as `item`, and where the code is from which that was told."""
    if spec.each is not None:
        return knowns.setting(spec.each, "item"), None
    code = task.fields.get("code") if task is not None and task.type == "python" else None
    text = getattr(code, "json", None)
    if size <= 1 or code is None or not isinstance(text, str):
        return "item", None
    from batchwork.plan.each import takes_batch

    names = {"item", *filter(None, [spec.arg_name])}
    line = takes_batch(text, names)
    if line is None:
        return "item", None
    place = code.place.below(line - 1)
    message = "`each: batch` is assumed, because the code iterates over `item` or takes its length"
    knowns.decisions.append(Problem(place, message, "write `each: batch` or `each: item` to decide it yourself"))
    return "batch", place


def _check_each(items: ItemsPlan, place: Place, knowns: Knowns) -> None:
    """Items that are written down are looked at beforehand; others are when they come."""
    written = items.value.json if items.kind == "literal" and items.value is not None else None
    for index, item in enumerate(written if isinstance(written, list) else ()):
        if isinstance(item, list) or (isinstance(item, str) and not is_template(item)):
            from batchwork.plan.each import unclear_each

            knowns.problems.append(Problem(place, *unclear_each(item, index, place)))
            return


def _slots(spec: BatchSpec, task: TaskPlan | None, knowns: Knowns) -> tuple[bool, int]:
    """Whether attempts may overlap, and how many at once."""
    most = knowns.optional(_nearest(spec.max_parallel, knowns.spec.max_parallel))
    parallel = knowns.setting(spec.parallel, most is not None and most > 1)
    if not parallel:
        if spec.max_parallel is not None and most is not None and most > 1:
            message = f"`max_parallel: {most}` has no effect with `parallel: false`: one attempt at a time"
            knowns.warnings.append(Problem(spec.place, message))
        return False, 1
    if most is None:
        own = task.task.default_parallel if task is not None else 1
        most = knowns.cpus if own is None else own
    if knowns.most_parallel is not None:
        most = min(most, knowns.most_parallel)
    return True, max(1, min(most, MAX_SLOTS))


def _nearest(here: Setting[int], default: Setting[int]) -> Setting[int]:
    return default if here is None else here
