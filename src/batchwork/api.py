"""batchwork from Python: run, resume, retry_failed, load; and a finished run as a value whose results are read as they are used.

The same parts as behind the command line; what is printed there is left out here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from batchwork.compose import Watch, backends, read_plan, stored_plan
from batchwork.engine.run.lifecycle import resume_run, retry_run, start_run
from batchwork.engine.run.request import Backends, RetryRequest, RunEnd, RunRequest
from batchwork.engine.run.results import Results
from batchwork.engine.stopping.stop_level import Control
from batchwork.errors import StoreError
from batchwork.model import Failure, RunStatus, StepRecord, StepStatus
from batchwork.plan.model import Plan
from batchwork.ports import Durability, Store
from batchwork.report import CountsJson, RunJson, counts_json, summarize, summary_json
from batchwork.text.jsontext import Json, decode
from batchwork.view.streams import Stdout

FilePath = str | os.PathLike[str]


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
        self._end = end
        self.name = record.name
        steps = store.steps(end.run)
        self.summary: RunJson = summary_json(summarize(record, steps))
        self.steps: dict[str, StepOutcome] = {step.name: _outcome(step, store) for step in steps}
        self.outputs: dict[str, Results | Json] = {
            step.outputs: self.steps[step.name].result
            for step in plan.steps
            if step.outputs and step.name in self.steps
        }

    @property
    def id(self) -> str:
        return self._end.run

    @property
    def status(self) -> RunStatus:
        return self._end.status

    @property
    def exit_code(self) -> int:
        """As the command would have ended."""
        return self._end.exit_code

    @property
    def message(self) -> str:
        """What a person may do next; it may be empty."""
        return self._end.message

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


def load(file: FilePath, params: Mapping[str, Any] | None = None) -> Plan:
    """The checked plan of a workflow; nothing runs. Without `params`, required ones may be missing. Raises WorkflowError."""
    return read_plan(os.fspath(file), params=params, lenient=params is None)


def run(
    file: FilePath,
    params: Mapping[str, Any] | None = None,
    *,
    store: FilePath | None = None,
    run_id: str | None = None,
    max_parallel: int | None = None,
    durability: Durability = "full",
    progress: str = "off",
) -> FinishedRun:
    """Run a workflow to its end, blocking. `params` are typed values; `store` is as `--store`, by default `.batchwork`.

    A failed, partial or interrupted run is returned, not raised. Raises WorkflowError, UsageError, RunRefused, StoreError.
    In the main thread Ctrl-C and SIGTERM drain, as with the command.
    """
    plan = read_plan(os.fspath(file), params=params)
    request = RunRequest(run_id, max_parallel, durability)

    def work(backends: Backends, control: Control) -> tuple[RunEnd, Plan]:
        return start_run(plan, backends, request, control), plan

    return _done(store, durability, progress, work)


def resume(
    run: str | None = None,
    *,
    store: FilePath | None = None,
    accept_changes: bool = False,
    progress: str = "off",
) -> FinishedRun:
    """Go on with a run, the latest by default. Raises RunRefused, RunLocked, WorkflowError, StoreError."""
    request = RunRequest(accept_changes=accept_changes)
    loader = _Remembering()

    def work(backends: Backends, control: Control) -> tuple[RunEnd, Plan]:
        end = resume_run(run, loader, backends, request, control)
        return end, loader.plan(backends.store, end.run)

    return _done(store, "full", progress, work)


def retry_failed(
    run: str | None = None,
    *,
    where: str | None = None,
    downstream: bool = False,
    accept_changes: bool = False,
    store: FilePath | None = None,
    progress: str = "off",
) -> FinishedRun:
    """Fresh attempts for failed items, all or those for which the expression `where` is true. Raises as `resume`."""
    request = RetryRequest(accept_changes=accept_changes, where=where, downstream=downstream)
    loader = _Remembering()

    def work(backends: Backends, control: Control) -> tuple[RunEnd, Plan]:
        end = retry_run(run, loader, backends, request, control)
        return end, loader.plan(backends.store, end.run)

    return _done(store, "full", progress, work)


class _Remembering:
    """A loader that remembers the plan it made, for the names of its outputs."""

    def __init__(self) -> None:
        self._plan: Plan | None = None

    def __call__(self, text: str, file: str, params: Mapping[str, Json]) -> Plan:
        self._plan = stored_plan(text, file, params)
        return self._plan

    def plan(self, store: Store, run: str) -> Plan:
        """The plan of the run; there was no need to make one if there was nothing to do."""
        if self._plan is None:
            record = store.run(run)
            assert record is not None
            params = decode(record.params)
            assert isinstance(params, dict)
            return stored_plan(record.workflow, record.file, params, lenient=True)
        return self._plan


def _done(
    where: FilePath | None,
    durability: Durability,
    progress: str,
    work: Callable[[Backends, Control], tuple[RunEnd, Plan]],
) -> FinishedRun:
    """Do the work in the store at `where`, which stays open for the results unless it fails."""
    path = os.fspath(where) if where is not None else None
    watch = Watch(progress, quiet=progress == "off")
    with ExitStack() as opened:
        with backends(path, durability, watch, Stdout(lenient=True)) as here:
            opened.callback(here.store.close)
            end, plan = work(here, Control(here.clock))
        finished = FinishedRun(end, plan, here.store)
        opened.pop_all()
        return finished


def _outcome(step: StepRecord, store: Store) -> StepOutcome:
    duration = step.duration_ms / 1000
    result: Results | Json = None
    if step.batch:
        result = Results(store, step.number, step.name, step.counts, duration)
    elif step.result is not None:
        result = decode(step.result)
    return StepOutcome(step.name, step.status, result, step.failure, counts_json(step.counts), duration)
