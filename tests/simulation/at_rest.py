"""What must hold when no process lives: rows, attempts, counts and claims fit together; at the end each result belongs to its item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from crew import result_of
from disk import Disk
from fibers import World

from batchwork.engine.unit.attempt import DOUBTS_MOST
from batchwork.model import Counts, StepStatus, UnitRecord, UnitStatus
from batchwork.plan.model import BatchPlan, Plan, StepPlan
from batchwork.ports.recorded import item_of
from batchwork.store.memory_step import MemoryStep
from batchwork.text.jsontext import Json, decode, default_key, encode


class AtRest:
    """Looks at the disk when one execution has ended; made before it begins. `plan` is its plan."""

    def __init__(self, world: World, disk: Disk, plan: Plan) -> None:
        self._world, self._disk, self._plan = world, disk, plan
        self._claims_before = {step.record.number: dict(step.claims) for step in disk.steps}
        self._doubts = {step.record.number: _expected_doubts(step) for step in disk.steps}

    def check(self, power_cut: bool) -> None:
        """Whatever has happened: what is on disk fits together. After a `power_cut` doubts that were recorded may not be."""
        if power_cut:
            self._doubts.clear()
        for step in self._disk.steps:
            self._check_rows(step)
            self._check_counts(step)

    def check_left_in_order(self) -> None:
        """The execution has ended by itself, stopped or not: it has left nothing in doubt, and no lock."""
        for step in self._disk.steps:
            if step.claims and not self._is_refused(step):
                self._world.violate(f"{step.record.name} has ended, and its claims are {step.unsettled()}")
            self._check_threshold(step)
        if self._disk.store._leases:
            self._world.violate("the execution has ended, and the run is locked")

    def _is_refused(self, step: MemoryStep) -> bool:
        """Whether what is in doubt waits for a person, or for a step before it, or the step was stopped at once."""
        batch = self._plan_of(step.record.name).batch
        waits = step.record.failure is not None and batch is not None and batch.on_in_doubt == "stop"
        return waits or step.claims == self._claims_before.get(step.record.number)

    def _check_counts(self, step: MemoryStep) -> None:
        counts, rows = step.record.counts, step.counted()
        if step.reading and step.record.status is StepStatus.RUNNING:
            return  # what is gone, or back, is counted with the next checkpoint, at the latest with the last
        if (counts.succeeded, counts.failed, counts.skipped) != (rows.succeeded, rows.failed, rows.skipped):
            self._world.violate(f"{step.record.name} counts {in_words(counts)}, on disk are {in_words(rows)}")

    def _check_threshold(self, step: MemoryStep) -> None:
        """A step does not succeed with more failures than it may have."""
        record, plan = step.record, self._plan_of(step.record.name)
        if record.status is not StepStatus.SUCCEEDED or not record.counts.failed:
            return
        limit = None if plan.batch is None else plan.batch.max_failures
        if plan.batch is None or not plan.batch.continue_on_error:
            self._world.violate(
                f"{record.name} has succeeded with {record.counts.failed} failed, and does not tolerate any"
            )
        elif limit is not None and limit.count is not None and record.counts.failed > limit.count:
            self._world.violate(f"{record.name} has succeeded with {record.counts.failed} failed of {limit.count}")

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
            expected = self._doubts.get(step.record.number, {}).get(unit.seq, 0)
            if unit.doubts < expected and not step.claims.keys() & self._claims_before[step.record.number].keys():
                self._world.violate(f"{unit.key} of {name} was in doubt {expected} times, {unit.doubts} are on record")

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
        if plan.batch is None:
            if step.record.result is None or decode(step.record.result) != result_of(None):
                self._world.violate(f"{name} has the result {step.record.result}")
            return
        here = {unit.index: unit for unit in step.units.values() if unit.index is not None}
        results = self._disk.store.results(step.record.number, 0, 1_000_000)
        if plan.batch.each == "batch":
            self._check_members(name, plan.batch, here, items)
        else:
            self._check_items(name, plan.batch, here, items)
        self._check_results(name, here, results)
        unhandled = [unit.key for unit in step.units.values() if not unit.handled and unit.gone is None]
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
            expected, found = result_of(item_of(unit)), (unit.result, results[index])
            if any(text is None or decode(text) != expected for text in found):
                self._world.violate(f"{unit.key} of {name} has the results {found}, not {expected}")

    def _step(self, name: str) -> MemoryStep:
        return next(step for step in self._disk.steps if step.record.name == name)

    def _plan_of(self, name: str) -> StepPlan:
        return self._plan.step(name)


def _expected_doubts(step: MemoryStep) -> dict[int, int]:
    """How often units will have been in doubt when the next execution has begun."""
    left = {seq for claim in step.unsettled() for seq in claim.seqs}
    return {seq: (step.units[seq].doubts if seq in step.units else 0) + 1 for seq in left}


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
