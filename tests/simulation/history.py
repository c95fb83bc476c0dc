"""One history: executions of a run over one disk, each with its trouble, then calm ones until it has succeeded. Replayed exactly by its seed."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from random import Random
from typing import Any
from unittest import mock

import fibers
from at_rest import AtRest
from audit import Audit
from crew import Crew, SimProgram, Temper
from disk import Disk, SimClock, Store, StoreFaults
from fibers import Crash, World, threads_replaced
from scenario import Nature, Scenario, Trouble, drawn

from batchwork.engine.run import lifecycle, runner
from batchwork.engine.run.crash import fence
from batchwork.engine.run.request import Backends, RetryRequest, RunEnd, RunRequest
from batchwork.engine.stopping.stop_level import KILL, Control
from batchwork.errors import BatchworkError
from batchwork.model import RunStatus, StepStatus
from batchwork.plan.model import Plan
from batchwork.ports import Pager, Staffing
from batchwork.step_notes import Reopened

CALM_MOST = 4
"""So many executions without trouble must be enough for any run to succeed."""
RUN = "r1"


class History:
    """What happens under one seed."""

    def __init__(self, seed: int, folder: str) -> None:
        self.seed, self._folder = seed, folder
        self.world = World(seed)
        self._clock = SimClock(self.world)
        self._disk = Disk(self._clock)
        self._audit = Audit(self.world, self._disk)
        self.scenario: Scenario = drawn(seed)
        self._nature = Nature(Random(f"nature {seed}"), self.scenario.manner)
        self.executions = 0
        self._unread: set[str] = set()

    @property
    def starts(self) -> int:
        """Attempts that were started."""
        return sum(self._audit.starts.values())

    def happen(self) -> str | None:
        """Let it happen; what was wrong, or None."""
        fibers.live_in(self.world)
        for line in self.scenario.words():
            self.world.say(line)
        try:
            for number, trouble in enumerate(self.scenario.troubles):
                if number:
                    for line in self.scenario.change_sources(self._read_again()):
                        self.world.say(line)
                self._execute(trouble, calm=False)
            self._calm_down()
        except Crash:
            pass
        return self.world.wrong

    def story(self) -> str:
        """The history in words."""
        return "\n".join(f"{at - 1000:12.6f}  {text}" for at, text in self.world.story)

    def _read_again(self) -> set[str]:
        """The steps whose sources the next execution reads."""
        if self._disk.store.run(RUN) is None:
            return {shape.name for shape in self.scenario.steps}
        return {
            step.name
            for step in self._disk.store.steps(RUN)
            if step.status is not StepStatus.SUCCEEDED and not isinstance(step.note, Reopened)
        }

    # ------------------------------------------------------------ executions

    def _calm_down(self) -> None:
        """Nothing goes wrong any more: soon everything has succeeded."""
        self._nature.healed = True
        for _ in range(CALM_MOST):
            self._execute(Trouble(temper=Temper(kind=self.scenario.troubles[-1].temper.kind)), calm=True)
            record = self._disk.store.run(RUN)
            if record is not None and record.status is RunStatus.SUCCEEDED:
                break
        else:
            status = record.status if record is not None else "not there"
            steps = [(step.name, str(step.status), step.failure) for step in self._disk.store.steps(RUN)]
            self.world.violate(f"after {CALM_MOST} executions without trouble the run is {status}: {steps}")
        at_rest = AtRest(self.world, self._disk, self._audit.plan)
        for shape in self.scenario.steps:
            if shape.name not in self._unread:
                at_rest.check_ended(shape.name, shape.items)

    def _execute(self, trouble: Trouble, calm: bool) -> None:
        world = self.world
        world.born()
        self._audit.begin_execution()
        self.executions += 1
        world.say(f"--- execution {self.executions}; what goes wrong: {trouble.words()}; {trouble.temper}")
        plan = self.scenario.plan(calm)
        control = Control(self._clock)
        self._audit.plan, self._audit.control = plan, control
        self._audit.positions = {shape.name: shape.positions() for shape in self.scenario.steps}
        self._arm(trouble, control)
        at_rest = AtRest(world, self._disk, plan)
        try:
            self._act(plan, trouble, control)
            at_rest.check_left_in_order()
        except Crash:
            pass
        except BatchworkError as error:
            world.say(f"it ends with {type(error).__name__}: {error}")
        except Exception:
            world.wrong = world.wrong or f"the engine raised\n{traceback.format_exc()}"
        world.gone()
        if world.wrong is not None:
            raise Crash
        self._disk.let_go()
        lost = self._disk.cut(world) if trouble.power_cut and self.scenario.fast else 0
        if lost:
            world.say(f"the power cut took the last {lost} transactions")
            # A retried step is not read again, and its source may have changed in what the cut took.
            self._unread |= {shape.name for shape in self.scenario.steps} - self._read_again()
        world.dead = False
        at_rest.check(power_cut=lost > 0)
        self._audit.end_execution(power_cut=lost > 0)

    def _act(self, plan: Plan, trouble: Trouble, control: Control) -> None:
        """Start, resume or retry, whichever fits what is on disk."""
        store = Store(self.world, self._disk, trouble.store, self.scenario.fast)
        backends = Backends(store, self._crews(trouble.temper), self._audit, self._clock, {}, "/", self._folder)  # type: ignore[arg-type]
        record = self._disk.store.run(RUN)
        before = {step.name: (step.status, step.note) for step in (self._disk.store.steps(RUN) if record else [])}
        if record is None:
            end = lifecycle.start_run(plan, backends, RunRequest(run_id=RUN), control)
        elif record.status is RunStatus.PARTIAL:
            end = lifecycle.retry_run(RUN, lambda *_: plan, backends, RetryRequest(), control)
        else:
            end = lifecycle.resume_run(RUN, lambda *_: plan, backends, RunRequest(), control)
        self._ended(end, before)

    def _ended(self, end: RunEnd, before: dict[str, Any]) -> None:
        self.world.say(f"the run is {end.status}: {end.message}")
        record = self._disk.store.run(RUN)
        assert record is not None
        if record.status is not end.status:
            self.world.violate(f"the run is said to be {end.status}, on disk it is {record.status}")
        if end.status is RunStatus.RUNNING:
            self.world.violate("the execution has ended, and the run is said to be running")
        for step in self._disk.store.steps(RUN):
            if step.failure is not None and step.failure.type == "count":
                self.world.violate(f"{step.name}: {step.failure.message}")

    # ------------------------------------------------------------ trouble

    def _arm(self, trouble: Trouble, control: Control) -> None:
        world, stops = self.world, list(trouble.stop_ops)

        def stop() -> None:
            world.say(f"Ctrl-C number {control.level + 1}")
            control.raise_to(min(control.level + 1, KILL), "Ctrl-C")

        def at_op(what: str) -> None:
            if world.ops == trouble.crash_op:
                world.kill(f"at touch {world.ops} ({what})")
            while stops and world.ops >= stops[0]:
                stops.pop(0)
                stop()

        world.on_op = at_op
        for delay_s in trouble.stops_s:
            world.later(delay_s, stop)
        if trouble.crash_s is not None:
            world.later(trouble.crash_s, lambda: world.kill("in the midst of it"))

    def _crews(self, temper: Temper) -> Any:
        def make(program: SimProgram, staffing: Staffing, pages: Pager | None = None) -> Crew:
            return Crew(self.world, self._audit, self._nature, temper, program, staffing)

        return make


class _NoSampler:
    def __init__(self, *_: Any) -> None:
        """Samples are of the machine, which is not here."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class _NoLog:
    def __init__(self, *_: Any) -> None:
        """The log is a file, which is not here."""

    def emit(self, _: Any) -> None: ...

    def close(self) -> None: ...


def _no_signals(*_: Any) -> nullcontext[None]:
    return nullcontext()


def _nothing_left(*_: Any) -> int:
    """How many processes of earlier executions had to be ended."""
    return 0


@contextmanager
def simulated() -> Iterator[str]:
    """While entered, histories can happen: threads are fibers, and what belongs to the machine is left out. Gives a folder."""
    with ExitStack() as stack:
        stack.enter_context(threads_replaced())
        stack.enter_context(mock.patch.object(lifecycle, "StructuredLog", _NoLog))
        stack.enter_context(mock.patch.object(lifecycle, "Signals", _no_signals))
        # No mock remembers its calls here: it would keep what each history had.
        stack.enter_context(mock.patch.object(fence, "end_earlier", _nothing_left))
        stack.enter_context(mock.patch.object(runner, "Sampler", _NoSampler))
        yield stack.enter_context(tempfile.TemporaryDirectory())


__all__ = ["History", "StoreFaults", "simulated"]
