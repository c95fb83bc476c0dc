"""One step in a thread of its own: its coordinator, the check of the sum, what is recorded at its end, `on_error`.

Which steps run when is in scheduling.py; what the coordinator does with the units is its own matter.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from msgspec import Struct
from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.engine.run.run_once import run_once
from batchwork.engine.step.coordinator import Coordinator
from batchwork.engine.step.step_failure import with_hint
from batchwork.engine.stopping.stop_level import TERMINATE, Control
from batchwork.engine.unit.brief import StepBrief, StepEnd
from batchwork.engine.unit.error_view import ErrorView
from batchwork.errors import BatchworkError, RenderError, SourceError, StoreError
from batchwork.events import Said, StepFinished, Warned
from batchwork.faults import fault
from batchwork.model import Counts, Failure, StepRecord, StepStatus
from batchwork.plan.model import TaskPlan
from batchwork.ports import EventSink, ExecutorFactory, Staffing, StepChange, Store
from batchwork.report import why_skipped
from batchwork.text.jsontext import decode


class Ended(Struct, frozen=True):
    """A step's thread has ended: `record` as it stands in the store now, or the `error` that ends the whole run."""

    step: str
    record: StepRecord | None
    error: Exception | None = None


class StepRun:
    """Runs one step; `tell` is called once, at the end, from the step's thread."""

    def __init__(
        self,
        order: StepBrief,
        record: StepRecord,
        store: Store,
        executors: ExecutorFactory,
        sink: EventSink,
        clock: Clock,
        control: Control,
        tell: Callable[[Ended], None],
    ) -> None:
        self._order, self._record, self._store, self._executors = order, record, store, executors
        self._sink, self._clock, self._control, self._tell = sink, clock, control, tell
        self._coordinator: Coordinator | None = None
        self._thread = Thread(target=self._run, name=f"step {order.plan.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def speed(self) -> tuple[float, int, int, int]:
        """Units a second and percentiles of their durations (µs) since the last call."""
        return self._coordinator.speed() if self._coordinator is not None else (0.0, 0, 0, 0)

    def _run(self) -> None:
        name = self._order.plan.name
        try:
            ended = Ended(name, self._to_its_end())
        except Exception as error:  # noqa: BLE001  # whatever it is ends the run, which raises it again in its own thread
            ended = Ended(name, None, error)
        self._tell(ended)

    def _to_its_end(self) -> StepRecord:
        began = self._clock.now()
        end = self._checked(self._coordinated())
        fault("step.end")
        record = replace(
            self._record,
            status=end.status,
            counts=end.counts,
            result=end.result,
            failure=end.failure and self._order.censor.failure(end.failure),
            duration_ms=self._record.duration_ms + round((self._clock.now() - began) * 1000),
            stale=False,
            note=self._record.note if end.status is StepStatus.RUNNING else None,
        )
        record_end(self._store, self._sink, record)
        on_error = self._order.plan.on_error
        if isinstance(on_error, TaskPlan) and record.failure is not None and self._control.level < TERMINATE:
            self._react(on_error, record.failure)
        return record

    def _coordinated(self) -> StepEnd:
        try:
            self._coordinator = Coordinator(
                self._order, self._store, self._executors, self._sink, self._clock, self._control
            )
            return self._coordinator.run()
        except StoreError:
            raise
        except BatchworkError as error:
            return StepEnd(StepStatus.FAILED, self._counters(), step_failure(error), None)

    def _counters(self) -> Counts:
        """The step's counters as recorded."""
        steps = self._store.steps(self._order.run)
        return next((step.counts for step in steps if step.number == self._order.number), Counts())

    def _checked(self, end: StepEnd) -> StepEnd:
        """The end, unless what was counted is not what was recorded: then the step fails and says so."""
        wrong = broken_sum(end, self._store.count(self._order.number))
        if wrong is None:
            return end
        return StepEnd(StepStatus.FAILED, end.counts, Failure("count", wrong, retryable=False), None)

    def _react(self, task: TaskPlan, failure: Failure) -> None:
        """Run `on_error`. It changes nothing else, so its own failure is a warning."""
        order = self._order
        units = self._store.units(order.number, limit=1) if order.plan.batch is None else []
        attempts = units[0].record.attempts if units else 1
        scope = {**order.scope, "error": ErrorView.of(failure, attempts), **_no_unit(order)}
        setting = replace(order.setting, constants=scope, unit_names=frozenset(), timeout_s=None)
        staffing = Staffing(1, None, True, order.cookie, setting.environ, setting.cwd)
        done = run_once(task, setting, scope, self._executors, staffing, self._control)
        if done.said is not None:
            self._sink.emit(Said(order.plan.name, str(decode(done.said))))
        if done.failure is not None:
            self._sink.emit(Warned(f"`on_error` failed: {done.failure.message}", order.plan.name))


def _no_unit(order: StepBrief) -> dict[str, object]:
    # Tasks may hand these to what they run (BATCHWORK_KEY …), whether or not the author names them.
    token = f"{order.run}/{order.plan.name}/on_error"
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
    error = record.failure.message if record.failure is not None else ""
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
            kind = "template"
        case _:
            kind = "worker"
    return with_hint(kind, error)


def broken_sum(end: StepEnd, rows: Counts) -> str | None:
    """What is wrong where the counters and the rows of a step differ, or do not add up to the total; None if nothing is."""
    counts = end.counts
    counted = (counts.succeeded, counts.failed, counts.skipped)
    if counted != (rows.succeeded, rows.failed, rows.skipped):
        return (
            f"the counters say {_in_words(counts)}, but recorded are {_in_words(rows)}: this is a fault of batchwork, "
            "please report it"
        )
    left = counts.pending
    if end.status is StepStatus.SUCCEEDED and counts.total is not None and left != 0:
        return f"{_in_words(counts)} do not add up to {counts.total}: this is a fault of batchwork, please report it"
    if left is not None and left < 0:
        return f"{_in_words(counts)} are more than {counts.total}: this is a fault of batchwork, please report it"
    return None


def _in_words(counts: Counts) -> str:
    return f"{counts.succeeded} succeeded, {counts.failed} failed, {counts.skipped} skipped"
