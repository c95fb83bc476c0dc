"""`batchwork items` and `errors`: the units of a run, and its failures. One unit by itself is in logs.py, exporting in results.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from batchwork.cli.look import (
    Wanted,
    error_line,
    failures,
    looking,
    readable,
    split_kind,
    the_steps,
    unit_json,
    units,
)
from batchwork.cli.options import Command, json_option, run_argument, step_option, store_option
from batchwork.engine.run.find_run import find_run
from batchwork.model import UnitStatus
from batchwork.ports.store import UnitView
from batchwork.text.alike import Alike, group
from batchwork.text.jsontext import encode
from batchwork.text.wording import duration, plural, short, visible
from batchwork.view.streams import Stdout, note

STATUSES = ("pending", "succeeded", "failed", "skipped", "in_doubt", "interrupted")


@click.command("items", cls=Command)
@run_argument
@click.option("--status", type=click.Choice(STATUSES), help="Only items in this state. Default: all.")
@step_option("Only items of this step. Default: all steps.")
@json_option("One JSON object a line.")
@store_option
def items_command(run: str | None, status: str | None, step: str | None, as_json: bool, store: str | None) -> None:
    """List the items of RUN (the latest run by default) in input order.

    Items that have never been started are not listed; `status` counts them.
    """
    wanted: Wanted = None if status is None else "in_doubt" if status == "in_doubt" else UnitStatus(status)
    out = Stdout()
    with looking(store) as opened:
        steps = the_steps(opened, find_run(opened, run), step)
        found = (unit for record in steps for unit in units(opened, record, wanted))
        if as_json:
            for unit in found:
                out.json(unit_json(unit))
        else:
            name_width = max((min(len(record.name), 20) for record in steps), default=4)
            head = ("step", "index", "key", "status", "tries", "time", "error or result")
            out.stream_table(head, (max(name_width, 4), 7, 16, 11, 5, 8), map(_row, found), (1, 4, 5))
    out.flush()


def _row(unit: UnitView) -> tuple[str, ...]:
    record = unit.record
    return (
        unit.step,
        "-" if record.index is None else str(record.index),
        record.key,
        unit.status,
        str(record.attempts),
        duration(record.duration_us / 1e6) if record.duration_us else "",
        error_line(record.failure) or readable(record.result) or record.note,
    )


@click.command("errors", cls=Command)
@run_argument
@step_option("Only failures of this step. Default: all steps.")
@json_option("One JSON object a line for each group of alike failures.")
@store_option
def errors_command(run: str | None, step: str | None, as_json: bool, store: str | None) -> None:
    """Show what failed in RUN (the latest run by default), alike failures together."""
    out = Stdout()
    with looking(store) as opened:
        record = find_run(opened, run)
        groups = group(failures(opened, the_steps(opened, record, step)))
    if as_json:
        for alike in groups:
            out.json(group_json(alike))
    else:
        for line in group_lines(groups):
            out.line(line)
    out.flush()
    if not groups:
        note(f"nothing failed in run {record.id}")
    elif not as_json:
        note(f"`batchwork logs {record.id} KEY` shows one of them, `batchwork retry {record.id}` runs them again")


def group_json(alike: Alike) -> str:
    """One line of `errors --json`."""
    examples = [{"key": key, "message": message} for key, message in alike.examples]
    word, code = split_kind(alike.type)
    shape = {"step": alike.step, "type": word, "code": code, "pattern": alike.pattern, "count": alike.count}
    return encode({**shape, "examples": examples})


def group_lines(groups: Iterable[Alike]) -> Iterator[str]:
    """What failed, for people: how many, where, the first message, the first keys."""
    for alike in groups:
        keys = [short(visible(key), 30) for key, _ in alike.examples if key]
        message = short(visible(alike.examples[0][1]), 300) if alike.examples else visible(alike.pattern)
        yield f"{visible(alike.step)}: {plural(alike.count, 'failure')} ({visible(alike.type)})"
        yield f"    {message}"
        if keys:
            more = f" and {alike.count - len(keys):,} more" if alike.count > len(keys) else ""
            yield f"    {'key' if alike.count == 1 else 'keys'}: {', '.join(keys)}{more}"
