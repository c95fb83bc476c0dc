"""`batchwork runs`: the runs in the store, newest first."""

from __future__ import annotations

import click

from batchwork.cli.look import looking
from batchwork.cli.options import HelpfulCommand, json_option, store_option
from batchwork.clock import SystemClock, iso
from batchwork.report import Summary, counts_json, summarize
from batchwork.text.jsontext import encode
from batchwork.text.wording import duration, number, only_if, when
from batchwork.view.streams import Stdout, note
from batchwork.view.table import Column

COLUMNS = (
    Column("run"),
    Column("workflow", least=8),
    Column("status"),
    Column("started", spare=True),
    Column("took", right=True, spare=True),
    Column("items done"),
)


@click.command("runs", cls=HelpfulCommand)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the N latest runs. Default: all.")
@json_option("One JSON object a line.")
@store_option
def runs_command(limit: int | None, as_json: bool, store: str | None) -> None:
    """List the runs in the store, the latest first."""
    out = Stdout()
    now = SystemClock().wall_ms()
    with looking(store) as opened:
        records = opened.runs()[:limit]
        summaries = [summarize(record, opened.steps(record.id), now_ms=now) for record in records]
        if not records:
            note(f"there is no run in {opened.describe()} yet")
    if as_json:
        for record, summary in zip(records, summaries, strict=True):
            shape = {"run": record.id, "workflow": record.name, "file": record.file, "status": summary.status}
            ended = None if record.ended_ms is None else iso(record.ended_ms)
            times = {"created": iso(record.created_ms), "ended": ended, "duration": round(summary.duration_s, 3)}
            out.json(encode({**shape, **times, "counts": counts_json(summary.total())}))
    elif records:
        rows = [
            (
                record.id,
                record.name,
                summary.status,
                when(record.created_ms),
                duration(summary.duration_s),
                done(summary),
            )
            for record, summary in zip(records, summaries, strict=True)
        ]
        out.table(COLUMNS, rows)
    out.flush()


def done(summary: Summary) -> str:
    """`990 of 1,000, 10 failed`; empty where no step has items."""
    if not any(step.batch for step in summary.steps):
        return ""
    counts = summary.total()
    unfinished = counts.total not in (None, counts.finished)
    total = only_if(unfinished, f" of {number(counts.total or 0)}")
    return f"{number(counts.finished)}{total}{only_if(counts.failed, f', {number(counts.failed)} failed')}"
