"""The life of a run beyond one execution: started, resumed, retried; its record, its lease, what must be the same as before."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from batchwork.censor import Censor, censor_of
from batchwork.engine.run.censored import censored, censored_errors, censored_sink, told_nodes
from batchwork.engine.run.crash.redo_window import window_text
from batchwork.engine.run.find_run import FINISHED, find_run
from batchwork.engine.run.kept_options import Kept, kept_from, placed, with_journals
from batchwork.engine.run.request import Backends, Execution, Nodes, RetryRequest, RunEnd, RunRequest, Workplaces
from batchwork.engine.run.runner import Runner
from batchwork.engine.run.scope import Names, RunView, run_environ, run_folder
from batchwork.engine.stopping.signals import Signals
from batchwork.engine.stopping.stop_level import Control
from batchwork.errors import Problem, RenderError, UsageError, WorkflowError
from batchwork.events import Warned
from batchwork.model import RunRecord, RunStatus, StepRecord
from batchwork.plan.model import Plan
from batchwork.ports import EventSink, Fanout, RunChange, Scope, Store
from batchwork.ports.journals import ExecutionMark, Owner
from batchwork.report import exit_code
from batchwork.step_notes import Reopened
from batchwork.telling.structured_log import StructuredLog
from batchwork.text.jsontext import encode
from batchwork.text.wording import plural

if TYPE_CHECKING:
    from batchwork.engine.run.choose_failed import Chosen
    from batchwork.engine.run.resume_check import Loader

__all__ = [
    "Backends",
    "RetryRequest",
    "RunRequest",
    "explain_resume",
    "find_run",
    "resume_run",
    "retry_run",
    "start_run",
]

LEFT: Final = (
    "{} {} as before: no whole value of them is recorded (rows that could not be read, secrets, what was in doubt). "
    "Mend the rows, then `batchwork retry {} --reread` takes what the source has now"
)
RECORDED: Final = "failed units run with the values that are recorded; `--reread` takes those that the source has now"


def start_run(plan: Plan, backends: Backends, request: RunRequest, control: Control) -> RunEnd:
    """Record a new run and run it. Raises UsageError, WorkflowError, StoreError, RunRefused."""
    censor = _censor(plan, backends)
    backends = censored(backends, censor)
    _check_before(plan, backends)
    record = _new_record(plan, backends, request, censor)
    with _held(backends.store, record.id):
        record, mark = _marked(record, backends, censor)
        elsewhere = request.nodes is not None and request.nodes.elsewhere
        window = window_text(plan, request.max_parallel, kept=bool(mark.folder), elsewhere=elsewhere)
        record = replace(record, window=window)
        with _ended_unless_recorded(mark, backends):
            backends.store.create_run(record, _outline(plan))
        execution = replace(_execution(plan, record, request, censor), mark=mark, earlier=())
        return _execute(execution, backends, control)


def resume_run(run: str | None, load: Loader, backends: Backends, request: RunRequest, control: Control) -> RunEnd:
    """Go on with a run, the latest by default. Raises RunRefused, RunLocked, WorkflowError, StoreError."""
    from batchwork.engine.run.resume_plan import carry_out, resuming

    record = find_run(backends.store, run)
    if record.status in FINISHED:
        return _nothing_to_do(record, request, "it has finished")
    with _held(backends.store, record.id):
        record = find_run(backends.store, record.id)
        if record.status in FINISHED:  # another process has finished it meanwhile
            return _nothing_to_do(record, request, "it has finished")
        execution, backends = _taken_up(record, load, backends, request)
        execution = _begin_again(execution, backends)
        carry_out(resuming(execution.plan, _records(backends.store, record.id)), backends.store)
        return _execute(execution, backends, control)


def retry_run(run: str | None, load: Loader, backends: Backends, request: RetryRequest, control: Control) -> RunEnd:
    """Give failed units fresh attempts. A run that has not finished goes on afterwards. Raises as `resume_run`."""
    from batchwork.engine.run.choose_failed import choose, compile_where
    from batchwork.engine.run.resume_plan import carry_out, retrying

    expression = compile_where(request.where)
    record = find_run(backends.store, run)
    with _held(backends.store, record.id):
        record = find_run(backends.store, record.id)
        execution, backends = _taken_up(record, load, backends, request)
        plan, records = execution.plan, _records(backends.store, record.id)
        present = [records[step.name] for step in plan.steps if step.name in records]
        chosen = choose(backends.store, present, expression, request.reread)
        _tell(
            backends.sink,
            {step: _left(count, record.id) for step, count in chosen.left.items()},
        )
        stale = request.downstream and any(step.stale for step in records.values())
        goes_on = request.where is None and record.status not in FINISHED
        if not (chosen.steps or stale or goes_on):
            return _nothing_to_do(record, request, _in_vain(chosen, request.where))
        execution = _begin_again(execution, backends)
        records = _records(backends.store, record.id)
        carry_out(retrying(plan, records, chosen, request.where is None, request.downstream), backends.store)
        _tell(backends.sink, dict.fromkeys(_as_recorded(plan, chosen, _records(backends.store, record.id)), RECORDED))
        return _execute(execution, backends, control)


def explain_resume(run: str | None, load: Loader, backends: Backends, request: RunRequest) -> list[str]:
    """What `resume_run` would do, and why; nothing is done. One line for each step. Raises RunRefused."""
    from batchwork.engine.run.resume_check import current_plan
    from batchwork.engine.run.resume_plan import explained, resuming

    record = find_run(backends.store, run)
    crashed = record.status is RunStatus.RUNNING and not record.living
    head = f"run {record.id} ({record.name}): {'crashed' if crashed else record.status.value}"
    if record.living:
        return [head, "another process works on it; a resume would be refused"]
    if record.status in FINISHED:
        return [f"{head}; nothing to do"]
    plan, _ = current_plan(record, load, backends, request, keep=False)
    records = _records(backends.store, record.id)
    known = replace(plan, steps=tuple(step for step in plan.steps if step.name in records))
    new = [f"{step.name}: starts (it is new)" for step in plan.steps if step.name not in records]
    return [head, *explained(resuming(known, records)), *new]


# ---------------------------------------------------------------- before


def _new_record(plan: Plan, backends: Backends, request: RunRequest, censor: Censor) -> RunRecord:
    """The record of a new run; what cannot be put back into it by a resume is warned of."""
    run = request.run_id
    workflow, lost_text = censor.workflow(plan.text)
    params, lost_params = censor.params(plan.params)
    defaulted = tuple(name for name in lost_params if name in plan.defaulted)
    nodes = told_nodes(request.nodes or Nodes(), censor)
    kept = Kept((), request.max_parallel, plan.secrets, lost_text, lost_params, defaulted, nodes)
    for name in [name for name in lost_params if name not in defaulted]:
        from batchwork.engine.run.resume_check import LOST

        backends.sink.emit(Warned(f"{LOST.format(name)}, so this run cannot be resumed; pass it in by `secrets:`"))
    return RunRecord(
        id=backends.clock.run_id() if run is None else run,
        name=plan.name,
        file=plan.file,
        workflow=workflow,
        params=encode(params),
        fingerprint=encode(plan.fingerprint),
        status=RunStatus.RUNNING,
        created_ms=backends.clock.wall_ms(),
        durability=request.durability,
        window="",
        options=kept.text(),
    )


def _taken_up(record: RunRecord, load: Loader, backends: Backends, request: RunRequest) -> tuple[Execution, Backends]:
    """A run that goes on, with the parts for it. Raises RunRefused, WorkflowError, UsageError."""
    from batchwork.engine.run.resume_check import current_plan

    plan, record = current_plan(record, load, backends, request)
    censor = _censor(plan, backends)
    backends = censored(backends, censor)
    _check_before(plan, backends)
    return replace(_execution(plan, record, request, censor), resumed=True), backends


def _execution(plan: Plan, record: RunRecord, request: RunRequest, censor: Censor) -> Execution:
    kept = kept_from(record)
    most = request.max_parallel
    if most is None:
        most = kept.max_parallel
    request = replace(request, nodes=request.nodes or kept.nodes)
    return Execution(plan, record, ExecutionMark(""), censor, most, request, earlier=kept.executions)


def _censor(plan: Plan, backends: Backends) -> Censor:
    """What takes out the run's secrets. Raises UsageError where one is not set."""
    missing = [name for name in plan.secrets if not backends.environ.get(name)]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        secrets, are, them = ("secret", "is", "it") if len(missing) == 1 else ("secrets", "are", "them")
        raise UsageError(
            f"the {secrets} {names} {are} not set",
            f"set {them} in the environment, for example `export {missing[0]}=…`",
        )
    return censor_of(plan.secrets, backends.environ, plan.text, plan.params, plan.credentials)


