"""A step of the store in memory: its units, claims and attempts in dicts, and what a checkpoint does to them."""

from __future__ import annotations

from collections.abc import Container, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.model import (
    FINAL,
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    Failure,
    LogRecord,
    RunningUnit,
    StepRecord,
    Successes,
    UnitNote,
    UnitRecord,
    UnitStatus,
)
from batchwork.ports import UnitView
from batchwork.ports.store import printed_so_far


class MemoryStep(Struct):
    """A step with all that belongs to it. `record` is its own; units and attempts are found by seq, claims by id."""

    record: StepRecord
    units: dict[int, UnitRecord] = field(default_factory=dict)
    claims: dict[int, Claim] = field(default_factory=dict)
    attempts: dict[tuple[int, int], AttemptRecord] = field(default_factory=dict)
    logs: dict[tuple[int, int], LogRecord] = field(default_factory=dict)
    running: dict[int, RunningUnit] = field(default_factory=dict)
    handler_failures: dict[int, Failure | None] = field(default_factory=dict)
    reading: int = 0
    reordered: bool = False

    # ------------------------------------------------------------ recording

    def execute(self, checkpoint: Checkpoint) -> None:
        self.claims.update((claim.id, claim) for claim in checkpoint.claims)
        self._record_units(checkpoint)
        self._record_attempts(checkpoint)
        for number in checkpoint.ended:
            self.claims.pop(number, None)
        if checkpoint.running is not None:
            self.running = {unit.seq: unit for unit in checkpoint.running}
        if checkpoint.counts is not None:
            self.record = replace(self.record, counts=replace(checkpoint.counts, in_doubt=0))

    def _record_units(self, checkpoint: Checkpoint) -> None:
        for part in checkpoint.successes:
            for row in range(len(part.seqs)):
                self._succeed(_success(part, row))
        for unit in checkpoint.records:
            self._write(unit)
        for seq, value, members in checkpoint.values:
            if seq in self.units and self.units[seq].value is None:
                self.units[seq] = replace(self.units[seq], value=value, members=members)
        for seq, index in checkpoint.moves:
            self._move(seq, index)

    def _record_attempts(self, checkpoint: Checkpoint) -> None:
        for attempt in checkpoint.attempts:
            self.attempts.setdefault((attempt.seq, attempt.attempt), attempt)
        for log in checkpoint.logs:
            self.logs[log.seq, log.attempt] = log
        for handled in checkpoint.handled:
            if handled.seq in self.units:
                self.units[handled.seq] = replace(self.units[handled.seq], handled=True)
                self.handler_failures[handled.seq] = handled.failure

    def _succeed(self, unit: UnitRecord) -> None:
        """A success on the busy path says nothing of base, doubts and handled: they stay as they were."""
        old = self.units.get(unit.seq)
        if old is not None:
            unit = replace(unit, base=old.base, doubts=old.doubts, handled=old.handled)
        self._write(unit)

    def _write(self, unit: UnitRecord) -> None:
        """Insert or change a unit that is not final. What is None stays as it was; a success has no failure."""
        self.reordered |= unit.index is not None and unit.index != unit.seq
        old = self.units.get(unit.seq)
        if old is not None and old.status in FINAL:
            return
        unit = replace(unit, reading=self.reading)
        if old is not None:
            stays = {name: getattr(old, name) for name in _KEPT if getattr(unit, name) is None}
            unit = replace(unit, key=old.key, **stays)
        if old is not None and unit.status == UnitStatus.SUCCEEDED:
            unit = replace(unit, failure=None)
        self.units[unit.seq] = unit

    def _move(self, seq: int, index: int) -> None:
        self.reordered |= seq != index
        unit = self.units.get(seq)
        if unit is None:
            return
        if unit.gone is not None:
            unit = replace(unit, status=unit.gone, gone=None)
        self.units[seq] = replace(unit, index=index, reading=self.reading)

    def reopen(self, seqs: Sequence[int] | None) -> int:
        """Give failed units (all, or these) fresh attempts. How many there were."""
        wanted = {seq for seq, unit in self.units.items() if unit.status == UnitStatus.FAILED}
        if seqs is not None:
            wanted &= set(seqs)
        for seq in wanted:
            unit = self.units[seq]
            status = UnitStatus.PENDING
            self.units[seq] = replace(unit, status=status, base=unit.attempts, doubts=0, due_ms=0, handled=True)
            self.handler_failures.pop(seq, None)
        self.record = replace(self.record, counts=self.counted())
        return len(wanted)

    # ------------------------------------------------------------ counting and claims

    def counted(self) -> Counts:
        statuses = [unit.status for unit in self.units.values()]
        ends = (UnitStatus.SUCCEEDED, UnitStatus.FAILED, UnitStatus.SKIPPED)
        return Counts(self.record.counts.total, *(statuses.count(status) for status in ends))

    def unsettled(self) -> list[Claim]:
        found = []
        for _, claim in sorted(self.claims.items()):
            left = [offset for offset, seq in enumerate(claim.seqs) if not self._is_settled(seq, claim.attempt)]
            found.append(claim.part(left))
        return found

    def _is_settled(self, seq: int, attempt: int) -> bool:
        return (seq, attempt) in self.attempts or (seq in self.units and self.units[seq].status in FINAL)

    def running_views(self, leases: Container[str]) -> dict[int, UnitView]:
        """What is running and has not ended since that was said, as units are shown; `leases` are of the runs that live."""
        views = {}
        for unit in self._still_running(leases):
            claimed = UnitRecord(unit.seq, unit.index, unit.key, UnitStatus.PENDING, 0, note=UnitNote.CLAIMED)
            record = self.units.get(unit.seq, claimed)
            record = replace(record, attempts=unit.attempt, started_ms=unit.started_ms, worker=unit.worker)
            views[unit.seq] = UnitView(self.record.name, replace(record, duration_us=0), "running")
        return views

    def running_logs(self, seq: int, leases: Container[str]) -> list[LogRecord]:
        """What a running unit has printed."""
        return [log for unit in self._still_running(leases) if unit.seq == seq for log in printed_so_far(unit)]

    def _still_running(self, leases: Container[str]) -> list[RunningUnit]:
        if self.record.run not in leases:
            return []
        final = {seq for seq, unit in self.units.items() if unit.status in FINAL}
        return [unit for unit in self.running.values() if unit.seq not in final]

    def claimed(self, claim: Claim, seq: int, key: str) -> UnitRecord:
        """A unit that has been claimed and has no row: its value is not known here."""
        unit = UnitRecord(seq, seq, key, UnitStatus.PENDING, attempts=claim.attempt - 1, note=UnitNote.CLAIMED)
        return replace(unit, index=None) if self.reordered else unit


_KEPT = ("index", "value", "members", "result", "failure")
"""What a record that says nothing of it leaves as it was."""


def _success(part: Successes, row: int) -> UnitRecord:
    return UnitRecord(
        seq=part.seqs[row],
        index=part.indexes[row],
        key=part.keys[row],
        status=UnitStatus.SUCCEEDED,
        attempts=part.attempt,
        value=part.values[row],
        members=None if part.members is None else part.members[row],
        result=part.results[row],
        duration_us=part.durations_us[row],
        started_ms=part.started_ms,
        worker=part.worker,
    )
