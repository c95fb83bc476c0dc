"""`batchwork status`: one run — its steps, counts, speed, use of the machine, what a crash would cost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from textwrap import wrap

import click

from batchwork.cli.closing import failure_lines, first_failures, next_lines
from batchwork.cli.failures import KEY_MOST
from batchwork.cli.look import looking, seconds_taken, the_steps
from batchwork.cli.options import HelpfulCommand, json_option, run_argument, store_option
from batchwork.clock import SystemClock
from batchwork.engine.run.find_run import find_run
from batchwork.engine.run.kept_options import kept_from
from batchwork.model import RunRecord, RunStatus
from batchwork.ports.store import Sample, Store, UnitView
from batchwork.report import CRASHED, Summary, summarize, summary_json, summary_text
from batchwork.text.jsontext import encode
from batchwork.text.wording import duration, number, plural, rate, short, size, visible, when
from batchwork.view.streams import Stdout

WATCH_EVERY_S = 1.0
RUNNING_SHOWN = 5


@click.command("status", cls=HelpfulCommand)
@run_argument
@click.option("--watch", is_flag=True, help="Show it again every second until the run has ended.")
@json_option("The summary as one JSON object (with --watch: one a line).")
@store_option
def status_command(run: str | None, watch: bool, as_json: bool, store: str | None) -> None:
    """Show RUN (the latest run by default)."""
    out = Stdout()
    while True:
        with looking(store) as opened:
            record = find_run(opened, run)
            run = record.id
            summary = summarize(
                record, the_steps(opened, record, None), opened.samples(record.id), SystemClock().wall_ms()
            )
            lines = [] if as_json else list(_lines(opened, record, summary, store))
        if watch and out.terminal and not as_json:
            out.clear()
        if as_json:
            out.json(encode(summary_json(summary)))
        for line in lines:
            out.line(line)
        out.flush()
        if not watch or not record.living:
            return
        threading.Event().wait(WATCH_EVERY_S)


def _lines(store: Store, record: RunRecord, summary: Summary, where: str | None) -> Iterator[str]:
    steps = the_steps(store, record, None)
    yield summary_text(summary)
    yield ""
    yield f"  started   {when(record.created_ms)}" + (f", ended {when(record.ended_ms)}" if record.ended_ms else "")
    yield f"  workflow  {visible(record.file)}"
    yield f"  store     {visible(store.describe())}, durability {record.durability}"
    if (nodes := kept_from(record).nodes).elsewhere:
        yield f"  nodes     {visible(nodes.executor)}, lease {duration(nodes.lease_s)}"
    yield from wrap(visible(record.window), 78, initial_indent="  redo      ", subsequent_indent=" " * 12)
    yield from _speed_lines(store.samples(record.id))
    if record.living:
        yield from _running_lines([unit for step in steps for unit in store.units(step.number, "running")])
    if summary.status == CRASHED:
        yield ""
        yield "  crashed: its process is gone; what it had recorded is safe"
    if summary.status != RunStatus.RUNNING:
        failed = first_failures(store, steps)
        yield from failure_lines(failed, where, record.id)
        yield from next_lines(summary, failed, where)


def _running_lines(units: Sequence[UnitView]) -> Iterator[str]:
    """Which units have been running for a while, the longest first."""
    longest = sorted(units, key=seconds_taken, reverse=True)
    shown = [
        f"{short(visible(unit.record.key), KEY_MOST)} ({duration(seconds_taken(unit))})"
        for unit in longest[:RUNNING_SHOWN]
    ]
    if len(longest) > RUNNING_SHOWN:
        shown.append(f"and {number(len(longest) - RUNNING_SHOWN)} more")
    if shown:
        yield from wrap(", ".join(shown), 78, initial_indent="  running   ", subsequent_indent=" " * 12)


def _speed_lines(samples: Sequence[Sample]) -> Iterator[str]:
    """The latest sample: how fast, how long items take, what the machine gives."""
    if not samples:
        return
    last = next((sample for sample in reversed(samples) if sample.units_per_s), samples[-1])
    if last.units_per_s:
        times = ", ".join(
            f"{name} {duration(us / 1e6)}"
            for name, us in (("p50", last.p50_us), ("p95", last.p95_us), ("p99", last.p99_us))
        )
        yield f"  speed     {rate(last.units_per_s)}; time of an item: {times}"
    latest = samples[-1]
    yield (
        f"  machine   CPU {latest.cpu_percent:.0f} %, memory {size(latest.rss_bytes)}, "
        f"{plural(latest.processes, 'process', 'processes')}, "
        f"{plural(latest.descriptors, 'descriptor')}"
    )
