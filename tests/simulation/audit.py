"""What must hold, looked at while a history goes on: at each start, each report, each event, and when an execution has ended."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crew import SimProgram
from disk import Disk
from fibers import World

from batchwork.engine.unit.attempt import DOUBTS_MOST
from batchwork.engine.unit.stored_value import item_of
from batchwork.events import Event, Progressed, Said, StepFinished
from batchwork.model import FINAL, Call, Counts, Failure, Report, StepStatus, UnitRecord, UnitStatus
from batchwork.plan.model import BatchPlan, Plan, StepPlan
from batchwork.retry import next_delay
from batchwork.store.memory_step import MemoryStep
from batchwork.text.jsontext import Json, decode, default_key, encode

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
        self.begin_execution()

    def begin_execution(self) -> None:
        """A process begins: nothing runs."""
        self._running: dict[tuple[str, str], int] = {}
        self._started: defaultdict[str, deque[float]] = defaultdict(deque)
        self._last_index: dict[str, int] = {}
        self._handled: Counter[tuple[str, str]] = Counter()
        self._ended: set[tuple[str, str]] = set()
        self._deaths: Counter[tuple[str, str]] = Counter()
        self._polled_at_level = 0
        self.said = 0

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
        slots = plan.batch.slots if plan.batch is not None else 1
        if sum(1 for other, _ in self._running if other == name) > slots:
            self._world.violate(f"more than {slots} units of {name} run at once")
        self._check_not_done(name, step, seq, key)
        unit = step.units.get(seq)
        self._check_attempt(name, plan, call.attempt, unit)
        if plan.batch is not None and not plan.batch.parallel:
            self._check_order(name, step, call.units.indexes[offset], seq)

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

    def result_of(self, value: Json) -> Json:
        """The result that a unit with this value has."""
        return ["of", value]

    def told(self, program: SimProgram, call: Call, report: Report) -> None:
        """A worker tells what came of units."""
        name, keys = program.step, call.units.keys
        if program.role != "unit":
            for offset in (*report.lost, *report.returned):
                self._handled[name, keys[offset]] -= 1
            return
        words = {
            "done": list(report.done),
            "failed": [offset for offset, _, _ in report.failures],
            "cancelled": list(report.cancelled),
            "returned": list(report.returned),
            "lost": list(report.lost),
        }
        for word, offsets in words.items():
            for offset in offsets:
                self._running.pop((name, keys[offset]), None)
                self._world.say(f"{name}: {keys[offset]} is {word}")
                if word == "done":
                    self._ended.add((name, keys[offset]))

        for offset, failure, _ in report.failures:
            self._judge(name, call, offset, failure)

    def _judge(self, name: str, call: Call, offset: int, failure: Failure) -> None:
        """Note whether the unit has used up its attempts."""
        key, plan = call.units.keys[offset], self._plan_of(name)
        unit = self._step(name).units.get(call.units.seqs[offset])
        tries = call.attempt - (unit.base if unit is not None else 0)
        self._deaths[name, key] += failure.type == "worker died"
        if self._deaths[name, key] > 1 or next_delay(plan.retry, tries, failure, lambda: 0.0) is None:
            self._ended.add((name, key))

    def heard(self, program: SimProgram, reports: Sequence[Report]) -> None:
        """The coordinator has heard reports, and sees how urgently it is to stop."""
        if program.role == "unit":
            self._polled_at_level = max(self._polled_at_level, self.control.level)

    # ------------------------------------------------------------ on_item_error

    def _hook_began(self, name: str, seq: int, key: str) -> None:
        unit = self._step(name).units.get(seq)
        self._world.say(f"{name}: on_item_error starts for {key}")
        if unit is None or unit.status is not UnitStatus.FAILED:
            self._world.violate(f"on_item_error of {name} runs for {key}, whose failure is not on disk")
            return
        if unit.handled:
            self._world.violate(f"on_item_error of {name} runs for {key} again")
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

    # ------------------------------------------------------------ after an execution

    def check_at_rest(self) -> None:
        """Whatever has happened: what is on disk fits together."""
        for step in self._disk.steps:
            self._check_rows(step)

    def _check_rows(self, step: MemoryStep) -> None:
        name = step.record.name
        for unit in step.units.values():
            failures = sorted(number for seq, number in step.attempts if seq == unit.seq)
            used = len(failures) + (unit.status is UnitStatus.SUCCEEDED)
            if failures != list(range(1, len(failures) + 1)):
                self._world.violate(f"the attempts of {unit.key} of {name} are numbered {failures}")
            if unit.attempts != used and unit.gone is None:
                self._world.violate(f"{unit.key} of {name} has {unit.attempts} attempts, {used} are on record")
            self._check_given_up(step, unit)

    def _check_given_up(self, step: MemoryStep, unit: UnitRecord) -> None:
        plan, failure = self._plan_of(step.record.name), unit.failure
        if unit.status is not UnitStatus.FAILED or failure is None or failure.type in ("in doubt", "worker died"):
            return
        if failure.type == "poison":
            if unit.doubts < DOUBTS_MOST:
                self._world.violate(f"{unit.key} is given up as poison after {unit.doubts} doubts")
        elif failure.retryable and unit.attempts - unit.base < plan.retry.max_attempts:
            self._world.violate(
                f"{unit.key} is given up after {unit.attempts - unit.base} attempts, {plan.retry.max_attempts} are allowed"
            )

    def check_ended(self, name: str, items: Sequence[Json]) -> None:
        """The step has succeeded: each unit has ended once, and each result belongs to its item."""
        step, plan = self._step(name), self._plan_of(name)
        counts, rows = step.record.counts, step.counted()
        if step.record.status is not StepStatus.SUCCEEDED:
            self._world.violate(f"{name} is {step.record.status}")
        if (counts.succeeded, counts.failed, counts.skipped) != (rows.succeeded, rows.failed, rows.skipped):
            self._world.violate(f"{name} counts {in_words(counts)}, on disk are {in_words(rows)}")
        if counts.pending != 0 or step.unsettled():
            self._world.violate(f"{name} has succeeded with {counts.pending} pending, claims {step.unsettled()}")
        assert plan.batch is not None
        here = {unit.index: unit for unit in step.units.values() if unit.index is not None}
        results = self._disk.store.results(step.record.number, 0, 1_000_000)
        if plan.batch.each == "batch":
            self._check_members(name, plan.batch, here, items)
        else:
            self._check_items(name, plan.batch, here, items)
        self._check_results(name, here, results)
        unhandled = [unit.key for unit in step.units.values() if not unit.handled]
        if unhandled:
            self._world.violate(f"on_item_error of {name} has not run for {unhandled}")

    def _check_items(self, name: str, batch: BatchPlan, here: dict[int, UnitRecord], items: Sequence[Json]) -> None:
        expected = dict(enumerate(keys_of(items, batch.key is not None)))
        found = {index: unit.key for index, unit in here.items()}
        if found != expected:
            odd = {index for index in found.keys() | expected.keys() if found.get(index) != expected.get(index)}
            differences = [(index, found.get(index), expected.get(index)) for index in sorted(odd)][:5]
            self._world.violate(f"{name} has at (position, on disk, in the source): {differences}")

    def _check_members(self, name: str, batch: BatchPlan, here: dict[int, UnitRecord], items: Sequence[Json]) -> None:
        times: Counter[str] = Counter()
        for unit in here.values():
            members: Any = decode(unit.members or "[]")
            times.update(members)
        expected = keys_of(items, batch.key is not None)
        if batch.on_duplicate == "skip":
            expected = [key for key in expected if "#" not in key]
        wrong = [key for key in expected if times[key] != 1]
        if wrong:
            self._world.violate(f"these items of {name} are not in one batch: {[(key, times[key]) for key in wrong]}")

    def _check_results(self, name: str, here: dict[int, UnitRecord], results: Sequence[str | None]) -> None:
        for index, unit in here.items():
            if unit.status is not UnitStatus.SUCCEEDED:
                continue
            expected, found = self.result_of(item_of(unit)), (unit.result, results[index])
            if any(text is None or decode(text) != expected for text in found):
                self._world.violate(f"{unit.key} of {name} has the results {found}, not {expected}")

    # ------------------------------------------------------------ parts

    def _step(self, name: str) -> MemoryStep:
        return next(step for step in self._disk.steps if step.record.name == name)

    def _plan_of(self, name: str) -> StepPlan:
        return self.plan.step(name)


def keys_of(items: Sequence[Json], written: bool) -> list[str]:
    """The keys that items must have: repeated ones are numbered."""
    seen: Counter[str] = Counter()
    keys = []
    for item in items:
        if written and isinstance(item, dict):
            key = item["id"]
            plain = key if isinstance(key, str) else encode(key)
        else:
            plain = default_key(item)
        keys.append(plain if not seen[plain] else f"{plain}#{seen[plain]}")
        seen[plain] += 1
    return keys


def in_words(counts: Counts) -> str:
    return f"{counts.succeeded} succeeded, {counts.failed} failed, {counts.skipped} skipped of {counts.total}"
