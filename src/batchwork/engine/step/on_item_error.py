"""`on_item_error`: one task for each unit that has failed for good, once its failure is on disk. In a thread of its own.

It runs at least once: units whose failure is recorded and whose hook is not are given to it again by a resume. Its own
failure, also that it cannot run at all, is recorded beside the unit and changes nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Event, Thread

from msgspec import Struct
from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.engine.step.step_failure import with_hint
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.binding import Binding
from batchwork.engine.unit.brief import StepBrief
from batchwork.engine.unit.error_view import ErrorView
from batchwork.engine.unit.stored_value import item_of
from batchwork.errors import BatchworkError, RenderError
from batchwork.model import BatchView, Call, Handled, Report, UnitRecord, Units
from batchwork.ports import Executor, ExecutorFactory, Program, Setting, Staffing
from batchwork.text.jsontext import Json

SLOTS_MOST = 8


class Reaction(Struct, frozen=True):
    """What came of the hook for one unit. `said` are JSON texts to be printed."""

    handled: Handled
    said: tuple[str, ...] = ()


class Hook:
    """Takes failed units (`add`), gives back what came of them (`taken`); `wake` is called when there is something."""

    def __init__(self, order: StepBrief, executors: ExecutorFactory, clock: Clock, wake: Callable[[], None]) -> None:
        self._order, self._executors, self._clock, self._wake = order, executors, clock, wake
        batch = order.plan.batch
        self._task = batch.on_item_error if batch is not None else None
        self._slots = min(SLOTS_MOST, batch.slots) if batch is not None else 1
        self._inbox: deque[UnitRecord] = deque()
        self._outbox: deque[Reaction] = deque()
        self._added = Event()
        self._thread: Thread | None = None
        self._executor: Executor | None = None
        self._out: dict[int, tuple[Call, UnitRecord]] = {}
        self._stopping = self._killing = self._over = False
        self._added_count = self._taken_count = 0
        self._error: Exception | None = None

    @property
    def exists(self) -> bool:
        """Whether the step has an `on_item_error`."""
        return self._task is not None

    @property
    def active(self) -> int:
        """Units for which it has not run to its end yet."""
        return self._added_count - self._taken_count

    @property
    def ending(self) -> bool:
        """Whether it was told to stop, and something of it still runs."""
        return self._stopping and self._thread is not None and not self._over

    def add(self, record: UnitRecord) -> None:
        """A failed unit whose failure is on disk."""
        if self._task is None or self._stopping:
            return
        self._added_count += 1
        self._inbox.append(self._order.censor.unit(record))  # as a resume would have it from the store
        if self._thread is None:
            self._thread = Thread(target=self._run, name=f"{self._order.plan.name}: on_item_error", daemon=True)
            self._thread.start()
        self._added.set()
        if self._executor is not None:
            self._executor.wake()

    def taken(self) -> list[Reaction]:
        """What came of units since the last call. Raises what is a bug."""
        if self._error is not None:
            raise self._error
        reactions = []
        while self._outbox:
            reactions.append(self._outbox.popleft())
        self._taken_count += len(reactions)
        return reactions

    def stop(self) -> None:
        """Start nothing more, terminate what runs; a resume goes on with what is left."""
        self._stopping = True
        self._alert()

    def kill(self) -> None:
        """The same, at once."""
        self._stopping = self._killing = True
        self._alert()

    def _alert(self) -> None:
        self._added.set()
        if self._executor is not None:
            self._executor.wake()

    def close(self) -> None:
        """End it, and wait for the thread."""
        self.kill()
        if self._thread is not None:
            self._thread.join()

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            try:
                self._serve()
            except BatchworkError as error:
                self._close_executor()
                self._refuse(error)
        except Exception as error:  # noqa: BLE001  # a bug: the coordinator, which waits for this thread, raises it
            self._error = error
        finally:
            self._close_executor()
            self._over = True
            self._wake()

    def _close_executor(self) -> None:
        if self._executor is not None:
            self._executor.close()

    def _serve(self) -> None:
        assert self._task is not None
        program = self._task.compiled.program(self._setting())
        binding = Binding(self._order, program)
        self._executor = executor = self._executors(program, self._staffing())
        number = 0
        while not self._stopping:
            while self._inbox and sum(executor.load()) < self._slots and not self._stopping:
                record, number = self._inbox.popleft(), number + 1
                if (call := self._call(number, record, binding)) is not None:
                    self._out[call.id] = (call, record)
                    load = executor.load()
                    executor.submit(load.index(min(load)), call)
            if self._out:
                for report in map(self._order.censor.report, executor.poll(None)):
                    self._react(report, program)
            else:
                self._await()
        self._finish(executor, program)

    def _await(self) -> None:
        """Wait for a unit, or the end."""
        self._added.wait()
        self._added.clear()
        if self._inbox or self._stopping:
            self._added.set()

    def _finish(self, executor: Executor, program: Program) -> None:
        """Terminate what runs, and kill it where that is asked for."""
        if self._out and not self._killing:
            executor.cancel()
        killed = False
        while self._out:
            if self._killing and not killed:
                killed = True
                executor.kill()
            for report in map(self._order.censor.report, executor.poll(None)):
                self._react(report, program)

    def _refuse(self, error: BatchworkError) -> None:
        """It cannot run at all: that is recorded beside each unit."""
        kind = "template" if isinstance(error, RenderError) else "worker"
        failure = with_hint(kind, error)
        for _, record in self._out.values():
            self._inbox.append(record)
        while not self._stopping:
            while self._inbox:
                self._give(Reaction(Handled(self._inbox.popleft().seq, failure)))
            self._await()

    def _call(self, number: int, record: UnitRecord, binding: Binding) -> Call | None:
        assert record.failure is not None
        item = item_of(record)
        views = [self._view(record, item)]
        units = Units([record.seq], [record.index or 0], [record.key], [item], None, views)
        binding.constant("error", ErrorView.of(record.failure, record.attempts))
        bound = binding.bind(Piece(max(1, record.attempts), 0, units))
        if bound.refused:
            self._give(Reaction(Handled(record.seq, bound.refused[0][1])))
            return None
        return Call(number, 1, bound.units, bound.payloads)

    def _react(self, report: Report, program: Program) -> None:
        call, record = self._out[report.call]
        if (report.returned or report.lost) and self._executor is not None and not self._stopping:
            load = self._executor.load()
            self._executor.submit(load.index(min(load)), call)
            return
        del self._out[report.call]
        if report.done:
            self._give(Reaction(Handled(record.seq), tuple(report.results) if program.says else ()))
        elif report.failures:
            self._give(Reaction(Handled(record.seq, report.failures[0][1])))

    def _give(self, reaction: Reaction) -> None:
        self._outbox.append(reaction)
        self._wake()

    def _view(self, record: UnitRecord, item: Json) -> BatchView:
        """Its `batch`: the unit itself (where a unit is one of several in a batch, plans let no hook use it)."""
        batch = self._order.plan.batch
        whole = batch is not None and batch.each == "batch" and isinstance(item, list)
        return BatchView(record.index or 0, item if isinstance(item, list) and whole else [item], None)

    def _setting(self) -> Setting:
        """What the task may know: as the step's, and the error."""
        setting = self._order.setting
        return replace(setting, unit_names=setting.unit_names | {"error"})

    def _staffing(self) -> Staffing:
        order = self._order
        return Staffing(
            slots=self._slots,
            timeout_s=order.plan.timeout_s,
            strict=False,
            cookie=order.cookie,
            environ=order.setting.environ,
            cwd=order.setting.cwd,
        )
