"""One step in a thread of its own: its coordinator, the check of the sum, what is recorded at its end, `on_error`."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from batchwork.engine.step.coordinator import Coordinator
from batchwork.engine.step.fate import Fate, StepDone, StepFailed, StepStopped
from batchwork.engine.step.step_failure import with_hint
from batchwork.engine.stopping.stop_level import TERMINATE, Control
from batchwork.engine.unit.brief import Equipment, StepBrief
from batchwork.errors import BatchworkError, NodesGone, RenderError, SourceError, StoreError
from batchwork.events import Said, StepFinished, Warned
from batchwork.faults import fault
from batchwork.model import Counts, Failure, StepRecord, StepStatus
from batchwork.plan.model import TaskPlan
from batchwork.ports import EventSink, StepChange, Store
from batchwork.ports.recorded import ErrorView
from batchwork.report import why_skipped
from batchwork.step_notes import Unwritten
from batchwork.text.jsontext import decode


class StepOver(Struct, frozen=True):
    """A step's thread has ended: `record` as it stands in the store now, or the `error` that ends the whole run."""

    step: str
    record: StepRecord | None
    error: Exception | None = None


class StepRun:
    """Runs one step; `tell` is called once, at the end, from the step's thread."""

    def __init__(
        self,
        brief: StepBrief,
        record: StepRecord,
        equipment: Equipment,
        control: Control,
        tell: Callable[[StepOver], None],
    ) -> None:
        self._brief, self._record, self._equipment = brief, record, equipment
        self._control, self._tell = control, tell
        self._coordinator: Coordinator | None = None
        self._thread = Thread(target=self._run, name=f"step {brief.plan.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def speed(self) -> tuple[float, int, int, int]:
        """Units a second and percentiles of their durations (µs) since the last call."""
        if self._coordinator is None:
            return 0.0, 0, 0, 0
        return self._coordinator.speed()

    def _run(self) -> None:
        name = self._brief.plan.name
        try:
            ended = StepOver(name, self._to_its_end())
        except Exception as error:  # noqa: BLE001  # whatever it is ends the run, which raises it again in its own thread
            ended = StepOver(name, None, error)
        self._tell(ended)

    def _to_its_end(self) -> StepRecord:
        clock = self._equipment.clock
        began = clock.now()
        fate = self._fate()
        fault("step.end")
        duration_ms = self._record.duration_ms + round((clock.now() - began) * 1000)
        record = self._ended(replace(self._record, counts=fate.counts, duration_ms=duration_ms, stale=False), fate)
        record_end(self._equipment.store, self._equipment.sink, record)
        on_error = self._brief.plan.on_error
        if isinstance(on_error, TaskPlan) and record.failure is not None and self._control.level < TERMINATE:
            self._react(on_error, record.failure)
        return record

    def _fate(self) -> Fate:
        """What becomes of the step, and of the files that are made of its outcomes."""
        batch, before = self._brief.plan.batch, self._counters()
        only_writes = isinstance(self._record.note, Unwritten)

        def run() -> Fate:
            return StepDone(before) if only_writes else self._checked(self._coordinated())

        if batch is None or not (batch.results or batch.aggregate):
            return run()
        from batchwork.engine.run.outcome.made import with_outcomes  # most steps make nothing

        fate = with_outcomes(batch, self._brief, self._equipment.store, run, before)
        return replace(fate, complete=True) if only_writes and isinstance(fate, StepFailed) else fate

    def _ended(self, record: StepRecord, fate: Fate) -> StepRecord:
        """The record of the step with what became of it. One that was stopped keeps its note: a resume reads it."""
        match fate:
            case StepDone(_, result):
                return replace(record, status=StepStatus.SUCCEEDED, result=result, failure=None, note=None)
            case StepFailed(_, failure, complete):
                failure = self._brief.censor.failure(failure)
                note = Unwritten() if complete else None
                return replace(record, status=StepStatus.FAILED, result=None, failure=failure, note=note)
            case StepStopped():
                return replace(record, status=StepStatus.RUNNING, result=None, failure=None)
            case _:
                assert_never(fate)

    def _coordinated(self) -> Fate:
        try:
            self._coordinator = Coordinator(self._brief, self._equipment, self._control)
            return self._coordinator.run()
        except (StoreError, NodesGone):
            raise
        except BatchworkError as error:
            return StepFailed(self._counters(), step_failure(error))

    def _counters(self) -> Counts:
        """The step's counters as recorded."""
        steps = self._equipment.store.steps(self._brief.run)
        return next((step.counts for step in steps if step.number == self._brief.number), Counts())

    def _checked(self, fate: Fate) -> Fate:
        """The fate, unless what was counted is not what was recorded: then the step fails and says so."""
        wrong = broken_sum(fate, self._equipment.store.count(self._brief.number))
        if wrong is None:
            return fate
        return StepFailed(fate.counts, Failure("count", wrong, retryable=False))

    def _react(self, task: TaskPlan, failure: Failure) -> None:
        """Run `on_error`. It changes nothing else, so its own failure is a warning."""
        from batchwork.engine.run.run_once import run_once  # most steps succeed

        brief, sink = self._brief, self._equipment.sink
        scope = {**brief.scope, "error": ErrorView.of(failure, self._attempts()), **_no_unit(brief)}
        setting = replace(brief.setting, constants=scope, unit_names=frozenset(), timeout_s=None)
        outcome = run_once(task, setting, brief, self._equipment.executors, self._control)
        if outcome.said is not None:
            sink.emit(Said(brief.plan.name, str(decode(outcome.said))))
        if outcome.failure is not None:
            sink.emit(Warned(f"`on_error` failed: {outcome.failure.message}", brief.plan.name))

    def _attempts(self) -> int:
        """How often the step was tried: its one unit, where it has no items."""
        if self._brief.plan.batch is None:
            for view in self._equipment.store.units(self._brief.number, limit=1):
                return view.record.attempts
        return 1


def _no_unit(brief: StepBrief) -> dict[str, object]:
    # Tasks may hand these to what they run (BATCHWORK_KEY …), whether or not the author names them.
    token = f"{brief.origin}/on_error"
    return {"key": "", "index": 0, "attempt": 1, "idempotency_key": token}


def record_end(store: Store, sink: EventSink, record: StepRecord) -> None:
    """Put the end of a step on disk, then say so."""
    store.update_step(
        record.number,
        StepChange(
            status=record.status,
            counts=record.counts,
            result=record.result,
            failure=record.failure,
            duration_ms=record.duration_ms,
            stale=record.stale,
            note=record.note,
        ),
    )
    error = ""
    if record.failure is not None:
        error = record.failure.message
    if record.status is StepStatus.SKIPPED:
        error = why_skipped(record.note)
    duration_s = record.duration_ms / 1000
    sink.emit(StepFinished(record.name, record.status, record.counts, duration_s, error, record.batch))


def step_failure(error: BatchworkError) -> Failure:
    """Why a step failed as a whole, from what kept it from running."""
    match error:
        case SourceError():
            kind = "source"
        case RenderError():
            kind = error.failure_type
        case _:
            kind = "worker"
    return with_hint(kind, error)


def broken_sum(fate: Fate, rows: Counts) -> str | None:
    """What is wrong where the counters and the rows of a step differ, or do not add up to the total; None if nothing is."""
    counts = fate.counts
    counted = (counts.succeeded, counts.failed, counts.skipped)
    if counted != (rows.succeeded, rows.failed, rows.skipped):
        return (
            f"the counters say {_in_words(counts)}, but recorded are {_in_words(rows)}: this is a fault of batchwork, "
            "please report it"
        )
    left = counts.pending
    if isinstance(fate, StepDone) and counts.total is not None and left != 0:
        return f"{_in_words(counts)} do not add up to {counts.total}: this is a fault of batchwork, please report it"
    if left is not None and left < 0:
        return f"{_in_words(counts)} are more than {counts.total}: this is a fault of batchwork, please report it"
    return None


def _in_words(counts: Counts) -> str:
    return f"{counts.succeeded} succeeded, {counts.failed} failed, {counts.skipped} skipped"
