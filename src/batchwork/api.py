"""batchwork from Python: run, resume, retry_failed, load; and a finished run as a value whose results are read as they are used.

The same parts as behind the command line; what is printed there is left out here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from batchwork.cli.assemble import cpus, load_again
from batchwork.cli.output import Output
from batchwork.cli.reading import read_text
from batchwork.cli.watching import chosen_view
from batchwork.cli.where import place
from batchwork.clock import SystemClock
from batchwork.engine.run.lifecycle import Asked, Site, resume_run, retry_run, start_run
from batchwork.engine.run.options import RunEnd
from batchwork.engine.run.results import Results
from batchwork.engine.stopping.stop_level import Control
from batchwork.errors import StoreError
from batchwork.events import Warned
from batchwork.model import Durability, Failure, RunStatus, StepRecord, StepStatus
from batchwork.plan.model import Plan
from batchwork.plan.resolve import load_plan
from batchwork.ports import Opening, Store
from batchwork.report import CountsJson, RunJson, counts_json, summarize, summary_json
from batchwork.store import open_store
from batchwork.text.jsontext import Json, decode
from batchwork.workers.guardian import Guardian
from batchwork.workers.local import local_executors

Path = str | os.PathLike[str]


class StepOutcome(Struct, frozen=True):
    """How one step ended. `result` is what `steps.NAME.result` is: of a batch step a lazy sequence, else a value."""

    name: str
    status: StepStatus
    result: Results | Json
    error: Failure | None
    counts: CountsJson
    duration: float


class FinishedRun:
    """A run that has ended, one way or another: `status` and `exit_code` say which. It keeps the store open for its results.

    `steps` has a StepOutcome for each step, by name, and `outputs` the results by their `outputs:` names.
    """

    def __init__(self, end: RunEnd, plan: Plan, store: Store) -> None:
        record = store.run(end.run)
        if record is None:
            raise StoreError(f"the run {end.run} is not in {store.describe()}")
        self._store = store
        self.id = end.run
        self.name = record.name
        self.status: RunStatus = end.status
        self.exit_code = end.exit_code
        self.message = end.message
        steps = store.steps(end.run)
        self.summary: RunJson = summary_json(summarize(record, steps))
        self.steps: dict[str, StepOutcome] = {step.name: _outcome(step, store) for step in steps}
        self.outputs: dict[str, Results | Json] = {
            step.outputs: self.steps[step.name].result
            for step in plan.steps
            if step.outputs and step.name in self.steps
        }

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.name}: {self.status}>"

    def close(self) -> None:
        """Close the store; results that have not been read cannot be read any more."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load(file: Path, params: Mapping[str, Any] | None = None) -> Plan:
    """The checked plan of a workflow; nothing runs. Without `params`, required ones may be missing. Raises WorkflowError."""
    return _load(os.fspath(file), params or {}, lenient=params is None)


def run(
    file: Path,
    params: Mapping[str, Any] | None = None,
    *,
    store: Path | None = None,
    run_id: str | None = None,
    max_parallel: int | None = None,
    durability: Durability = "full",
    progress: str = "off",
) -> FinishedRun:
    """Run a workflow to its end, blocking. `params` are typed values; `store` is as `--store`, by default `.batchwork`.

    A failed, partial or interrupted run is returned, not raised. Raises WorkflowError, UsageError, RunRefused, StoreError.
    In the main thread Ctrl-C and SIGTERM drain, as with the command.
    """
    plan = _load(os.fspath(file), params or {}, lenient=False)
    asked = Asked(run_id, max_parallel, durability)

    def work(site: Site, control: Control) -> tuple[RunEnd, Plan]:
        return start_run(plan, site, asked, control), plan

    return _done(store, durability, progress, work)


def resume(
    run: str | None = None,
    *,
    store: Path | None = None,
    accept_changes: bool = False,
    progress: str = "off",
) -> FinishedRun:
    """Go on with a run, the latest by default. Raises RunRefused, RunLocked, WorkflowError, StoreError."""
    asked = Asked(accept_changes=accept_changes)
    loader = _Remembering()

    def work(site: Site, control: Control) -> tuple[RunEnd, Plan]:
        end = resume_run(run, loader, site, asked, control)
        return end, loader.plan(site.store, end.run)

    return _done(store, "full", progress, work)


def retry_failed(
    run: str | None = None,
    *,
    where: str | None = None,
    downstream: bool = False,
    accept_changes: bool = False,
    store: Path | None = None,
    progress: str = "off",
) -> FinishedRun:
    """Fresh attempts for failed items, all or those for which the expression `where` is true. Raises as `resume`."""
    loader = _Remembering()

    def work(site: Site, control: Control) -> tuple[RunEnd, Plan]:
        end = retry_run(run, loader, site, Asked(accept_changes=accept_changes), control, where, downstream)
        return end, loader.plan(site.store, end.run)

    return _done(store, "full", progress, work)


class _Remembering:
    """A loader that remembers the plan it made, for the names of its outputs."""

    def __init__(self) -> None:
        self._plan: Plan | None = None

    def __call__(self, text: str, file: str, params: Mapping[str, Json]) -> Plan:
        self._plan = load_again(text, file, params)
        return self._plan

    def plan(self, store: Store, run: str) -> Plan:
        """The plan of the run; there was no need to make one if there was nothing to do."""
        if self._plan is None:
            record = store.run(run)
            assert record is not None
            params = decode(record.params)
            assert isinstance(params, dict)
            return load_plan(record.file, record.workflow, {}, params, os.environ, None, cpus(), lenient=True)
        return self._plan


def _load(file: str, params: Mapping[str, Any], lenient: bool) -> Plan:
    return load_plan(file, read_text(file), {}, params, os.environ, None, cpus(), lenient)


def _done(
    where: Path | None,
    durability: Durability,
    progress: str,
    work: Callable[[Site, Control], tuple[RunEnd, Plan]],
) -> FinishedRun:
    # It is forked, which is safe only while there are no other threads in the caller's program.
    guardian = Guardian() if threading.active_count() == 1 else None
    try:
        return _worked(where, durability, progress, work, guardian.watch if guardian is not None else None)
    finally:
        if guardian is not None:
            guardian.dismiss()


def _worked(
    where: Path | None,
    durability: Durability,
    progress: str,
    work: Callable[[Site, Control], tuple[RunEnd, Plan]],
    guard: Callable[[str], None] | None,
) -> FinishedRun:
    clock = SystemClock()
    there = place(os.fspath(where) if where is not None else None)
    out = Output(lenient=True)
    view = chosen_view(progress, progress == "off", False, out, clock)
    store = open_store(there.store, Opening("run", durability, lambda text: view.emit(Warned(text)), clock))
    try:
        site = Site(store, local_executors(clock), view, clock, dict(os.environ), os.getcwd(), there.state_dir, guard)
        try:
            end, plan = work(site, Control(clock))
        finally:
            view.close()
            out.flush()
        return FinishedRun(end, plan, store)
    except BaseException:
        store.close()
        raise


def _outcome(step: StepRecord, store: Store) -> StepOutcome:
    duration = step.duration_ms / 1000
    result: Results | Json = None
    if step.batch:
        result = Results(store, step.number, step.name, step.counts, duration)
    elif step.result is not None:
        result = decode(step.result)
    return StepOutcome(step.name, step.status, result, step.failure, counts_json(step.counts), duration)
