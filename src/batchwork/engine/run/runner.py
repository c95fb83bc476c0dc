"""One run, from its first step to its exit code: starts what may start, waits, says what stops it, and how it ended.

What may start is decided in scheduling.py; a step itself runs in step_run.py; creating and finding runs is lifecycle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue

from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.engine.run.options import RunEnd, RunOptions
from batchwork.engine.run.results import Pages
from batchwork.engine.run.scheduling import ENDED, Moves, next_finalizers, next_moves, run_status
from batchwork.engine.run.scope import Names, RunView, environment, lowered, run_folder
from batchwork.engine.run.step_run import StepOver, StepRun, record_end, step_failure
from batchwork.engine.stopping.signals import DRAIN_S, interrupted_code
from batchwork.engine.stopping.stop_level import GO, KILL, TERMINATE, Control, Shield
from batchwork.engine.unit.brief import Equipment, StepBrief
from batchwork.errors import RenderError, StoreError
from batchwork.events import Event, Progressed, RunFinished, RunStarted, StepFinished, Stopping
from batchwork.faults import fault
from batchwork.folders import private_folder
from batchwork.model import (
    Failure,
    NeedSkipped,
    Reopened,
    RunRecord,
    RunStatus,
    StepNote,
    StepRecord,
    StepStatus,
    WhenFalse,
)
from batchwork.plan.model import Plan, StepPlan
from batchwork.ports import EventSink, ExecutorFactory, RunChange, StepChange, Store
from batchwork.report import exit_code
from batchwork.telling.sampling import Sampler

_SHOWN_MAX = 100


class Runner:
    """Runs what is left of one run. `run` is called once; it blocks, and is best called in the main thread, for signals."""

    def __init__(
        self,
        plan: Plan,
        run: RunRecord,
        store: Store,
        executors: ExecutorFactory,
        sink: EventSink,
        clock: Clock,
        control: Control,
        options: RunOptions,
        environ: Mapping[str, str],
        cwd: str,
    ) -> None:
        self._plan, self._run, self._store = plan, run, store
        self._clock, self._control, self._options = clock, control, options
        self._running = _Running(sink)
        self._sink: EventSink = self._running
        folder = _made(run_folder(options.state_dir, run.id))
        view = RunView(run.id, run.name, folder)
        self._names = Names(plan, environment(plan, environ, view), view, store, cwd)
        self._executors = partial(executors, pages=Pages(self._names.results).answer)
        known = {step.name: step for step in store.steps(run.id)}
        self._records = {step.name: known[step.name] for step in plan.steps}
        for record in self._records.values():
            if record.status in ENDED:
                self._names.ended(record)
        self._failed_before = frozenset(
            name for name, record in self._records.items() if record.status is StepStatus.FAILED
        )
        self._underway: dict[str, StepRun] = {}
        self._begun: set[str] = set()
        self._mail: SimpleQueue[StepOver | None] = SimpleQueue()
        self._broken: Exception | None = None
        self._announced = GO

    def run(self) -> RunEnd:
        """The run, to its end or until it is stopped. Raises StoreError, and whatever is a bug, once all steps have ended."""
        began = self._clock.now()
        self._sink.emit(RunStarted(self._run.id, self._run.name, self._options.resumed, self._store.describe()))
        sampler = Sampler(self._run.id, self._store, self._clock, self._speeds)
        unregister = self._control.register(self._woken)
        sampler.start()
        try:
            self._work(self._next_main, self._control)
            self._finalize()
        finally:
            unregister()
            sampler.stop()
        if self._broken is not None:
            raise self._broken
        return self._conclude(self._clock.now() - began)

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

    def _next_main(self) -> Moves:
        stopping = self._control.level > GO or self._broken is not None
        return next_moves(self._plan.steps, self._states(), self._begun, stopping, self._failed_before)

    def _finalize(self) -> None:
        """Run the finalizers: always, unless the run was killed or its store is broken."""
        if self._broken is not None or self._control.level >= KILL:
            return
        shield = Shield(self._control, self._clock)
        self._control.prolong(DRAIN_S)
        main = [step for step in self._plan.steps if not step.finalizer]
        status = run_status(main, self._states(), self._failed_units(), self._control.level > GO)

        def choose() -> Moves:
            if shield.level > GO or self._broken is not None:
                return Moves()
            return Moves(next_finalizers(self._plan.steps, self._states(), self._begun))

        self._work(choose, shield, status)

    def _wait(self) -> None:
        """Wait for the end of a step, a stop, or the time limit of draining."""
        try:
            message = self._mail.get(timeout=self._control.due_in())
        except Empty:
            self._control.escalate()
            return
        if message is None:
            self._announce()
            return
        self._underway.pop(message.step).join()
        if message.record is not None:
            self._ended(message.record)
        elif message.error is not None:
            self._break(message.error)

    def _break(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._control.raise_to(TERMINATE, "the run cannot go on")

    def _woken(self) -> None:
        self._mail.put(None)  # SimpleQueue is reentrant, so a signal handler may do this

    def _announce(self) -> None:
        level = self._control.level
        if level > self._announced and self._broken is None:
            self._announced = level
            self._sink.emit(Stopping(level, self._control.reason, self._running.count()))

    # ------------------------------------------------------------ steps

    def _begin(self, step: StepPlan, control: Control, status: RunStatus | None) -> None:
        """Start a step in its thread, unless its `when` is false."""
        record = self._records[step.name]
        scope = self._names.scope(status)
        fresh = record.status is StepStatus.PENDING
        if fresh:
            try:
                wanted = wants(step, scope)
            except RenderError as error:
                self._fail(step, self._options.censor.failure(step_failure(error)))
                return
            if not wanted:
                self._skip(step, WhenFalse())
                return
        record = replace(record, status=StepStatus.RUNNING, failure=None)
        if record.started_ms is None:
            record = replace(record, started_ms=self._clock.wall_ms())
        self._store.update_step(
            record.number, StepChange(status=record.status, failure=None, started_ms=record.started_ms)
        )
        self._records[step.name] = record
        brief = StepBrief(
            plan=lowered(step, self._options.max_parallel),
            number=record.number,
            run=self._run.id,
            resumed=not fresh,
            reopened=isinstance(record.note, Reopened),
            scope=scope,
            setting=self._names.setting(step, scope),
            cookie=self._options.cookie,
            censor=self._options.censor,
        )
        equipment = Equipment(self._store, self._executors, self._sink, self._clock)
        work = StepRun(brief, record, equipment, control, self._mail.put)
        self._begun.add(step.name)
        self._underway[step.name] = work
        work.start()

    def _skip(self, step: StepPlan, why: StepNote) -> None:
        self._settle(replace(self._records[step.name], status=StepStatus.SKIPPED, note=why))

    def _fail(self, step: StepPlan, failure: Failure) -> None:
        self._settle(replace(self._records[step.name], status=StepStatus.FAILED, failure=failure))

    def _settle(self, record: StepRecord) -> None:
        """Record the end of a step that has not run."""
        self._begun.add(record.name)
        record_end(self._store, self._sink, record)
        self._ended(record)

    def _ended(self, record: StepRecord) -> None:
        self._records[record.name] = record
        self._names.ended(record)

    def _states(self) -> dict[str, StepStatus]:
        return {name: record.status for name, record in self._records.items()}

    def _failed_units(self) -> bool:
        return any(
            record.counts.failed > 0 for record in self._records.values() if record.status is StepStatus.SUCCEEDED
        )

    def _speeds(self) -> list[tuple[float, int, int, int]]:
        return [work.speed() for work in list(self._underway.values())]

    # ------------------------------------------------------------ the end

    def _conclude(self, duration_s: float) -> RunEnd:
        run = self._run.id
        stopped = self._control.level > GO
        status = run_status(self._plan.steps, self._states(), self._failed_units(), stopped)
        fault("run.finalise")
        self._store.update_run(run, RunChange(status=status, ended_ms=self._clock.wall_ms()))
        message = self._message(status)
        self._sink.emit(RunFinished(run, status, duration_s, message))
        code = exit_code(status, interrupted_code(self._control.signal), self._options.allow_failures)
        return RunEnd(run, status, code, message)

    def _message(self, status: RunStatus) -> str:
        run = self._run.id
        match status:
            case RunStatus.INTERRUPTED:
                return f"interrupted by {self._control.reason or 'a request'}; `batchwork resume {run}` goes on with it"
            case RunStatus.FAILED:
                failed = [name for name, record in self._records.items() if record.status is StepStatus.FAILED]
                names = ", ".join(f"`{name}`" for name in failed)
                word = "step" if len(failed) == 1 else "steps"
                return (
                    f"{word} {names} failed; `batchwork errors {run}` shows why, `batchwork resume {run}` tries again"
                )
            case RunStatus.PARTIAL:
                return f"some failed; `batchwork errors {run}` shows why, `batchwork retry {run}` tries them again"
            case _:
                return ""


def _made(folder: str) -> str:
    try:
        return private_folder(folder)
    except OSError as error:
        message = f"the run's folder {folder} cannot be made: {error.strerror}"
        raise StoreError(message, "make it writable, or name another place with `--store`") from error


def wants(step: StepPlan, scope: Mapping[str, object]) -> bool:
    """Whether `when` lets the step run. Raises RenderError where it gives anything but true or false."""
    if step.when is None or isinstance(step.when, bool):
        return step.when is not False
    value = step.when.render(scope)
    if isinstance(value, bool):
        return value
    shown = f"the text {value!r}" if isinstance(value, str) else repr(value)
    if len(shown) > _SHOWN_MAX:  # cutting it might leave half a secret, which nobody would know for one
        shown = f"{'a text' if isinstance(value, str) else 'a value'} of {len(shown):,} characters"
    raise RenderError(
        f"`when` must give true or false, and gives {shown}",
        f"write a comparison, such as `when: {{{{ … == 'yes' }}}}`; it stands at {step.when.place}",
    )


class _Running:
    """The sink before the others: keeps how many attempts run in each step, for what a stop says."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._by_step: dict[str, int] = {}

    def emit(self, event: Event) -> None:
        if isinstance(event, Progressed):
            self._by_step[event.step] = event.running
        elif isinstance(event, StepFinished):
            self._by_step.pop(event.step, None)
        self._sink.emit(event)

    def close(self) -> None:
        self._sink.close()

    def count(self) -> int:
        return sum(list(self._by_step.values()))
