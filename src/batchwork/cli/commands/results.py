"""`batchwork results`: exporting what a step gave, streamed."""

from __future__ import annotations

import click

from batchwork.cli.look import looking, the_steps
from batchwork.cli.options import HelpfulCommand, run_argument, step_option, store_option
from batchwork.cli.tables import Export, write_results
from batchwork.engine.run.find_run import find_run
from batchwork.errors import RunRefused
from batchwork.export.target import FORMATS, target_of
from batchwork.model import Counts, RunRecord, StepRecord, StepStatus
from batchwork.ports.store import Store
from batchwork.text.wording import number, plural
from batchwork.view.streams import note


@click.command("results", cls=HelpfulCommand)
@run_argument
@step_option("The step whose results are wanted. Default: the last step that has items.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(("table", *FORMATS)),
    help="table for people, jsonl for one JSON object a line, or a file with columns. "
    "Default: as -o ends (.csv, .parquet, .json, also .csv.gz …), jsonl where it has no ending, table without -o.",
)
@click.option("-o", "--output", "path", metavar="FILE", help="Write to FILE or URL, which appears when it is complete.")
@click.option("--join", is_flag=True, help="The columns of the source and those of the results side by side.")
@click.option("--where", metavar="EXPR", help="Only rows for which this is true, for example \"status == 'failed'\".")
@click.option(
    "--columns",
    metavar="NAME,…",
    multiple=True,
    help="These fields of the results; `NAME={{ … }}` for what a template gives. Default: those of the first 1,000 results.",
)
@store_option
def results_command(run: str | None, step: str | None, store: str | None, **asked: object) -> None:
    """Export the results of a step of RUN (the latest run by default), one for each item, in input order."""
    export = Export(**_with_shape(**asked))  # type: ignore[arg-type]
    with looking(store) as opened:
        chosen = _chosen(opened, find_run(opened, run), step)
        rows = write_results(opened, chosen, export)
    if export.path is not None:
        note(f"{export.path}: {plural(rows, 'row')} of step {chosen.name}")
    if not _is_complete(chosen):
        note(f"step {chosen.name} has not finished: these are the results so far{_so_far(chosen.counts)}")


def _is_complete(step: StepRecord) -> bool:
    """Whether there will be no more results unless something is run again."""
    if step.status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED):
        return True
    return step.status is StepStatus.FAILED and step.counts.pending == 0


def _so_far(counts: Counts) -> str:
    """How many there are to be, where that is known."""
    return "" if counts.total is None else f", {number(counts.finished)} of {number(counts.total)}"


def _with_shape(shape: str | None, path: str | None, **asked: object) -> dict[str, object]:
    """What was asked, with the format as written, else as the ending of the path says, else the usual one. Raises UsageError."""
    return {"shape": shape or _shape_of(path), "path": path, **asked}


def _shape_of(path: str | None) -> str:
    if path is None:
        return "table"
    if "." not in path.rpartition("/")[2].strip("."):
        return "jsonl"
    return target_of(path).format


def _chosen(store: Store, run: RunRecord, step: str | None) -> StepRecord:
    steps = the_steps(store, run, step)
    if not steps:
        raise RunRefused(f"run `{run.id}` has no steps")
    chosen = next((record for record in reversed(steps) if record.batch), steps[-1])
    if step is None and len(steps) > 1:
        note(f"results of step {chosen.name} (--step chooses another)")
    return chosen
