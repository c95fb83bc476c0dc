"""The store in dicts, for tests and for third parties: what ports.Store promises in its simplest form. Nothing outlives it.

A checkpoint is executed, and its `committed` called, before `submit` returns, on the caller's thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from batchwork.clock import Clock, iso
from batchwork.errors import RunLocked, RunRefused, StoreError
from batchwork.folders import default_state_folder, take_state_folder
from batchwork.model import (
    FINAL,
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    LogRecord,
    RunRecord,
    StepRecord,
    StepStatus,
    UnitRecord,
    UnitStatus,
)
from batchwork.ports import Committed, Opening, RunChange, StepChange, UnitPage, UnitView
from batchwork.ports.store import ListedStatus, Sample
from batchwork.store.memory_lease import MemoryLease
from batchwork.store.memory_step import MemoryStep
from batchwork.store.tables.rows import checked_run_id
from batchwork.text.jsontext import decode


class MemoryPlace:
    """Implements ports.StorePlace."""

    def __init__(self, url: str | None = None) -> None:
        self.state_dir = default_state_folder()

    def exists(self) -> bool:
        return False

    def open(self, opening: Opening) -> MemoryStore:
        take_state_folder(self.state_dir)
        return MemoryStore(opening.clock)


class MemoryStore:
    """Implements ports.Store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runs: dict[str, RunRecord] = {}
        self._steps: list[MemoryStep] = []
        self._samples: dict[str, dict[int, Sample]] = {}
        self._leases: dict[str, str] = {}
        self._closed = False
        self._guard = threading.RLock()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._leases.clear()

    def describe(self) -> str:
        return "memory:"

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._guard:
            if self._closed:
                raise StoreError("the store memory: is closed")
            yield

    def _step(self, number: int) -> MemoryStep:
        if not 0 < number <= len(self._steps):
            raise StoreError(f"the store memory: has no step of number {number}")
        return self._steps[number - 1]

    # ------------------------------------------------------------ runs

    def lease(self, run: str) -> MemoryLease:
        checked_run_id(run)
        with self._open():
            if run in self._leases:
                raise RunLocked(f"run {run} is being worked on by this process since {self._leases[run]}")
            self._leases[run] = iso(self._clock.wall_ms())
        return MemoryLease(lambda: self._release(run))

    def _release(self, run: str) -> None:
        with self._guard:
            self._leases.pop(run, None)

    def create_run(self, run: RunRecord, steps: Sequence[tuple[str, bool]]) -> None:
        checked_run_id(run.id)
        with self._open():
            if run.id in self._runs:
                raise RunRefused(f"there is already a run {run.id} in memory:", "choose another run id")
            self._runs[run.id] = replace(run, living=False)
            self._add_steps(run.id, steps)

    def update_run(self, run: str, change: RunChange) -> None:
        with self._open():
            if run in self._runs:
                self._runs[run] = replace(self._runs[run], **change.fields())

    def run(self, run: str) -> RunRecord | None:
        with self._open():
            found = self._runs.get(run)
            return None if found is None else replace(found, living=run in self._leases)

    def runs(self) -> list[RunRecord]:
        with self._open():
            latest = reversed(self._runs.values())
            records = [replace(run, living=run.id in self._leases) for run in latest]
            return sorted(records, key=lambda run: -run.created_ms)

    def forget(self, run: str) -> None:
        with self._open():
            for step in self._steps_of(run):
                number = step.record.number
                self._steps[number - 1] = MemoryStep(StepRecord(number, "", "", -1, StepStatus.PENDING, Counts()))
            self._samples.pop(run, None)
            self._runs.pop(run, None)

    def give_back(self) -> int:
        return 0

    # ------------------------------------------------------------ steps

    def steps(self, run: str) -> list[StepRecord]:
        with self._open():
            return [
                replace(step.record, counts=self._with_doubts(step, step.record.counts))
                for step in self._steps_of(run)
                if step.record.order >= 0
            ]

    def _steps_of(self, run: str) -> list[MemoryStep]:
        found = [step for step in self._steps if step.record.run == run]
        return sorted(found, key=lambda step: (step.record.order, step.record.number))

    def add_steps(self, run: str, steps: Sequence[tuple[str, bool]]) -> None:
        with self._open():
            for step in self._steps_of(run):
                step.record = replace(step.record, order=min(step.record.order, -1 - step.record.order))
            self._add_steps(run, steps)

    def _add_steps(self, run: str, steps: Sequence[tuple[str, bool]]) -> None:
        known = {step.record.name: step for step in self._steps_of(run)}
        for order, (name, batch) in enumerate(steps):
            if name in known:
                known[name].record = replace(known[name].record, order=order, batch=batch)
            else:
                number = len(self._steps) + 1
                self._steps.append(
                    MemoryStep(StepRecord(number, run, name, order, StepStatus.PENDING, Counts(), batch))
                )

    def update_step(self, step: int, change: StepChange) -> None:
        with self._open():
            found = self._step(step)
            found.record = replace(found.record, **change.fields())
            found.record = replace(found.record, counts=replace(found.record.counts, in_doubt=0))

    # ------------------------------------------------------------ units: writing

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        with self._open():
            try:
                step = self._step(checkpoint.step)
            except StoreError as error:
                committed(error)
                return
            step.execute(checkpoint)
        committed(None)

    def reading(self, step: int) -> int:
        with self._open():
            found = self._step(step)
            found.reading += 1
            return found.reading

    def was_reread(self, step: int) -> bool:
        with self._open():
            return self._step(step).reading > 0

    def sweep(self, step: int, seen_below: int) -> int:
        with self._open():
            found = self._step(step)
            count = 0
            for seq, unit in found.units.items():
                if seq >= seen_below and unit.reading != found.reading and unit.gone is None:
                    found.units[seq] = replace(unit, status=UnitStatus.SKIPPED, gone=unit.status, index=None)
                count += seq >= seen_below and found.units[seq].gone is not None
            found.record = replace(found.record, counts=found.counted())
            return count

    def reopen(self, step: int, seqs: Sequence[int] | None) -> int:
        with self._open():
            return self._step(step).reopen(seqs)

    def clear(self, step: int) -> None:
        with self._open():
            old = self._step(step).record
            anew = StepRecord(step, old.run, old.name, old.order, StepStatus.PENDING, Counts(), old.batch)
            self._steps[step - 1] = MemoryStep(anew)

    # ------------------------------------------------------------ units: resuming

    def claims(self, step: int) -> list[Claim]:
        with self._open():
            return self._step(step).unsettled()

    def page(self, step: int, after_seq: int, limit: int) -> UnitPage:
        with self._open():
            units = self._step(step).units
            page = [units[seq] for seq in sorted(seq for seq in units if seq > after_seq)[:limit]]

        def column(name: str) -> list[Any]:
            return [getattr(unit, name) for unit in page]

        return UnitPage(
            seqs=column("seq"),
            keys=column("key"),
            indexes=column("index"),
            statuses=column("status"),
            attempts=column("attempts"),
            bases=column("base"),
            doubts=column("doubts"),
            dues=column("due_ms"),
            all_final=FINAL.issuperset(column("status")),
        )

    def match(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        with self._open():
            units = sorted(self._step(step).units.values(), key=lambda unit: -unit.seq)
        wanted = set(keys)
        bare = {"value": None, "members": None, "result": None, "failure": None}
        return {unit.key: replace(unit, **bare) for unit in units if unit.key in wanted}

    def members(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        with self._open():
            batches = sorted(self._step(step).units.values(), key=lambda unit: (unit.index is not None, -unit.seq))
        bare = {"value": None, "members": None, "result": None, "failure": None}
        of = {key: unit for unit in batches if unit.members is not None for key in decode(unit.members)}  # type: ignore[union-attr]
        return {key: replace(of[key], **bare) for key in keys if key in of}

    def values(self, step: int, seqs: Sequence[int]) -> list[str]:
        with self._open():
            units = self._step(step).units
            if not units.keys() >= set(seqs):
                raise StoreError("the store memory: lacks units that it should have")
            values = [(units[seq].key, units[seq].value) for seq in seqs]
        return [key if value is None else value for key, value in values]

    def next_seq(self, step: int) -> int:
        with self._open():
            found = self._step(step)
            claimed = [seq for claim in found.claims.values() for seq in claim.seqs]
            return max((*found.units, *claimed), default=-1) + 1

    # ------------------------------------------------------------ units: looking

    def count(self, step: int) -> Counts:
        with self._open():
            found = self._step(step)
            return self._with_doubts(found, found.counted())

    def units(
        self,
        step: int,
        status: ListedStatus | None = None,
        start: int = 0,
        limit: int = 1000,
        key: str | None = None,
    ) -> list[UnitView]:
        with self._open():
            found = self._step(step)
            name = found.record.name
            views = {
                seq: UnitView(name, unit, str(unit.status), found.handler_failures.get(seq))
                for seq, unit in found.units.items()
            }
            for claim in self._doubted(found):
                for seq, its_key in zip(claim.seqs, claim.keys, strict=True):
                    unit = found.units.get(seq) or found.claimed(claim, seq, its_key)
                    views[seq] = UnitView(name, unit, "in_doubt")
            views.update(found.running_views(self._leases))
        chosen = [view for view in views.values() if status in (None, view.status) and key in (None, view.record.key)]
        chosen.sort(key=lambda view: (view.record.index is None, view.record.index or 0, view.record.seq))
        return chosen[start : start + limit]

    def results(self, step: int, start: int, limit: int) -> list[str | None]:
        with self._open():
            found = self._step(step)
            ordered = sorted(found.units.values(), key=lambda unit: unit.seq)
            placed = {
                unit.index: unit.result if unit.status == UnitStatus.SUCCEEDED else None
                for unit in ordered
                if unit.index is not None
            }
            gone = sum(unit.gone is not None for unit in found.units.values())
            total = found.record.counts.total or gone
        end = max(total - gone, max(placed, default=-1) + 1)
        return [placed.get(place) for place in range(start, min(start + limit, end))]

    def attempts(self, step: int, seq: int) -> list[AttemptRecord]:
        with self._open():
            found = self._step(step).attempts
            return [found[number] for number in sorted(found) if number[0] == seq]

    def logs(self, step: int, seq: int) -> list[LogRecord]:
        with self._open():
            found = self._step(step)
            logs = [found.logs[number] for number in sorted(found.logs) if number[0] == seq]
            return logs + found.running_logs(seq, self._leases)

    # ------------------------------------------------------------ watching

    def add_sample(self, run: str, sample: Sample) -> None:
        with self._open():
            self._samples.setdefault(run, {})[sample.at_ms] = sample

    def samples(self, run: str) -> list[Sample]:
        with self._open():
            return [sample for _, sample in sorted(self._samples.get(run, {}).items())]

    # ------------------------------------------------------------ what is in doubt

    def _doubted(self, step: MemoryStep) -> list[Claim]:
        """The unsettled claims of a step on whose run nobody works."""
        if step.record.run in self._leases:
            return []
        return step.unsettled()

    def _with_doubts(self, step: MemoryStep, counts: Counts) -> Counts:
        return replace(counts, in_doubt=len({seq for claim in self._doubted(step) for seq in claim.seqs}))
