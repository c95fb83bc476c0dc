"""run, resume, retry_failed, load: each checks what it is given as the command line does, before anything else.

The same parts as behind the command line; what is printed there is left out here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final, get_args

from batchwork.api import arguments as check
from batchwork.api.finished import FinishedRun
from batchwork.compose import Watch, backends, read_plan, stored_plan
from batchwork.engine.run.lifecycle import resume_run, retry_run, start_run
from batchwork.engine.run.request import Backends, RetryRequest, RunEnd, RunRequest
from batchwork.engine.stopping.stop_level import Control
from batchwork.plan.model import Plan
from batchwork.ports import Durability, Store
from batchwork.text.jsontext import Json, decode
from batchwork.view.choose import PROGRESS
from batchwork.view.streams import Stdout

FilePath = str | os.PathLike[str]
DURABILITIES: Final[tuple[Durability, ...]] = get_args(Durability)


def load(file: FilePath, params: Mapping[str, Any] | None = None) -> Plan:
    """The checked plan of a workflow; nothing runs. Without `params`, required ones may be missing.

    Raises WorkflowError, UsageError.
    """
    return read_plan(check.path("file", file), params=check.parameters(params), lenient=params is None)


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
    check.word("durability", durability, DURABILITIES)
    request = RunRequest(check.new_run_id(run_id), check.optional_count("max_parallel", max_parallel), durability)
    where, watch = check.optional_path("store", store), _watch(progress)
    plan = read_plan(check.path("file", file), params=check.parameters(params))

    def work(backends: Backends, control: Control) -> tuple[RunEnd, Plan]:
        return start_run(plan, backends, request, control), plan

    return _done(where, durability, watch, work)


def resume(
    run: str | None = None,
    *,
    store: FilePath | None = None,
    accept_changes: bool = False,
    reread: bool = False,
    progress: str = "off",
) -> FinishedRun:
    """Go on with a run, the latest by default; `reread` as `--reread`. Raises RunRefused, RunLocked, WorkflowError, StoreError, UsageError."""
    run = check.optional_text("run", run)
    request = RunRequest(
        accept_changes=check.flag("accept_changes", accept_changes), reread=check.flag("reread", reread)
    )
    place, watch = check.optional_path("store", store), _watch(progress)
    loader = _Remembering()

    def work(backends: Backends, control: Control) -> tuple[RunEnd, Plan]:
        end = resume_run(run, loader, backends, request, control)
        return end, loader.plan(backends.store, end.run)

    return _done(place, "full", watch, work)


def retry_failed(
    run: str | None = None,
    *,
    where: str | None = None,
    downstream: bool = False,
    accept_changes: bool = False,
    reread: bool = False,
    store: FilePath | None = None,
    progress: str = "off",
) -> FinishedRun:
    """Fresh attempts for failed items, all or those for which the expression `where` is true. Raises as `resume`."""
    run = check.optional_text("run", run)
    request = RetryRequest(
        accept_changes=check.flag("accept_changes", accept_changes),
        reread=check.flag("reread", reread),
        where=check.optional_text("where", where),
        downstream=check.flag("downstream", downstream),
    )
    place, watch = check.optional_path("store", store), _watch(progress)
    loader = _Remembering()

    def work(backends: Backends, control: Control) -> tuple[RunEnd, Plan]:
        end = retry_run(run, loader, backends, request, control)
        return end, loader.plan(backends.store, end.run)

    return _done(place, "full", watch, work)


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


def _watch(progress: str) -> Watch:
    return Watch(check.word("progress", progress, PROGRESS), quiet=progress == "off")


def _done(
    where: str | None,
    durability: Durability,
    watch: Watch,
    work: Callable[[Backends, Control], tuple[RunEnd, Plan]],
) -> FinishedRun:
    """Do the work in the store at `where`, which stays open for the results unless it fails."""
    with ExitStack() as opened:
        with backends(where, durability, watch, Stdout(lenient=True)) as here:
            opened.callback(here.store.close)
            end, plan = work(here, Control(here.clock))
        finished = FinishedRun(end, plan, here.store)
        opened.pop_all()
        return finished
