"""The life of a run beyond one execution: started, resumed, retried; its record, its lease, what must be the same as before."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Final

from msgspec.structs import replace

from batchwork.censor import Censor, censor_of
from batchwork.engine.run.censored import censored, censored_sink
from batchwork.engine.run.find_run import find_run
from batchwork.engine.run.kept_options import Kept, kept_from
from batchwork.engine.run.options import RunEnd, RunOptions
from batchwork.engine.run.request import Asked, Site
from batchwork.engine.run.resume_check import LOST, Loader, current_plan
from batchwork.engine.run.runner import Runner
from batchwork.engine.run.scope import Names, RunView, environment, run_folder
from batchwork.engine.stopping.signals import Signals
from batchwork.engine.stopping.stop_level import Control
from batchwork.errors import Problem, RenderError, UsageError, WorkflowError
from batchwork.events import Warned
from batchwork.model import RunRecord, RunStatus, StepRecord
from batchwork.plan.model import Plan
from batchwork.ports import EventSink, Fanout, Lease, RunChange, Scope, Store
from batchwork.proctree import kill_all, with_cookie
from batchwork.report import exit_code
from batchwork.telling.structured_log import StructuredLog
from batchwork.text.jsontext import encode
from batchwork.text.wording import plural

__all__ = [
    "Asked",
    "Loader",
    "Site",
    "explain_resume",
    "find_run",
    "resume_run",
    "retry_run",
    "start_run",
    "window_text",
]

ENDED: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.PARTIAL})
LEFT: Final = (
    "{} {} as before: the stored item is not complete (secrets and what was in doubt are never stored), "
    "and a step that succeeded does not read its items again; start a new run for them"
)


def start_run(plan: Plan, site: Site, asked: Asked, control: Control) -> RunEnd:
    """Record a new run and run it. Raises UsageError, WorkflowError, StoreError, RunRefused."""
    censor = _censor(plan, site)
    site = censored(site, censor)
    run_id = asked.run_id if asked.run_id is not None else site.clock.run_id()
    _check_before(plan, site)
    workflow, lost_text = censor.workflow(plan.text)
    params, lost_params = censor.params(plan.params)
    kept = Kept(site.clock.run_id(), asked.max_parallel, plan.secrets, lost_text, lost_params)
    for name in lost_params:
        site.sink.emit(Warned(f"{LOST.format(name)}, so this run cannot be resumed; pass it in by `secrets:`"))
    record = RunRecord(
        id=run_id,
        name=plan.name,
        file=plan.file,
        workflow=workflow,
        params=encode(params),
        fingerprint=encode(plan.fingerprint),
        status=RunStatus.RUNNING,
        created_ms=site.clock.wall_ms(),
        durability=asked.durability,
        window=window_text(plan, asked.max_parallel),
        options=kept.text(),
    )
    with closing(_Held(site.store.lease(run_id))):
        site.store.create_run(record, _outline(plan))
        return _execute(plan, record, site, asked, control, kept, censor)


def resume_run(run: str | None, load: Loader, site: Site, asked: Asked, control: Control) -> RunEnd:
    """Go on with a run, the latest by default. Raises RunRefused, RunLocked, WorkflowError, StoreError."""
    from batchwork.engine.run.resume_plan import carry_out, resuming

    record = find_run(site.store, run)
    if record.status in ENDED:
        return _nothing_to_do(record, asked, "it has finished")
    with closing(_Held(site.store.lease(record.id))):
        record = find_run(site.store, record.id)
        if record.status in ENDED:  # another process has finished it meanwhile
            return _nothing_to_do(record, asked, "it has finished")
        kept = kept_from(record)
        plan, record, kept = current_plan(record, kept, load, site, asked)
        censor = _censor(plan, site)
        site = censored(site, censor)
        _check_before(plan, site)
        _end_orphans(kept, site)
        _begin_again(plan, record, site, asked, kept)
        carry_out(resuming(plan, _records(site.store, record.id)), site.store)
        return _execute(plan, record, site, asked, control, kept, censor, resumed=True)


def retry_run(
    run: str | None,
    load: Loader,
    site: Site,
    asked: Asked,
    control: Control,
    where: str | None = None,
    downstream: bool = False,
) -> RunEnd:
    """Give failed units fresh attempts, all or those for which the expression `where` is true. Raises as `resume_run`.

    A run that has not finished goes on afterwards. `downstream` runs the steps again that come after the retried ones.
    """
    from batchwork.engine.run.choose_failed import choose, compile_where
    from batchwork.engine.run.resume_plan import carry_out, retrying

    expression = compile_where(where) if where is not None else None
    record = find_run(site.store, run)
    with closing(_Held(site.store.lease(record.id))):
        record = find_run(site.store, record.id)
        kept = kept_from(record)
        plan, record, kept = current_plan(record, kept, load, site, asked)
        censor = _censor(plan, site)
        site = censored(site, censor)
        _check_before(plan, site)
        records = _records(site.store, record.id)
        chosen = choose(site.store, [records[step.name] for step in plan.steps if step.name in records], expression)
        for step, count in chosen.left.items():
            site.sink.emit(Warned(LEFT.format(plural(count, "failed unit"), "stays" if count == 1 else "stay"), step))
        stale = [name for name, step in records.items() if step.stale] if downstream else []
        if not chosen.steps and not stale and (record.status in ENDED or where is not None):
            what = "no failed item that can be run again" if chosen.left else "no failed item"
            return _nothing_to_do(record, asked, what + (f" fits `{where}`" if where is not None else ""))
        _end_orphans(kept, site)
        _begin_again(plan, record, site, asked, kept)
        records = _records(site.store, record.id)
        revivals = retrying(plan, records, chosen, where is None, downstream)
        carry_out(revivals, site.store)
        return _execute(plan, record, site, asked, control, kept, censor, resumed=True)


def explain_resume(run: str | None, load: Loader, site: Site, asked: Asked) -> list[str]:
    """What `resume_run` would do, and why; nothing is done. One line for each step. Raises RunRefused."""
    from batchwork.engine.run.resume_plan import in_words, resuming

    record = find_run(site.store, run)
    state = "crashed" if record.status is RunStatus.RUNNING and not record.living else record.status.value
    head = f"run {record.id} ({record.name}): {state}"
    if record.living:
        return [head, "another process works on it; a resume would be refused"]
    if record.status in ENDED:
        return [f"{head}; nothing to do"]
    plan, _, _ = current_plan(record, kept_from(record), load, site, asked, keep=False)
    records = _records(site.store, record.id)
    known = replace(plan, steps=tuple(step for step in plan.steps if step.name in records))
    new = [f"{step.name}: starts (it is new)" for step in plan.steps if step.name not in records]
    return [head, *in_words(resuming(known, records)), *new]


def window_text(plan: Plan, max_parallel: int | None = None) -> str:
    """How much a `kill -9` can make run twice, as `status` prints it."""
    slots = max((step.batch.slots if step.batch is not None else 1 for step in plan.steps), default=1)
    slots = min(slots, max_parallel) if max_parallel is not None else slots
    items, workers = ("item", "its worker") if slots == 1 else ("items", "each worker")
    return (
        f"a kill -9 makes at most {slots:,} {items} run twice "
        f"(of items shorter than 50 ms: about 100 ms of work for {workers})"
    )


# ---------------------------------------------------------------- what all of them do


def _execute(
    plan: Plan,
    record: RunRecord,
    site: Site,
    asked: Asked,
    control: Control,
    kept: Kept,
    censor: Censor,
    resumed: bool = False,
) -> RunEnd:
    options = RunOptions(
        state_dir=site.state_dir,
        cookie=kept.cookie,
        max_parallel=asked.max_parallel if asked.max_parallel is not None else kept.max_parallel,
        allow_failures=asked.allow_failures,
        resumed=resumed,
        censor=censor,
    )
    own = Fanout([StructuredLog(os.path.join(site.state_dir, "logs", f"{record.id}.jsonl"), site.clock)])
    if site.guard is not None:
        site.guard(kept.cookie)
    if plan.notify:
        own.sinks.insert(0, _notifier(plan, record.id, site, kept))  # closed first: it may still warn
    with closing(own), Signals(control, site.clock, kept.cookie):
        runner = Runner(
            plan,
            record,
            site.store,
            site.executors,
            Fanout([censored_sink(own, censor), site.sink]),
            site.clock,
            control,
            options,
            site.environ,
            site.cwd,
        )
        return runner.run()


def _notifier(plan: Plan, run: str, site: Site, kept: Kept) -> EventSink:
    from batchwork.telling.compile_notify import Bureau  # few workflows notify, and it takes `subprocess`

    view = RunView(run, plan.name, run_folder(site.state_dir, run))
    environ = environment(plan, site.environ, view)

    def scope_now() -> Scope:
        names = Names(plan, environ, view, site.store, site.cwd)
        for step in site.store.steps(run):
            names.ended(step)
        record = site.store.run(run)
        return names.scope(record.status if record is not None else None)

    return Bureau(
        run,
        site.store,
        site.sink,
        site.clock,
        scope_now,
        environ,
        site.cwd,
        kept.cookie,
    ).notifier(plan)


def _begin_again(plan: Plan, record: RunRecord, site: Site, asked: Asked, kept: Kept) -> None:
    store = site.store
    most = asked.max_parallel if asked.max_parallel is not None else kept.max_parallel
    known = [(step.name, step.batch) for step in sorted(store.steps(record.id), key=lambda step: step.order)]
    if known != _outline(plan):
        store.add_steps(record.id, _outline(plan))
    store.update_run(record.id, RunChange(status=RunStatus.RUNNING, ended_ms=None, window=window_text(plan, most)))


def _nothing_to_do(record: RunRecord, asked: Asked, why: str) -> RunEnd:
    code = exit_code(record.status, allow_failures=asked.allow_failures)
    return RunEnd(record.id, record.status, code, f"nothing to do for run {record.id}: {why}")


def _end_orphans(kept: Kept, site: Site) -> None:
    """Whatever an earlier execution left running is ended first, so that nothing ever runs twice at the same time."""
    if kept.cookie and (count := kill_all(lambda: with_cookie(kept.cookie))):
        word = "process" if count == 1 else "processes"
        site.sink.emit(Warned(f"{count} {word} of an earlier execution of this run were still there, and were ended"))


def _censor(plan: Plan, site: Site) -> Censor:
    """What takes out the run's secrets. Raises UsageError where one is not set."""
    missing = [name for name in plan.secrets if not site.environ.get(name)]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise UsageError(
            f"the secret{'s' if len(missing) > 1 else ''} {names} {'are' if len(missing) > 1 else 'is'} not set",
            f"set {'them' if len(missing) > 1 else 'it'} in the environment, for example `export {missing[0]}=…`",
        )
    return censor_of(plan.secrets, site.environ, plan.text, plan.params)


def _check_before(plan: Plan, site: Site) -> None:
    """Whether `env:` renders, before anything is recorded. Raises WorkflowError."""
    try:
        environment(plan, site.environ, RunView("", plan.name, ""))
    except RenderError as error:
        place = next(iter(plan.env.values())).place
        raise WorkflowError([Problem(place, f"`env`: {error.message}", error.hint)]) from None


def _outline(plan: Plan) -> list[tuple[str, bool]]:
    return [(step.name, step.batch is not None) for step in plan.steps]


def _records(store: Store, run: str) -> dict[str, StepRecord]:
    return {record.name: record for record in store.steps(run)}


class _Held:
    """A lease that `closing` can end."""

    def __init__(self, lease: Lease) -> None:
        self.close = lease.release
