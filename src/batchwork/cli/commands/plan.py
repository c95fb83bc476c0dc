"""`batchwork plan` (and `run --dry-run`): what a run would do, in words; nothing is executed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from batchwork.censor import Censor
from batchwork.cli.options import HelpfulCommand, executor_option
from batchwork.cli.preview import Preview, preview
from batchwork.cli.workflow import remarks, workflow_arguments
from batchwork.compose import check_executor, read_plan
from batchwork.plan.model import BatchPlan, ItemsPlan, Plan, StepPlan, TaskPlan
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.spec.written import Threshold
from batchwork.template import Template, Value
from batchwork.text.jsontext import encode
from batchwork.text.wording import duration, number, plural, short, visible
from batchwork.view.streams import Stdout

WIDE = 400
"""Characters of one field that are shown."""
ROWS = frozenset({"csv", "parquet", "arrow", "sql"})
"""Sources of rows, which mostly have a column by which they are known."""


@click.command("plan", cls=HelpfulCommand)
@workflow_arguments
@click.option("--max-parallel", type=click.IntRange(1), metavar="N", help="As in `run`. Default: what the steps say.")
@executor_option
def plan_command(
    workflow: str, given: tuple[str, ...], params_file: str | None, max_parallel: int | None, executor: str | None
) -> None:
    """Show what a run of WORKFLOW would do: steps, items, batches, decisions taken, first rendered items.

    Runs nothing. Files of items are looked at, commands are not run.
    """
    show_plan(read_plan(workflow, given, params_file, max_parallel), executor)


def show_plan(plan: Plan, executor: str | None = None) -> None:
    """Print a plan. `executor`: where its items are to run. Raises UsageError."""
    remarks(plan)
    out = Stdout()
    elsewhere = executor is not None and check_executor(executor) != "local"
    for line in plan_lines(plan, elsewhere=elsewhere):
        out.line(line)
    out.flush()


def plan_lines(plan: Plan, *, elsewhere: bool = False) -> Iterator[str]:
    """A plan in words, without its secrets, whatever they came in by. `elsewhere`: there are other machines for its items."""
    return map(Censor(plan.secrets, os.environ, plan.credentials).text, _all_lines(plan, elsewhere))


def _all_lines(plan: Plan, elsewhere: bool) -> Iterator[str]:
    yield f"{visible(plan.name)}  ({visible(plan.file)})"
    if plan.description:
        yield f"  {short(visible(plan.description), WIDE)}"
    if plan.params:
        yield f"  parameters  {', '.join(f'{name} = {_json(value)}' for name, value in plan.params.items())}"
    if plan.secrets:
        yield f"  secrets     {', '.join(plan.secrets)}"
    for place, step in enumerate(plan.steps, 1):
        yield ""
        yield from _step_lines(place, step, preview(plan, step), elsewhere)
    if plan.notify:
        yield ""
        for entry in plan.notify:
            yield f"notify  on {', '.join(entry.on)}: {'a command' if entry.command is not None else 'a URL'}"


def _step_lines(place: int, step: StepPlan, seen: Preview | None, elsewhere: bool) -> Iterator[str]:
    kind = step.task.type
    if step.batch is not None:
        kind += f" for each {step.batch.each}"
    if step.finalizer:
        kind += " (always runs, at the end)"
    yield f"{place}. {visible(step.name)}: {kind}"
    facts = [*_step_facts(step, seen)]
    if elsewhere:
        facts.append(("runs", f"on this machine, because {step.stays}" if step.stays else "on nodes"))
    for name, text in facts:
        yield f"   {name.ljust(13)} {text}"
    if seen is not None:
        yield from seen.lines


def _step_facts(step: StepPlan, seen: Preview | None) -> Iterator[tuple[str, str]]:
    if step.depends_on:
        yield "after", ", ".join(step.depends_on)
    if step.when is not None:
        yield "when", _source(step.when)
    if step.batch is not None:
        yield from _batch_facts(step.batch, seen)
    attempts = _attempts(step.retry, step.timeout_s)
    if attempts:
        yield "attempts", attempts
    if step.on_error is not None:
        yield "on error", "continue" if step.on_error == "continue" else step.on_error.type
    if step.outputs:
        yield "gives", step.outputs
    yield from _task_facts(step.task)
    yield from _remarks(step)


def _batch_facts(batch: BatchPlan, seen: Preview | None) -> Iterator[tuple[str, str]]:
    items = _items(batch.items)
    if seen is not None and seen.count:
        items += f": {seen.count}"
    yield "items", items
    if batch.key is not None:
        yield "key", _source(batch.key)
    elif batch.items.source in ROWS:
        yield "key", "the whole row, so a row that is mended is another item"
    if batch.batch_size > 1:
        yield "batches", f"of {plural(batch.batch_size, 'item')}; the task gets {_taken(batch)}"
    yield "at once", _at_once(batch)
    if batch.continue_on_error:
        yield "failures", f"go on{_limit(batch.max_failures)}"
    else:
        yield "failures", "the first one stops the step"
    if batch.on_item_error is not None:
        yield "on item error", batch.on_item_error.type
    if batch.on_in_doubt != "retry":
        yield "in doubt", batch.on_in_doubt


def _source(value: Template | str | bool) -> str:
    """A value as it was written."""
    if isinstance(value, Template):
        return value.source
    if isinstance(value, str):
        return value
    return encode(value)


def _taken(batch: BatchPlan) -> str:
    takes = "the list of a batch" if batch.each == "batch" else "one item"
    where = batch.each_inferred
    if where is None:
        return takes
    return f"{takes} (decided from its code, line {where.line})"


def _at_once(batch: BatchPlan) -> str:
    together = number(batch.slots) if batch.parallel else "one after another"
    if batch.rate_limit is None:
        return together
    return f"{together}, at most {plural(batch.rate_limit.count, 'attempt')} in {duration(batch.rate_limit.per_s)}"


def _limit(threshold: Threshold | None) -> str:
    if threshold is None:
        return ""
    if threshold.count is not None:
        return f"; more than {number(threshold.count)} stop the step"
    return f"; more than {100 * (threshold.share or 0):g} % stop the step (from 20 finished on)"


def _items(items: ItemsPlan) -> str:
    value = items.value.json if isinstance(items.value, Value) else None
    match items.kind:
        case "literal":
            if isinstance(value, list):
                return f"{plural(len(value), 'item')} written down"
            return "a list"
        case "template":
            return short(visible(str(value)), WIDE)
        case "command":
            return f"lines of the command: {short(visible(str(items.fields['command'].json)), WIDE)}"
        case "from":
            fields = [f"{name} {_field(field)}" for name, field in (*items.fields.items(), *items.narrowing.items())]
            parts = [f"{name} ({_items(part)})" for name, part in items.parts.items()]
            return ", ".join([items.source, *parts, *fields])


def _attempts(retry: RetryPolicy, timeout_s: float | None) -> str:
    parts = []
    if retry.max_attempts > 1:
        parts.append(f"up to {retry.max_attempts}{_waits(retry)}")
    if timeout_s is not None:
        parts.append(f"timeout {duration(timeout_s)}")
    return "; ".join(parts)


def _waits(retry: RetryPolicy) -> str:
    text = ""
    if retry.delay_s:
        text += f", {duration(retry.delay_s)} apart"
        if retry.backoff != 1:
            text += f" × {retry.backoff:g} each time"
    if retry.jitter:
        text += " at random"
    if retry.on:
        text += f", on {', '.join(map(str, retry.on))} only"
    return text


def _task_facts(task: TaskPlan) -> Iterator[tuple[str, str]]:
    for name, value in task.fields.items():
        lines = _field(value).split("\n")
        yield name, lines[0]
        for line in lines[1:]:
            yield "", line


def _remarks(step: StepPlan) -> Iterator[tuple[str, str]]:
    hook = step.batch.on_item_error if step.batch is not None else None
    for task in (step.task, hook, step.on_error):
        if isinstance(task, TaskPlan):
            yield from ((word, visible(text)) for word, text in task.compiled.remarks)


def _field(value: object) -> str:
    """A field as written; code and commands of several lines as a block."""
    written = value.json if isinstance(value, Value) else value
    if isinstance(written, str):
        lines = written.rstrip("\n").split("\n")
        shown = [short(visible(line), WIDE) for line in lines[:20]]
        if len(lines) > 20:
            shown.append(f"… {len(lines) - 20} more lines")
        return "\n".join(shown)
    return _json(written)


def _json(value: object) -> str:
    return short(visible(encode(value)), WIDE)
