"""`batchwork results`: exporting what a step gave, streamed."""

from __future__ import annotations

from collections.abc import Iterator

import click

from batchwork.cli.failures import error_line
from batchwork.cli.look import looking, readable, the_steps, units
from batchwork.cli.options import HelpfulCommand, run_argument, step_option, store_option
from batchwork.cli.part_file import write_whole
from batchwork.engine.run.find_run import find_run
from batchwork.errors import RunRefused
from batchwork.model import RunRecord, StepRecord
from batchwork.ports.store import Store, UnitView
from batchwork.text.jsontext import encode
from batchwork.view.streams import Stdout, note
from batchwork.view.table import Column

COLUMNS = (Column("index", right=True), Column("key", least=16), Column("status"), Column("result", least=12))


@click.command("results", cls=HelpfulCommand)
@run_argument
@step_option("The step whose results are wanted. Default: the last step that has items.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(("table", "jsonl")),
    help="table for people, or jsonl: one JSON object a line. Default: jsonl with -o, else table.",
)
@click.option("-o", "--output", "path", metavar="FILE", help="Write to FILE, which appears when it is complete.")
@store_option
def results_command(run: str | None, step: str | None, shape: str | None, path: str | None, store: str | None) -> None:
    """Export the results of a step of RUN (the latest run by default), one for each item, in input order."""
    shape = shape or ("jsonl" if path else "table")
    with looking(store) as opened:
        record = find_run(opened, run)
        chosen = _chosen(opened, record, step)
        found = (unit for unit in _exported(opened, chosen))
        if path is not None:
            write_whole(path, _lines(found, shape))
            return
        out = Stdout()
        if shape == "jsonl":
            for unit in found:
                out.json(_jsonl(unit))
        else:
            out.table(COLUMNS, map(_row, found))
        out.flush()


def _chosen(store: Store, run: RunRecord, step: str | None) -> StepRecord:
    steps = the_steps(store, run, step)
    if not steps:
        raise RunRefused(f"run `{run.id}` has no steps")
    chosen = next((record for record in reversed(steps) if record.batch), steps[-1])
    if step is None and len(steps) > 1:
        note(f"results of step {chosen.name} (--step chooses another)")
    return chosen


def _exported(store: Store, step: StepRecord) -> Iterator[UnitView]:
    """Units that have a position: those gone from the source have left the results."""
    return (unit for unit in units(store, step) if unit.record.index is not None)


def _jsonl(unit: UnitView) -> str:
    record = unit.record
    result = (unit.status == "succeeded" and record.result) or "null"
    return f'{{"index":{record.index},"key":{encode(record.key)},"status":"{unit.status}","result":{result}}}'


def _lines(found: Iterator[UnitView], shape: str) -> Iterator[str]:
    if shape == "jsonl":
        return map(_jsonl, found)
    return map("\t".join, map(_row, found))


def _row(unit: UnitView) -> tuple[str, str, str, str]:
    record = unit.record
    return str(record.index), record.key, unit.status, error_line(record.failure) or readable(record.result)