def _check_before(plan: Plan, backends: Backends) -> None:
    """Whether `env:` renders, before anything is recorded. Raises WorkflowError."""
    try:
        run_environ(plan, backends.environ, RunView("", plan.name, ""))
    except RenderError as error:
        place = next(iter(plan.env.values())).place
        raise WorkflowError([Problem(place, f"`env`: {error.message}", error.hint)]) from None


def _begin_again(execution: Execution, backends: Backends) -> Execution:
    """End what earlier executions left running, and record that the run goes on. The execution has a mark of its own.

    Whoever still cleans up after an earlier one, its guardian for example, knows only the earlier mark.
    """
    from batchwork.engine.run.crash.fence import await_nodes, end_earlier

    run, plan, store, journals = execution.record.id, execution.plan, backends.store, backends.aftercare.journals
    # First of all, so that nothing ever runs twice at the same time.
    if count := end_earlier(execution.earlier, journals, backends.clock):
        word = "process" if count == 1 else "processes"
        message = f"{count} {word} of an earlier execution of this run were still there, and were ended"
        backends.sink.emit(Warned(message))
    known = [(step.name, step.batch) for step in sorted(store.steps(run), key=lambda step: step.order)]
    if known != _outline(plan):
        store.add_steps(run, _outline(plan))
    earlier = tuple(journals.left(execution.earlier))
    await_nodes(execution.record, backends)
    nodes = execution.request.nodes or Nodes()
    record, mark = _marked(
        placed(execution.record, told_nodes(nodes, execution.censor)), backends, execution.censor, earlier
    )
    window = window_text(plan, execution.max_parallel, kept=bool(mark.folder), elsewhere=nodes.elsewhere)
    change = RunChange(status=RunStatus.RUNNING, ended_ms=None, window=window, options=record.options)
    with _ended_unless_recorded(mark, backends):
        store.update_run(run, change)
    return replace(execution, record=record, mark=mark, earlier=earlier)


