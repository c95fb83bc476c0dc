"""One run, from its first step to its exit code: starts what may start, waits, says what stops it, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from typing import assert_never

from msgspec.structs import replace

from batchwork.engine.run.crash.run_journals import RunJournals
from batchwork.engine.run.kept_options import kept_from
from batchwork.engine.run.request import Backends, Execution, RunEnd
from batchwork.engine.run.results import Pages
from batchwork.engine.run.scheduling import Moves
from batchwork.engine.run.scope import Names, RunView, lowered, run_environ, run_folder
from batchwork.engine.run.step_run import StepOver, StepRun, record_end, step_failure
from batchwork.engine.run.step_states import StepStates
from batchwork.engine.stopping.signals import DRAIN_S, interrupted_code
from batchwork.engine.stopping.stop_level import GO, KILL, TERMINATE, Control, Shield
from batchwork.engine.unit.brief import Equipment, Start, StepBrief
from batchwork.errors import NodesGone, RenderError, StoreError
from batchwork.events import Event, Progressed, RunFinished, RunStarted, StepFinished, Stopping
from batchwork.faults import fault
from batchwork.folders import private_folder
from batchwork.model import (
    Failure,
    RunStatus,
    StepRecord,
    StepStatus,
)
from batchwork.plan.model import StepPlan
from batchwork.ports import EventSink, RunChange, StepChange
from batchwork.ports.journals import ExecutionMark
from batchwork.report import exit_code
from batchwork.step_notes import NeedSkipped, Reopened, StepNote, WhenFalse
from batchwork.telling.sampling import Sampler

_SHOWN_MAX = 100


class Runner:
    """Runs what is left of one run. `run` is called once; it blocks, and is best called in the main thread, for signals."""

    def __init__(self, execution: Execution, backends: Backends, control: Control) -> None:
        plan, run, store = execution.plan, execution.record, backends.store
        self._execution, self._control = execution, control
        self._announcer = _Announcer(backends.sink, control)
        view = RunView(run.id, run.name, _made(run_folder(backends.state_dir, run.id)))
        names = Names(plan, run_environ(plan, backends.environ, view), view, store, backends.cwd)
        self._steps = StepStates(plan.steps, {step.name: step for step in store.steps(run.id)}, names)
        executors = partial(backends.executors, pages=Pages(names.results).answer)
        self._backends = replace(backends, sink=self._announcer, executors=executors)
        self._underway: dict[str, StepRun] = {}
        self._mail: SimpleQueue[StepOver | None] = SimpleQueue()
        self._broken: Exception | None = None

    def run(self) -> RunEnd:
        """The run, to its end or until it is stopped. Raises StoreError, and whatever is a bug, once all steps have ended."""
        run, store, clock = self._execution.record, self._backends.store, self._backends.clock
        began = clock.now()
        self._announcer.emit(RunStarted(run.id, run.name, self._execution.resumed, store.describe()))
        sampler = Sampler(run.id, store, clock, self._speeds)
        unregister = self._control.register(self._woken)
        sampler.start()
        try:
            self._work(lambda: self._steps.next_moves(self._stopping()), self._control)
            self._finalize()
        finally:
            unregister()
            sampler.stop()
        if isinstance(self._broken, NodesGone):  # the store is well, and says where to go on
            self._conclude(clock.now() - began)
        if self._broken is not None:
            raise self._broken
        return self._conclude(clock.now() - began)

    # ------------------------------------------------------------ the loop

    def _work(self, choose: Callable[[], Moves], control: Control, status: RunStatus | None = None) -> None:
        """Start what `choose` says, and wait, until it says nothing and nothing runs."""
        while True:
            moves = choose()
            try:
                for step, skipped in moves.skip:
                    self._skip(step, NeedSkipped(skipped))
                for step in moves.start:
                    self._begin(step, control, status)
            except Exception as error:  # noqa: BLE001  # the store's, mostly; raised once the steps that run have ended
                self._break(error)
            if self._underway:
                self._wait()
            elif not moves.start and not moves.skip:
                return

    def _stopping(self) -> bool:
        return self._control.level > GO or self._broken is not None

    def _finalize(self) -> None:
        """Run the finalizers: always, unless the run was killed or its store is broken."""
        if self._broken is not None or self._control.level >= KILL:
            return
        shield = Shield(self._control, self._backends.clock)
        self._control.prolong(DRAIN_S)
        status = self._steps.run_status(self._control.level > GO, finalizers=False)

        def choose() -> Moves:
            if shield.level > GO or self._broken is not None:
                return Moves()
            return self._steps.next_finalizers()

        self._work(choose, shield, status)

    def _wait(self) -> None:
        """Wait for the end of a step, a stop, or the time limit of draining."""
        try:
            message = self._mail.get(timeout=self._control.due_in())
        except Empty:
            self._control.escalate()
            return
        if message is None:
            if self._broken is None:
                self._announcer.stopping()
            return
        self._underway.pop(message.step).join()
        if message.record is not None:
            self._steps.ended(message.record)
        elif message.error is not None:
            self._break(message.error)

    def _break(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._control.raise_to(TERMINATE, "the run cannot go on")

    def _woken(self) -> None:
        self._mail.put(None)  # SimpleQueue is reentrant, so a signal handler may do this

    # ------------------------------------------------------------ steps

    def _begin(self, step: StepPlan, control: Control, status: RunStatus | None) -> None:
        """Start a step in its thread, unless its `when` is false."""
        record, scope = self._steps.record(step.name), self._steps.names.scope(status)
        if record.status is StepStatus.PENDING:
            try:
                wanted = wants(step, scope)
            except RenderError as error:
                self._fail(step, self._execution.censor.failure(step_failure(error)))
                return
            if not wanted:
                self._skip(step, WhenFalse())
                return
        self._start(self._brief(step, record, scope), record, control)

    def _brief(self, step: StepPlan, record: StepRecord, scope: Mapping[str, object]) -> StepBrief:
        execution, names = self._execution, self._steps.names
        return StepBrief(
            plan=lowered(step, execution.max_parallel),
            number=record.number,
            run=execution.record.id,
            start=_beginning(record, execution.request.reread),
            scope=scope,
            setting=names.setting(step, scope),
            cookie=execution.cookie,
            censor=execution.censor,
            created_ms=execution.record.created_ms,
            declared=tuple(dict.fromkeys((*execution.plan.env, *execution.plan.secrets))),
            on_nodes=execution.request.nodes is not None and execution.request.nodes.elsewhere,
        )

    def _start(self, brief: StepBrief, record: StepRecord, control: Control) -> None:
        store, clock, started_ms = self._backends.store, self._backends.clock, record.started_ms
        if started_ms is None:
            started_ms = clock.wall_ms()
        record = replace(record, status=StepStatus.RUNNING, failure=None, started_ms=started_ms)
        store.update_step(record.number, StepChange(status=record.status, failure=None, started_ms=started_ms))
        execution, journals = self._execution, self._backends.aftercare.journals
        past = RunJournals(journals, execution.mark, execution.earlier)
        equipment = Equipment(store, self._backends.executors, self._announcer, clock, past)
        work = StepRun(brief, record, equipment, control, self._mail.put)
        self._steps.begun(record)
        self._underway[record.name] = work
        work.start()

    def _skip(self, step: StepPlan, why: StepNote) -> None:
        self._settle(replace(self._steps.record(step.name), status=StepStatus.SKIPPED, note=why))

    def _fail(self, step: StepPlan, failure: Failure) -> None:
        self._settle(replace(self._steps.record(step.name), status=StepStatus.FAILED, failure=failure))

    def _settle(self, record: StepRecord) -> None:
        """Record the end of a step that has not run."""
        record_end(self._backends.store, self._announcer, record)
        self._steps.ended(record)

    def _speeds(self) -> list[tuple[float, int, int, int]]:
        return [work.speed() for work in list(self._underway.values())]

    # ------------------------------------------------------------ the end

    def _conclude(self, duration_s: float) -> RunEnd:
        run, control = self._execution.record.id, self._control
        status = self._steps.run_status(control.level > GO)
        fault("finalise")
        journals, ended_ms = self._backends.aftercare.journals, self._backends.clock.wall_ms()
        left = (*journals.left(self._execution.earlier), ExecutionMark(self._execution.mark.id))
        kept = replace(kept_from(self._execution.record), executions=left)
        self._backends.store.update_run(run, RunChange(status=status, ended_ms=ended_ms, options=kept.text()))
        journals.end(self._execution.mark)
        message = self._message(status, run)
        self._announcer.emit(RunFinished(run, status, duration_s, message))
        code = exit_code(status, interrupted_code(control.signal), self._execution.request.allow_failures)
        return RunEnd(run, status, code, message)

    def _message(self, status: RunStatus, run: str) -> str:
        match status:
            case RunStatus.INTERRUPTED:
                return f"interrupted by {self._control.reason or 'a request'}; `batchwork resume {run}` goes on with it"
            case RunStatus.FAILED:
                failed = self._steps.failed()
                names = ", ".join(f"`{name}`" for name in failed)
                steps = "step" if len(failed) == 1 else "steps"
                why, again = f"`batchwork errors {run}` shows why", f"`batchwork resume {run}` tries again"
                return f"{steps} {names} failed; {why}, {again}"
            case RunStatus.PARTIAL:
                return f"some failed; `batchwork errors {run}` shows why, `batchwork retry {run}` tries them again"
            case RunStatus.SUCCEEDED | RunStatus.RUNNING:
                return ""
            case _:
                assert_never(status)


def _made(folder: str) -> str:
    try:
        return private_folder(folder)
    except OSError as error:
        message = f"the run's folder {folder} cannot be made: {error.strerror}"
        raise StoreError(message, "make it writable, or name another place with `--store`") from error


def _beginning(record: StepRecord, reread: bool) -> Start:
    reopened = record.note if isinstance(record.note, Reopened) else None
    fresh = record.status is StepStatus.PENDING
    return Start.of(fresh, reopened is not None, reread or (reopened is not None and reopened.reread))


def wants(step: StepPlan, scope: Mapping[str, object]) -> bool:
    """Whether `when` lets the step run. Raises RenderError where it gives anything but true or false."""
    if step.when is None or isinstance(step.when, bool):
        return step.when is not False
    value = step.when.render(scope)
    if isinstance(value, bool):
        return value
    raise RenderError(
        f"`when` must give true or false, and gives {_shown(value)}",
        f"write a comparison, such as `when: {{{{ … == 'yes' }}}}`; it stands at {step.when.place}",
    )


def _shown(value: object) -> str:
    what, shown = "a value", repr(value)
    if isinstance(value, str):
        what, shown = "a text", f"the text {value!r}"
    # Cutting it might leave half a secret, which nobody would know for one.
    return shown if len(shown) <= _SHOWN_MAX else f"{what} of {len(shown):,} characters"


class _Announcer:
    """The sink before the others: keeps how many attempts run in each step, and says so once for each level of a stop."""

    def __init__(self, sink: EventSink, control: Control) -> None:
        self._sink, self._control = sink, control
        self._by_step: dict[str, int] = {}
        self._announced = GO
        self.close = sink.close

    def emit(self, event: Event) -> None:
        if isinstance(event, Progressed):
            self._by_step[event.step] = event.running
        elif isinstance(event, StepFinished):
            self._by_step.pop(event.step, None)
        self._sink.emit(event)

    def stopping(self) -> None:
        """Say that a stop was asked for, unless that was said."""
        level = self._control.level
        if level > self._announced:
            self._announced = level
            self._sink.emit(Stopping(level, self._control.reason, sum(list(self._by_step.values()))))
