"""BatchSpec to BatchPlan: how the items of a step are grouped, run at once, limited."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import asdict, replace

from batchwork.errors import Place, Problem
from batchwork.plan.knowns import ITEM_NAMES, RESERVED, Knowns
from batchwork.plan.model import AggregatePlan, BatchPlan, ItemsPlan, ResultsPlan, TaskPlan
from batchwork.plan.sources.items import plan_items
from batchwork.plan.tasks import plan_task
from batchwork.spec.fields.batch import MAX_SLOTS, BatchSettings, BatchSpec
from batchwork.template import Template, is_template


def own_names(batch: BatchSpec) -> frozenset[str]:
    """What `arg_name` adds to the names."""
    name = batch.settings.values.get("arg_name")
    if name is None:
        return frozenset()
    return frozenset({str(name)})


def item_names(batch: BatchSpec, knowns: Knowns) -> frozenset[str]:
    """All names in the task of a batch step."""
    return knowns.names | ITEM_NAMES | own_names(batch)


def plan_batch(spec: BatchSpec, task: TaskPlan | None, knowns: Knowns) -> BatchPlan | None:
    """What makes the step a batch step; None where its items or its task cannot be told."""
    _check_arg_name(spec, knowns)
    items = None
    if spec.items is not None:
        items = plan_items(spec.items, "for_each" if spec.shorthand else "items", knowns)
    key = _key(spec, knowns)
    settings = knowns.settings(spec.settings)
    inferred = _takes_batch(spec, task, settings.batch_size, knowns)
    parallel, slots, room = _slots(spec, settings, task, knowns)
    settings = replace(settings, parallel=parallel, continue_on_error=_goes_on(spec, settings, knowns))
    if inferred is not None:
        settings = replace(settings, each="batch")
    if spec.key is not None and "on_duplicate" not in spec.settings:
        settings = replace(settings, on_duplicate="error")
    handled = _on_item_error(spec, settings, knowns)
    results, aggregate = _results(spec, knowns), _aggregate(spec, knowns)
    if items is None or task is None:
        return None
    if inferred is not None:
        _check_each(items, inferred, knowns)
    return BatchPlan(
        items=items,
        key=key,
        each_inferred=inferred,
        slots=slots,
        room=room,
        on_item_error=handled,
        results=results,
        aggregate=aggregate,
        **asdict(settings),
    )


def _goes_on(spec: BatchSpec, settings: BatchSettings, knowns: Knowns) -> bool:
    """Whether the step goes on after a failed item."""
    goes_on = "max_failures" in spec.settings
    if "continue_on_error" in spec.settings:
        goes_on = settings.continue_on_error
    if settings.max_failures is not None and not goes_on:
        message = "`max_failures` has no effect with `continue_on_error: false`: the first failed item stops the step"
        knowns.warnings.append(Problem(spec.place, message))
    return goes_on


def _on_item_error(spec: BatchSpec, settings: BatchSettings, knowns: Knowns) -> TaskPlan | None:
    names = item_names(spec, knowns) | {"error"}
    if settings.each == "item" and settings.batch_size > 1:
        names -= {"batch"}  # the others of the batch may be anywhere by then, also in an earlier process
    return plan_task(spec.on_item_error, names, knowns, shared=False)


def _results(spec: BatchSpec, knowns: Knowns) -> ResultsPlan | None:
    if spec.results is None:
        return None
    from batchwork.plan.outcomes.results import plan_results  # most steps write no file

    return plan_results(spec.results, knowns)


def _aggregate(spec: BatchSpec, knowns: Knowns) -> Mapping[str, AggregatePlan]:
    if not spec.aggregate:
        return {}
    from batchwork.plan.outcomes.aggregates import plan_aggregates  # most steps compute none

    return plan_aggregates(spec.aggregate, knowns)


def _check_arg_name(spec: BatchSpec, knowns: Knowns) -> None:
    for name in own_names(spec) - {"item"}:
        if name in knowns.names | RESERVED:
            message = f"`arg_name` may not be `{name}`: that name already means something else"
            knowns.problems.append(Problem(spec.place, message))


def _key(spec: BatchSpec, knowns: Knowns) -> Template | None:
    if spec.key is None:
        return None
    of_item = {"item", "index"} | own_names(spec)
    names = knowns.names | of_item
    template = knowns.template(spec.key, names)
    if template is not None and template.needs <= names and template.roots.isdisjoint(of_item):
        message = "`key` is the same for every item"
        knowns.problems.append(Problem(spec.key.place, message, 'use the item in it, for example "{{ item.id }}"'))
    return template


def _takes_batch(spec: BatchSpec, task: TaskPlan | None, size: int, knowns: Knowns) -> Place | None:
    """Where the code is that shows, where nothing is written of it, that the task gets the list of a batch."""
    if "each" in spec.settings or size <= 1 or task is None or task.type != "python":
        return None
    code = task.fields.get("code")
    if code is None or not isinstance(code.json, str):
        return None
    from batchwork.plan.each import takes_batch, unclear_call

    names = {"item"} | own_names(spec)
    line = takes_batch(code.json, names)
    if line is None:
        if (unclear := unclear_call(code.json, names)) is not None:
            knowns.problems.append(_unclear(code.place.below(unclear[0] - 1), unclear[1]))
        return None
    place = code.place.below(line - 1)
    message = "`each: batch` is assumed, because the code iterates over `item` or takes its length"
    knowns.decisions.append(Problem(place, message, "write `each: batch` or `each: item` to decide it yourself"))
    return place


def _unclear(place: Place, function: str) -> Problem:
    message = f"`each` is needed: the code gives `item` to `{function}`, which takes an item that is a list as well as the list of a batch"
    advice = "write `each: item` if `item` means one item, `each: batch` if it means the list of a batch's items"
    return Problem(place, message, advice)


def _check_each(items: ItemsPlan, place: Place, knowns: Knowns) -> None:
    """Items that are written down are looked at beforehand; others are when they come."""
    if items.kind != "literal" or items.value is None or not isinstance(items.value.json, list):
        return
    for index, item in enumerate(items.value.json):
        if isinstance(item, list) or (isinstance(item, str) and not is_template(item)):
            from batchwork.plan.each import unclear_each

            knowns.problems.append(Problem(place, *unclear_each(item, index, place)))
            return


def _slots(spec: BatchSpec, settings: BatchSettings, task: TaskPlan | None, knowns: Knowns) -> tuple[bool, int, int]:
    """Whether attempts may overlap, how many at once, and how many where there are several machines."""
    here = spec.max_parallel
    most = knowns.optional(here or knowns.spec.defaults.max_parallel)
    several = most is not None and most > 1
    parallel = several
    if "parallel" in spec.settings:
        parallel = settings.parallel
    if not parallel:
        if here is not None and several:
            message = f"`max_parallel: {most}` has no effect with `parallel: false`: one attempt at a time"
            knowns.warnings.append(Problem(spec.place, message))
        return False, 1, 1
    room = max(1, min(MAX_SLOTS, most or MAX_SLOTS, knowns.given.max_parallel or MAX_SLOTS))
    return True, min(room, most or _usual(task, knowns)), room


def _usual(task: TaskPlan | None, knowns: Knowns) -> int:
    """How many attempts at once a task type wants where nothing is said."""
    if task is None:
        return 1
    return task.task.default_parallel or knowns.given.cpus
