"""The one place that chooses concrete parts: which plan, store, executors, view and clock a run gets.

The command line and the Python interface stand on it alike. A part is imported when it is chosen: checking a workflow
opens no store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from batchwork.clock import Clock
    from batchwork.engine.run.request import Backends, Nodes
    from batchwork.model import Claim, RunRecord
    from batchwork.plan.model import Plan
    from batchwork.ports import Durability, ExecutorFactory, Purpose, Store
    from batchwork.text.jsontext import Json
    from batchwork.view.streams import Stdout


class Watch(Struct, frozen=True):
    """How a run is watched. `progress` names a view; `quiet` is without progress, `as_json` with a summary for programs."""

    progress: str = "auto"
    quiet: bool = False
    as_json: bool = False


def read_plan(
    file: str,
    words: Sequence[str] = (),
    params: Mapping[str, Json] | str | None = None,
    max_parallel: int | None = None,
    lenient: bool = False,
) -> Plan:
    """The plan of a workflow file; nothing runs. Raises UsageError, WorkflowError.

    Parameters are `words` like NAME=VALUE, and `params`: values, or the path of a file that holds some. `lenient`:
    required ones may be missing.
    """
    from batchwork.plan.knowns import Circumstances
    from batchwork.plan.resolve import load_plan
    from batchwork.spec.workflow_file import workflow_text

    return load_plan(
        file, workflow_text(file), Circumstances(words, params, os.environ, max_parallel, _cpus(), lenient)
    )


def stored_plan(text: str, file: str, params: Mapping[str, Json], lenient: bool = False) -> Plan:
    """The plan of a workflow's text and parameters as a store keeps them. Raises WorkflowError."""
    from batchwork.plan.knowns import Circumstances
    from batchwork.plan.resolve import load_plan

    return load_plan(file, text, Circumstances({}, params, os.environ, None, _cpus(), lenient))


@contextmanager
def open_to_look(where: str | None, warn: Callable[[str], None]) -> Iterator[Store]:
    """The store at `where`, for looking only; closed at the end. Raises StoreError where there is none."""
    from batchwork.ports import Opening
    from batchwork.store import store_at

    store = store_at(where).open(Opening("look", warn=warn, in_doubt=_doubts_seen))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_to_clean(where: str | None, warn: Callable[[str], None]) -> Iterator[tuple[Store, str]]:
    """The store at `where`, if there is one, and its state folder; closed at the end. Raises StoreError."""
    from batchwork.ports import Opening
    from batchwork.store import store_at

    place = store_at(where)
    store = place.open(Opening("resume", warn=warn))
    try:
        yield store, place.state_dir
        _sweep_journals(store, place.state_dir)
    finally:
        store.close()


def _sweep_journals(store: Store, state_dir: str) -> None:
    """Remove what workers of runs that are gone have left in memory."""
    from batchwork.clock import SystemClock
    from batchwork.engine.run.kept_options import with_journals
    from batchwork.ports.journals import Owner
    from batchwork.workers.journals.keeper import KeptJournals

    KeptJournals(SystemClock()).sweep(Owner(state_dir, store.describe()), lambda: with_journals(store.runs()))


def is_store(where: str | None) -> bool:
    """Whether anything has been stored at `where` yet."""
    from batchwork.store import store_at

    return store_at(where).exists()


@contextmanager
def backends(
    where: str | None, durability: Durability, watch: Watch, out: Stdout, *, purpose: Purpose = "run"
) -> Iterator[Backends]:
    """The parts a run needs, for as long as it goes on. Its store is the caller's to close, who may still read results.

    Only for the purpose `run` one is made where there is none. Raises StoreError.
    """
    from batchwork.clock import SystemClock
    from batchwork.engine.run.request import Aftercare, Backends, Workplaces
    from batchwork.events import Warned
    from batchwork.ports import Opening
    from batchwork.store import store_at
    from batchwork.view.choose import choose_view
    from batchwork.workers.journals.keeper import KeptJournals
    from batchwork.workers.local import local_executors

    clock, there = SystemClock(), store_at(where)
    with ExitStack() as parts:
        guard = _guard(parts)
        view = choose_view(watch.progress, watch.quiet, watch.as_json, out, clock)
        parts.callback(out.flush)
        parts.callback(view.close)
        journals = KeptJournals(clock)
        parts.callback(journals.close)
        opening = Opening(purpose, durability, lambda text: view.emit(Warned(text)), clock, in_doubt=_doubts_seen)
        store = there.open(opening)
        elsewhere = partial(_on_nodes, parts, lambda text: view.emit(Warned(text)), clock)
        executors = Workplaces(local_executors(clock), elsewhere)
        yield Backends(
            store,
            executors,
            view,
            clock,
            dict(os.environ),
            os.getcwd(),
            there.state_dir,
            Aftercare(guard, journals),
        )


def check_executor(text: str) -> str:
    """What is given as `--executor`, if it is one. Raises UsageError."""
    if text != "local":
        from batchwork.workers.nodes.launch.find import launcher_of

        launcher_of(text)
    return text


def _on_nodes(parts: ExitStack, warn: Callable[[str], None], clock: Clock, nodes: Nodes) -> ExecutorFactory:
    """What puts workers on the machines that an executor finds, until the parts are closed. Raises UsageError."""
    from batchwork.workers.nodes.factory import node_executors
    from batchwork.workers.nodes.hub.hub import Hub
    from batchwork.workers.nodes.launch.find import launcher_of
    from batchwork.workers.nodes.muster import Muster, Remarks

    muster = Muster(Hub(nodes.lease_s), launcher_of(nodes.executor), Remarks(warn), nodes.wait_s)
    parts.callback(muster.close)
    return node_executors(muster, clock)


def _doubts_seen(run: RunRecord, step: int, claims: Sequence[Claim]) -> Sequence[Claim]:
    """See `doubts_seen`: most who look find nothing claimed, and need no journals."""
    if not claims:
        return claims
    from batchwork.clock import SystemClock
    from batchwork.engine.run.crash.looking import doubts_seen
    from batchwork.workers.journals.keeper import KeptJournals

    clock = SystemClock()
    return doubts_seen(KeptJournals(clock), clock)(run, step, claims)


def _guard(parts: ExitStack) -> Callable[[str], None]:
    """What ends a run's processes with this one."""
    from batchwork.workers.guardian import Guardian

    guardian = Guardian()
    parts.callback(guardian.dismiss)
    return guardian.watch


def _cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))
