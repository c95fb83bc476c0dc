"""What must hold, looked at while a history goes on: at each start, each report, each event, and when an execution has ended."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from at_rest import in_words
from crew import SimProgram
from disk import Disk
from fibers import World

from batchwork.engine.unit.attempt import DOUBTS_MOST
from batchwork.events import Event, Progressed, Said, StepFinished
from batchwork.model import FINAL, Call, Counts, Failure, Report, UnitRecord, UnitStatus
from batchwork.plan.model import Plan, StepPlan
from batchwork.retry import next_delay
from batchwork.store.memory_step import MemoryStep

if TYPE_CHECKING:
    from batchwork.engine.stopping.stop_level import Control

EPSILON_S = 1e-6


class Audit:
    """The one who watches. `plan`, `control` and `positions` (by step and key) are those of the execution that goes on."""

    def __init__(self, world: World, disk: Disk) -> None:
        self._world, self._disk = world, disk
        self.plan: Plan
        self.positions: dict[str, dict[str, int]] = {}
        self.control: Control
        self.starts: Counter[tuple[str, str]] = Counter()
        self._last: dict[tuple[str, str], str] = {}  # what was told last of a unit
        self._doubted: set[tuple[str, str]] = set()
        self._memory_lost = False
        self.begin_execution()

    def begin_execution(self) -> None:
        """A process begins: nothing runs."""
        self._running: dict[tuple[str, str], int] = {}
        self._started: defaultdict[str, deque[float]] = defaultdict(deque)
        self._last_index: dict[str, int] = {}
        self._handled: Counter[tuple[str, str]] = Counter()
        self._hooks: set[tuple[str, str]] = set()  # units for which on_item_error runs
        self._ended: set[tuple[str, str]] = set()
        self._deaths: Counter[tuple[str, str]] = Counter()
        self._polled_at_level = 0
        self._due: dict[tuple[str, str], float] = {}
        self.said = 0

    def end_execution(self, power_cut: bool) -> None:
        """The process is no more: what may have run is what is claimed on disk."""
        self._doubted |= {
            (step.record.name, key) for step in self._disk.steps for claim in step.unsettled() for key in claim.keys
        }
        self._memory_lost = self._memory_lost or power_cut

    # ------------------------------------------------------------ starts

    def handed_out(self, program: SimProgram, call: Call) -> None:
        """The engine gives a call to a worker: its claim is on disk, nothing has asked it to stop, the rate allows it."""
        if program.role != "unit":
            return
        step, plan = self._step(program.step), self._plan_of(program.step)
        claim = step.claims.get(call.id)
        if claim is None or list(claim.seqs) != list(call.units.seqs) or claim.attempt != call.attempt:
            self._world.violate(f"call {call.id} of {program.step} starts before its claim is on disk")
        if self._polled_at_level > 0:
            self._world.violate(f"call {call.id} of {program.step} starts after a stop was asked for")
        self._check_rate(program.step, plan, len(call.units))
        keys = ", ".join(call.units.keys)
        self._world.say(f"{program.step}: call {call.id}, attempt {call.attempt}, goes to a worker: {keys}")

    def _check_rate(self, name: str, plan: StepPlan, count: int) -> None:
        if plan.batch is None or plan.batch.rate_limit is None:
            return
        rate, started, now = plan.batch.rate_limit, self._started[name], self._world.now
        started.extend([now] * count)
        while started[0] <= now - rate.per_s + EPSILON_S:
            started.popleft()
        if len(started) > rate.count:
            self._world.violate(f"{len(started)} attempts of {name} in {rate.per_s:g} s, {rate.count} are allowed")

    def began(self, program: SimProgram, call: Call, offset: int) -> None:
        """A worker starts a unit."""
        name, seq, key = program.step, call.units.seqs[offset], call.units.keys[offset]
        if program.role != "unit":
            self._hook_began(name, seq, key)
            return
        step, plan = self._step(name), self._plan_of(name)
        self.starts[name, key] += 1
        self._world.say(f"{name}: {key} starts, attempt {call.attempt}")
        if (name, key) in self._running:
            self._world.violate(f"{key} of {name} runs twice at the same time")
        self._running[name, key] = call.attempt
        self._check_again(name, key)
        self._check_slots(name)
        self._check_not_done(name, step, seq, key)
        unit = step.units.get(seq)
        self._check_attempt(name, plan, call.attempt, unit)
        if plan.batch is not None and not plan.batch.parallel:
            self._check_order(name, step, call.units.indexes[offset], seq)

    def _check_slots(self, name: str) -> None:
        batch = self._plan_of(name).batch
        slots = 1 if batch is None else batch.slots
        if sum(1 for other, _ in (*self._running, *self._hooks) if other == name) > slots:
            self._world.violate(f"more than {slots} units of {name} run at once, on_item_error included")

    def _check_again(self, name: str, key: str) -> None:
        """A unit starts again only for a reason: it failed, was interrupted or lost, or was in doubt when its process died."""
        last, self._last[name, key] = self._last.get((name, key)), "running"
        if last in ("running", "done") and (name, key) not in self._doubted and not self._memory_lost:
            self._world.violate(f"{key} of {name} starts again, was {last} and not in doubt")
        self._doubted.discard((name, key))
        if self._world.now < self._due.pop((name, key), 0.0) - EPSILON_S:
            self._world.violate(f"{key} of {name} starts again before its retry is due")

    def _check_not_done(self, name: str, step: MemoryStep, seq: int, key: str) -> None:
        unit = step.units.get(seq)
        if unit is not None and unit.key != key:
            self._world.violate(f"unit {seq} of {name} is {unit.key} on disk, and starts as {key}")
        if unit is not None and unit.status in FINAL:
            self._world.violate(f"{key} of {name} starts, though it is {unit.status} on disk")
        for other in step.units.values():
            if other.key == key and other.seq != seq:
                self._world.violate(f"{key} of {name} starts as unit {seq}, and is unit {other.seq} on disk")

    def _check_attempt(self, name: str, plan: StepPlan, attempt: int, unit: UnitRecord | None) -> None:
        base, made = (unit.base, unit.attempts) if unit is not None else (0, 0)
        if attempt - base > plan.retry.max_attempts:
            self._world.violate(f"attempt {attempt} of {name} after {base}: {plan.retry.max_attempts} are allowed")
        if attempt <= made:
            self._world.violate(f"{made} attempts of a unit of {name} are on disk, and number {attempt} starts")

    def _check_order(self, name: str, step: MemoryStep, index: int, seq: int) -> None:
        key = f"unit {seq}"
        last = self._last_index.get(name, -1)
        if index < last:
            self._world.violate(f"{key} of {name} stands at {index} and starts after {last}")
        self._last_index[name] = index
        for unit in step.units.values():
            now = self.positions[name].get(unit.key, index)
            before = unit.index is not None and now < index and unit.seq != seq
            if before and unit.status not in FINAL and not self._is_told(name, unit):
                self._world.violate(f"{key} of {name} starts before {unit.key}, which comes first, has ended")
            if before and not unit.handled and unit.status is UnitStatus.FAILED:
                self._world.violate(f"{key} of {name} starts before `on_item_error` has run for {unit.key}")

    def _is_told(self, name: str, unit: UnitRecord) -> bool:
        """Whether a worker has told the end of it in this execution, which then may not be on disk yet."""
        return (name, unit.key) in self._ended

    # ------------------------------------------------------------ outcomes

    def over(self, program: SimProgram, call: Call, offset: int) -> None:
        """A worker has ended a unit, and does not run it any more."""
        if program.role == "unit":
            self._running.pop((program.step, call.units.keys[offset]), None)
        else:
            self._hooks.discard((program.step, call.units.keys[offset]))

    def done(self, program: SimProgram, call: Call, offset: int) -> None:
        """A unit has succeeded; it is told later."""
        if program.role == "unit":
            key = call.units.keys[offset]
            self._ended.add((program.step, key))
            self._last[program.step, key] = "done"
            self._world.say(f"{program.step}: {key} is done")

    def told(self, program: SimProgram, call: Call, report: Report) -> None:
        """A worker tells what came of units."""
        name, keys = program.step, call.units.keys
        if program.role != "unit":
            for offset in (*report.lost, *report.returned, *report.cancelled):
                self._hooks.discard((name, keys[offset]))
                self._handled[name, keys[offset]] -= 1
            return
        words = {
            "failed": [offset for offset, _, _ in report.failures],
            "cancelled": list(report.cancelled),
            "returned": list(report.returned),
            "lost": list(report.lost),
        }
        for word, offsets in words.items():
            for offset in offsets:
                self._running.pop((name, keys[offset]), None)
                self._world.say(f"{name}: {keys[offset]} is {word}")
                if word != "returned":
                    self._last[name, keys[offset]] = word

        for offset, failure, _ in report.failures:
            self._judge(name, call, offset, failure)
        self._ended.update((name, keys[offset]) for offset in report.lost if self._ends_when_lost(name, call, offset))

    def _ends_when_lost(self, name: str, call: Call, offset: int) -> bool:
        """Whether a unit that was lost has failed with that: its step says so, or it was in doubt too often."""
        batch, unit = self._plan_of(name).batch, self._step(name).units.get(call.units.seqs[offset])
        doubts = unit.doubts if unit is not None else 0
        return (batch is not None and batch.on_in_doubt == "fail") or doubts + 1 >= DOUBTS_MOST

    def _judge(self, name: str, call: Call, offset: int, failure: Failure) -> None:
        """Note whether the unit has used up its attempts."""
        key, plan = call.units.keys[offset], self._plan_of(name)
        unit = self._step(name).units.get(call.units.seqs[offset])
        tries = call.attempt - (unit.base if unit is not None else 0)
        self._deaths[name, key] += failure.type == "worker died"
        delay_s = next_delay(plan.retry, tries, failure, lambda: 0.0)
        if self._deaths[name, key] > 1 or delay_s is None:
            self._ended.add((name, key))
        else:
            self._due[name, key] = self._world.now + delay_s

    def heard(self, program: SimProgram, reports: Sequence[Report]) -> None:
        """The coordinator has heard reports, and sees how urgently it is to stop."""
        if program.role == "unit":
            self._polled_at_level = max(self._polled_at_level, self.control.level)

    # ------------------------------------------------------------ on_item_error

    def _hook_began(self, name: str, seq: int, key: str) -> None:
        unit = self._step(name).units.get(seq)
        self._world.say(f"{name}: on_item_error starts for {key}")
        if unit is None or UnitStatus.FAILED not in (unit.status, unit.gone):
            self._world.violate(f"on_item_error of {name} runs for {key}, whose failure is not on disk")
            return
        if unit.handled:
            self._world.violate(f"on_item_error of {name} runs for {key} again")
        self._hooks.add((name, key))
        self._check_slots(name)
        self._handled[name, key] += 1
        if self._handled[name, key] > 1:
            self._world.violate(f"on_item_error of {name} runs twice for {key} in one execution")

    # ------------------------------------------------------------ what is told

    def emit(self, event: Event) -> None:
        """As a sink: nothing is told before it is on disk."""
        self._world.op("emit")
        match event:
            case Progressed(step, counts):
                self._check_shown(step, counts)
            case StepFinished(step, status, counts):
                self._world.say(f"{step} is {status}: {in_words(counts)}")
                if self._step(step).record.status is not status:
                    self._world.violate(f"{step} is said to be {status}, and is not on disk")
                self._check_shown(step, counts)
            case Said():
                self.said += 1
            case _:
                pass

    def close(self) -> None:
        """Nothing is open."""

    def _check_shown(self, name: str, counts: Counts) -> None:
        there = self._step(name).counted()
        if counts.succeeded > there.succeeded + there.skipped or counts.finished > there.finished:
            self._world.violate(f"{name} is said to have {in_words(counts)}, on disk are {in_words(there)}")

    # ------------------------------------------------------------ parts

    def _step(self, name: str) -> MemoryStep:
        return next(step for step in self._disk.steps if step.record.name == name)

    def _plan_of(self, name: str) -> StepPlan:
        return self.plan.step(name)
