"""`on_item_error`: one task for each unit that has failed for good, once its failure is on disk. In a thread of its own.

It runs at least once: units whose failure is recorded and whose hook is not are given to it again by a resume. Its own
failure, also that it cannot run at all, is recorded beside the unit and changes nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.engine.step.desk import Desk
from batchwork.engine.step.step_failure import with_hint
from batchwork.engine.stopping.stop_level import GO, KILL, TERMINATE
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.binding import Binding
from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import BatchworkError, RenderError
from batchwork.faults import fault
from batchwork.model import BatchView, Call, Failure, Handled, Report, UnitRecord, Units
from batchwork.plan.model import TaskPlan
from batchwork.ports import ExecutorFactory
from batchwork.ports.recorded import ErrorView, item_of
from batchwork.text.jsontext import Json

SLOTS_MOST = 8


class Reaction(Struct, frozen=True):
    """What came of the hook for one unit. `said` are JSON texts to be printed."""

    handled: Handled
    said: tuple[str, ...] = ()


class _Mail(Struct):
    """What the coordinator and the thread of the hook tell each other."""

    units: deque[UnitRecord] = field(default_factory=deque)  # for the thread
    reactions: deque[Reaction] = field(default_factory=deque)  # from it
    level: int = GO  # how urgently to stop
    desk: Desk | None = None  # what wakes the thread, once it waits for something
    over: bool = False  # the thread has ended
    refusal: Failure | None = None  # it cannot run at all
    error: Exception | None = None  # a bug


class Hook:
    """As the coordinator has it: failed units wait for a slot, and reactions come back; `wake` is called when there are some."""

    def __init__(self, brief: StepBrief, executors: ExecutorFactory, wake: Callable[[], None]) -> None:
        self._brief, self._wake = brief, wake
        self._mail = _Mail()
        self._thread: Thread | None = None
        batch = brief.plan.batch
        if batch is not None and batch.on_item_error is not None:
            work = _Handling(brief, batch.on_item_error, executors, self._mail, wake)
            self._thread = Thread(target=work.run, name=f"{brief.plan.name}: on_item_error", daemon=True)
        self._waiting: deque[UnitRecord] = deque()
        self.active = 0
        """Units for which it runs."""
        self.unhandled = 0
        """Failed units for which it has not run to its end."""
        self._warned = False

    @property
    def exists(self) -> bool:
        """Whether the step has an `on_item_error`."""
        return self._thread is not None

    @property
    def has_work(self) -> bool:
        """Whether there is something to wait for; once it is to stop, only what still runs."""
        if self._mail.level >= TERMINATE:
            return self._begun and not self._mail.over
        return self.active > 0 or bool(self._waiting)

    def failed(self, count: int) -> None:
        """So many units have failed for good; their failures will be on disk soon."""
        if self.exists:
            self.unhandled += count

    def add(self, records: Sequence[UnitRecord]) -> None:
        """Failed units whose failures are on disk."""
        self._waiting.extend(map(self._brief.censor.unit, records))  # as a resume would have them from the store

    def start(self, slots: int) -> None:
        """Have it run for units that wait, `slots` of them at once."""
        while self._waiting and self.active < slots and self._mail.level < TERMINATE:
            self.active += 1
            self._mail.units.append(self._waiting.popleft())
            if not self._begun and self._thread is not None:
                self._thread.start()
            self._ring()
        if self._refuses:
            self._wake()  # there is no thread any more that does

    def warn_once(self) -> bool:
        """Whether this is the first time that somebody asks."""
        first, self._warned = not self._warned, True
        return first

    def taken(self) -> list[Reaction]:
        """What came of units since the last call. Raises what is a bug."""
        mail = self._mail
        if mail.error is not None:
            raise mail.error
        if self._refuses and mail.refusal is not None:
            mail.reactions.extend(Reaction(Handled(record.seq, mail.refusal)) for record in mail.units)
            mail.units.clear()
        reactions = [mail.reactions.popleft() for _ in range(len(mail.reactions))]
        self.active -= len(reactions)
        self.unhandled -= len(reactions)
        return reactions

    def obey(self, level: int) -> None:
        """From level 2 on: start nothing more, end what runs; a resume goes on with what is left."""
        if level > self._mail.level:
            self._mail.level = level
            self._ring()

    def close(self) -> None:
        """End it, and wait for the thread."""
        self.obey(KILL)
        if self._begun and self._thread is not None:
            self._thread.join()

    @property
    def _refuses(self) -> bool:
        """Whether there are units for a thread that has ended because it cannot run. One that was to stop leaves them to a resume."""
        return self._mail.over and self._mail.refusal is not None and bool(self._mail.units)

    @property
    def _begun(self) -> bool:
        return self._thread is not None and self._thread.ident is not None

    def _ring(self) -> None:
        if self._mail.desk is not None:
            self._mail.desk.wake()


class _Handling:
    """The thread: runs the task for each unit that comes."""

    def __init__(
        self, brief: StepBrief, task: TaskPlan, executors: ExecutorFactory, mail: _Mail, wake: Callable[[], None]
    ) -> None:
        self._brief, self._task, self._executors, self._mail, self._wake = brief, task, executors, mail, wake
        self._out: dict[int, tuple[Call, UnitRecord]] = {}
        self._says = False

    def run(self) -> None:
        mail = self._mail
        try:
            self._serve()
        except BatchworkError as error:  # it cannot run at all: that is recorded beside each unit
            kind = error.failure_type if isinstance(error, RenderError) else "worker"
            mail.units.extend(record for _, record in self._out.values())
            mail.refusal = with_hint(kind, error)
        except Exception as error:  # noqa: BLE001  # a bug: the coordinator, which waits for this thread, raises it
            mail.error = error
        finally:
            if mail.desk is not None:
                mail.desk.close()
            mail.over = True
            self._wake()

    def _serve(self) -> None:
        brief, mail = self._brief, self._mail
        setting = replace(brief.setting, unit_names=brief.setting.unit_names | {"error"})
        program = self._task.compiled.program(setting)
        binding, self._says = Binding(brief, program), program.says
        slots = min(SLOTS_MOST, brief.slots)
        timeout_s = self._task.timeout_s
        if timeout_s is None:
            timeout_s = brief.plan.timeout_s
        staffing = brief.staffing(slots, timeout_s, "it is what `on_item_error` does")
        desk = mail.desk = Desk(self._executors(program, staffing), brief.censor)
        number = 0
        while mail.level < TERMINATE:
            while mail.units and desk.calls < slots:
                number += 1
                self._begin(number, mail.units.popleft(), binding, desk)
            for report in desk.hear(None):
                self._end(report, desk)
        while self._out:
            desk.obey(mail.level)
            for report in desk.hear(None):
                self._end(report, desk)

    def _begin(self, number: int, record: UnitRecord, binding: Binding, desk: Desk) -> None:
        assert record.failure is not None
        item = item_of(record)
        units = Units([record.seq], [record.index or 0], [record.key], [item], None, [self._view(record, item)])
        binding.constant("error", ErrorView.of(record.failure, record.attempts))
        bound = binding.bind(Piece(max(1, record.attempts), 0, units))
        if bound.refused:
            self._give(Reaction(Handled(record.seq, bound.refused[0][1])))
            return
        call = Call(number, 1, bound.units, bound.payloads)
        self._out[number] = (call, record)
        fault("on_item_error")
        desk.submit(call)

    def _end(self, report: Report, desk: Desk) -> None:
        call, record = self._out[report.call]
        if (report.returned or report.lost) and self._mail.level < TERMINATE:
            desk.submit(call)
            return
        del self._out[report.call]
        if report.failures:
            self._give(Reaction(Handled(record.seq, report.failures[0][1])))
        elif report.done and self._says:
            self._give(Reaction(Handled(record.seq), tuple(report.results)))
        elif report.done:
            self._give(Reaction(Handled(record.seq)))

    def _give(self, reaction: Reaction) -> None:
        self._mail.reactions.append(reaction)
        self._wake()

    def _view(self, record: UnitRecord, item: Json) -> BatchView:
        """Its `batch`: the unit itself (where a unit is one of several in a batch, plans let no hook use it)."""
        batch = self._brief.plan.batch
        if batch is not None and batch.each == "batch" and isinstance(item, list):
            return BatchView(record.index or 0, item, None)
        return BatchView(record.index or 0, [item], None)
