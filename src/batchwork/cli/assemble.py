"""The composition root: which store, executors, view and clock a run gets, and what is printed around it.

What a run is, is the engine's (lifecycle.py); nothing here decides about items.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from batchwork.cli.look import looking
from batchwork.cli.output import Output, note
from batchwork.cli.watching import chosen_view
from batchwork.cli.where import place
from batchwork.clock import SystemClock
from batchwork.engine.run.find_run import find_run
from batchwork.engine.run.lifecycle import explain_resume, resume_run, retry_run, start_run
from batchwork.engine.run.options import RunEnd
from batchwork.engine.run.request import Asked, Site
from batchwork.engine.stopping.stop_level import Control
from batchwork.events import Warned
from batchwork.model import RunStatus
from batchwork.plan.model import Plan
from batchwork.plan.resolve import load_plan
from batchwork.ports import Opening, Store
from batchwork.report import summarize, summary_json
from batchwork.store import open_store
from batchwork.text.jsontext import Json, encode
from batchwork.workers.guardian import Guardian
from batchwork.workers.local import local_executors

UNFINISHED = frozenset({RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.FAILED})


class Watch(Struct, frozen=True):
    """How the run is watched, as the command line says."""

    progress: str = "auto"
    quiet: bool = False
    as_json: bool = False
    allow_failures: bool = False


def start(
    plan: Plan,
    where: str | None,
    watch: Watch,
    run_id: str | None,
    durability: Literal["full", "fast"],
    max_parallel: int | None,
) -> int:
    """Run a plan. The exit code."""
    asked = Asked(run_id, max_parallel, durability, watch.allow_failures)
    return _go(where, watch, durability, lambda site, control: start_run(plan, site, asked, control))


def resume(run: str | None, where: str | None, watch: Watch, accept_changes: bool, max_parallel: int | None) -> int:
    """Go on with a run. The exit code."""
    asked = Asked(max_parallel=max_parallel, allow_failures=watch.allow_failures, accept_changes=accept_changes)
    return _go(where, watch, None, lambda site, control: resume_run(run, load_again, site, asked, control), run)


def retry(
    run: str | None,
    where: str | None,
    watch: Watch,
    expression: str | None,
    downstream: bool,
    accept_changes: bool,
    max_parallel: int | None,
) -> int:
    """Run failed items again. The exit code."""
    asked = Asked(max_parallel=max_parallel, allow_failures=watch.allow_failures, accept_changes=accept_changes)
    return _go(
        where,
        watch,
        None,
        lambda site, control: retry_run(run, load_again, site, asked, control, expression, downstream),
        run,
    )


def explain(run: str | None, where: str | None, accept_changes: bool) -> list[str]:
    """What `resume` would do, in words."""
    out = Output()
    with _site(where, Watch(progress="off"), "full", out, create=False) as site:
        return explain_resume(run, load_again, site, Asked(accept_changes=accept_changes))


def unfinished(plan: Plan, where: str | None, run_id: str | None) -> str | None:
    """The latest run of this workflow, if it is unfinished (or the run of that id, if there is one)."""
    if not os.path.exists(place(where).store):
        return None
    with looking(where) as store:
        for record in store.runs():
            if record.id == run_id or (run_id is None and record.name == plan.name):
                return record.id if record.status in UNFINISHED or record.id == run_id else None
    return None


def load_again(text: str, file: str, params: Mapping[str, Json]) -> Plan:
    """The plan of a stored workflow's text and parameters."""
    return load_plan(file, text, {}, params, os.environ, None, cpus())


def cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


# ---------------------------------------------------------------- around a run


def _go(
    where: str | None,
    watch: Watch,
    durability: Literal["full", "fast"] | None,
    work: Callable[[Site, Control], RunEnd],
    run: str | None = None,
) -> int:
    """Put the parts together, work, and say how it ended."""
    out = Output(lenient=True)
    control = Control(SystemClock())
    create = durability is not None
    with _site(where, watch, durability or _durability_of(run, where), out, create) as site:
        try:
            end = work(site, control)
        finally:
            site.sink.close()
        _conclude(site.store, end, where, watch, out)
    return end.exit_code


@contextmanager
def _site(
    where: str | None, watch: Watch, durability: Literal["full", "fast"], out: Output, create: bool
) -> Iterator[Site]:
    clock = SystemClock()
    there = place(where)
    guardian = Guardian()  # before there are threads
    view = chosen_view(watch.progress, watch.quiet, watch.as_json, out, clock)
    store = open_store(
        there.store, Opening("run" if create else "resume", durability, lambda text: view.emit(Warned(text)), clock)
    )
    try:
        yield Site(
            store, local_executors(clock), view, clock, dict(os.environ), os.getcwd(), there.state_dir, guardian.watch
        )
    finally:
        view.close()
        store.close()
        guardian.dismiss()


def _durability_of(run: str | None, where: str | None) -> Literal["full", "fast"]:
    """What the run was started with; a resume changes nothing about it."""
    with looking(where) as store:
        return "fast" if find_run(store, run).durability == "fast" else "full"


def _conclude(store: Store, end: RunEnd, where: str | None, watch: Watch, out: Output) -> None:
    """The end of a run, on standard output."""
    record = store.run(end.run)
    assert record is not None
    steps = store.steps(end.run)
    summary = summarize(record, steps, store.samples(end.run))
    if watch.as_json:
        out.json(encode(summary_json(summary)))
    elif end.message.startswith("nothing to do"):
        note(end.message)
    elif not watch.quiet or end.status is not RunStatus.SUCCEEDED:
        from batchwork.cli.closing import closing_lines

        for line in closing_lines(summary, store, steps, where):
            out.line(line)
    out.flush()