def _marked(
    record: RunRecord, backends: Backends, censor: Censor, earlier: tuple[ExecutionMark, ...] = ()
) -> tuple[RunRecord, ExecutionMark]:
    """The record with the mark of a new execution in it, whose journals hold secrets only where these reach no disk."""
    spare = None if censor.hides else os.path.join(run_folder(backends.state_dir, record.id), "journal")
    journals, owner = backends.aftercare.journals, Owner(backends.state_dir, backends.store.describe())
    journals.sweep(owner, lambda: with_journals(backends.store.runs()))
    mark = journals.begin(backends.clock.execution_id(), spare, owner)
    kept = replace(kept_from(record), executions=(*earlier, mark))
    return replace(record, options=kept.text()), mark


@contextmanager
def _ended_unless_recorded(mark: ExecutionMark, backends: Backends) -> Iterator[None]:
    """Nothing of a new execution has run yet: where it cannot be recorded, nobody will ask for its journals."""
    try:
        yield
    except BaseException:
        backends.aftercare.journals.end(mark)
        raise


def _nothing_to_do(record: RunRecord, request: RunRequest, why: str) -> RunEnd:
    code = exit_code(record.status, allow_failures=request.allow_failures)
    return RunEnd(record.id, record.status, code, f"nothing to do for run {record.id}: {why}")


def _in_vain(chosen: Chosen, where: str | None) -> str:
    what = "no failed item that can be run again" if chosen.left else "no failed item"
    return what if where is None else f"{what} fits `{where}`"


def _tell(sink: EventSink, warnings: Mapping[str, str]) -> None:
    for step, text in warnings.items():
        sink.emit(Warned(text, step))


def _as_recorded(plan: Plan, chosen: Chosen, records: Mapping[str, StepRecord]) -> Iterator[str]:
    """The steps whose units run with the values that are recorded, where their source may have others now."""
    for step in plan.steps:
        changing = step.batch is not None and step.batch.items.kind != "literal" and step.batch.items.source != "range"
        if changing and step.name in chosen.steps and records[step.name].note == Reopened():
            yield step.name


def _left(count: int, run: str) -> str:
    return LEFT.format(plural(count, "failed unit"), "stays" if count == 1 else "stay", run)


def _outline(plan: Plan) -> list[tuple[str, bool]]:
    return [(step.name, step.batch is not None) for step in plan.steps]


def _records(store: Store, run: str) -> dict[str, StepRecord]:
    return {record.name: record for record in store.steps(run)}


# ---------------------------------------------------------------- the execution


@contextmanager
def _held(store: Store, run: str) -> Iterator[None]:
    """Own the run meanwhile. Raises RunLocked."""
    lease = store.lease(run)
    try:
        yield
    finally:
        lease.release()


def _execute(execution: Execution, backends: Backends, control: Control) -> RunEnd:
    if isinstance(backends.executors, Workplaces):
        backends = replace(backends, executors=backends.executors.of(execution.request.nodes or Nodes()))
    log = os.path.join(backends.state_dir, "logs", f"{execution.record.id}.jsonl")
    own = Fanout([StructuredLog(log, backends.clock)])
    if backends.aftercare.guard is not None:
        backends.aftercare.guard(execution.cookie)
    if execution.plan.notify:
        own.sinks.insert(0, _notifier(execution, backends))  # closed first: it may still warn
    sink = Fanout([censored_sink(own, execution.censor), backends.sink])
    signals = Signals(control, backends.clock, execution.cookie)
    with closing(own), signals, censored_errors(execution.censor):
        return Runner(execution, replace(backends, sink=sink), control).run()


def _notifier(execution: Execution, backends: Backends) -> EventSink:
    from batchwork.telling.bind_notify import NotifyContext, bound_notifier  # it takes `subprocess`, and few notify

    plan, run, store = execution.plan, execution.record.id, backends.store
    view = RunView(run, plan.name, run_folder(backends.state_dir, run))
    environ = run_environ(plan, backends.environ, view)

    def scope_now() -> Scope:
        names = Names(plan, environ, view, store, backends.cwd)
        for step in store.steps(run):
            names.ended(step)
        return names.scope(find_run(store, run).status)

    context = NotifyContext(
        run, store, backends.sink, backends.clock, scope_now, environ, backends.cwd, execution.cookie
    )
    return bound_notifier(plan, context)
