"""`batchwork items`: the units of a run, one a line, in input order."""

from __future__ import annotations

import click

from batchwork.cli.failures import error_line, error_object
from batchwork.cli.look import item_text, looking, note_words, readable, seconds_taken, the_steps, units
from batchwork.cli.options import HelpfulCommand, json_option, run_argument, step_option, store_option, where_option
from batchwork.cli.where import chosen_by
from batchwork.engine.run.find_run import find_run
from batchwork.model import UnitRecord, UnitStatus
from batchwork.ports.store import ListedStatus, UnitView
from batchwork.text.jsontext import encode
from batchwork.text.wording import duration, only_if
from batchwork.view.streams import Stdout
from batchwork.view.table import Column

LISTED_STATUSES = ("pending", "running", "succeeded", "failed", "skipped", "in_doubt", "interrupted")

COLUMNS = (
    Column("step", least=6),
    Column("index", right=True, spare=True),
    Column("key", least=16),
    Column("status"),
    Column("tries", right=True, spare=True),
    Column("time", right=True, width=8, spare=True),
    Column("error or result", least=12),
)


@click.command("items", cls=HelpfulCommand)
@run_argument
@click.option("--status", type=click.Choice(LISTED_STATUSES), help="Only items in this state. Default: all.")
@step_option("Only items of this step. Default: all steps.")
@where_option('Only items for which this is true, for example "error.type == \'timeout\'" or "item.id < 10".')
@json_option("One JSON object a line.")
@store_option
def items_command(
    run: str | None, status: str | None, step: str | None, where: str | None, as_json: bool, store: str | None
) -> None:
    """List the items of RUN (the latest run by default) in input order.

    Items that have never been started are not listed; `status` counts them. Those that have been running for a second or
    longer are listed as running.
    """
    wanted = _wanted(status)
    out = Stdout()
    with looking(store) as opened:
        steps = the_steps(opened, find_run(opened, run), step)
        found = chosen_by((unit for record in steps for unit in units(opened, record, wanted)), where)
        if as_json:
            for unit in found:
                out.json(_json_line(unit))
        else:
            out.table(COLUMNS, map(_row, found))
    out.flush()


def _wanted(status: str | None) -> ListedStatus | None:
    match status:
        case None | "in_doubt" | "running":
            return status
        case _:
            return UnitStatus(status)


def _row(unit: UnitView) -> tuple[str, ...]:
    record = unit.record
    index = "-" if record.index is None else str(record.index)
    seconds = seconds_taken(unit)
    return (
        unit.step,
        index,
        record.key,
        unit.status,
        str(record.attempts),
        only_if(seconds, duration(seconds)),
        _told(record),
    )


def _told(record: UnitRecord) -> str:
    """Its error or result; of what is no longer there only that."""
    if record.gone is not None:
        return note_words(record)
    return error_line(record.failure) or readable(record.result) or note_words(record)


def _json_line(unit: UnitView) -> str:
    """One line of `items --json`. Items and results stand as they are stored, digit by digit."""
    record, seconds = unit.record, seconds_taken(unit)
    error = error_object(record.failure)
    return (
        f'{{"step":{encode(unit.step)},"index":{encode(record.index)},"key":{encode(record.key)},'
        f'"status":"{unit.status}","attempts":{record.attempts},"item":{item_text(unit)},'
        f'"result":{record.result or "null"},"error":{error},"duration":{seconds:.6f},'
        f'"worker":{encode(record.worker)}}}'
    )
