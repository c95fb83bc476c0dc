"""A step of the store in memory: its units, claims and attempts in dicts, and what a checkpoint does to them. No store here."""

from __future__ import annotations

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
    StepRecord,
    Successes,
    UnitNote,
    UnitRecord,
    UnitStatus,
)


class MemoryStep(Struct):
    """A step with all that belongs to it."""

    record: StepRecord
    units: dict[int, UnitRecord] = field(default_factory=dict)
    claims: dict[int, Claim] = field(default_factory=dict)
    attempts: dict[tuple[int, int], AttemptRecord] = field(default_factory=dict)
    logs: dict[tuple[int, int], LogRecord] = field(default_factory=dict)
    handler_failures: dict[int, Failure | None] = field(default_factory=dict)
    reading: int = 0
    reordered: bool = False


# ---------------------------------------------------------------- recording


def record(step: MemoryStep, checkpoint: Checkpoint) -> None:
    for claim in checkpoint.claims:
        step.claims[claim.id] = claim
    for part in checkpoint.successes:
        for row in range(len(part.seqs)):
            _succeed(step, _success(part, row))
    for unit in checkpoint.records:
        _write(step, unit)
    for attempt in checkpoint.attempts:
        step.attempts.setdefault((attempt.seq, attempt.attempt), attempt)
    for log in checkpoint.logs:
        step.logs[log.seq, log.attempt] = log
    for handled in checkpoint.handled:
        if handled.seq in step.units:
            step.units[handled.seq] = replace(step.units[handled.seq], handled=True)
            step.handler_failures[handled.seq] = handled.failure
    for number in checkpoint.ended:
        step.claims.pop(number, None)
    for seq, value, members in checkpoint.values:
        if seq in step.units and step.units[seq].value is None:
            step.units[seq] = replace(step.units[seq], value=value, members=members)
    for seq, index in checkpoint.moves:
        _move(step, seq, index)
    if checkpoint.counts is not None:
        step.record = replace(step.record, counts=replace(checkpoint.counts, in_doubt=0))


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


def _succeed(step: MemoryStep, unit: UnitRecord) -> None:
    """A success on the busy path says nothing of base, doubts and handled: they stay as they were."""
    old = step.units.get(unit.seq)
    if old is not None:
        unit = replace(unit, base=old.base, doubts=old.doubts, handled=old.handled)
    _write(step, unit)


def _write(step: MemoryStep, unit: UnitRecord) -> None:
    """Insert or change a unit that is not final. What is None stays as it was; a success has no failure."""
    old = step.units.get(unit.seq)
    if old is not None and old.status in FINAL:
        return
    step.reordered |= unit.index is not None and unit.index != unit.seq
    unit = replace(unit, reading=step.reading)
    if old is None:
        step.units[unit.seq] = unit
        return
    step.units[unit.seq] = replace(
        unit,
        key=old.key,
        index=old.index if unit.index is None else unit.index,
        value=old.value if unit.value is None else unit.value,
        members=old.members if unit.members is None else unit.members,
        result=old.result if unit.result is None else unit.result,
        failure=None if unit.status == UnitStatus.SUCCEEDED else unit.failure or old.failure,
    )


def _move(step: MemoryStep, seq: int, index: int) -> None:
    step.reordered |= seq != index
    unit = step.units.get(seq)
    if unit is None:
        return
    if unit.gone is not None:
        unit = replace(unit, status=unit.gone, gone=None)
    step.units[seq] = replace(unit, index=index, reading=step.reading)


# ---------------------------------------------------------------- counting and claims


def counted(step: MemoryStep) -> Counts:
    statuses = [unit.status for unit in step.units.values()]
    ends = (UnitStatus.SUCCEEDED, UnitStatus.FAILED, UnitStatus.SKIPPED)
    return Counts(step.record.counts.total, *(statuses.count(status) for status in ends))


def unsettled(step: MemoryStep) -> list[Claim]:
    found = []
    for _, claim in sorted(step.claims.items()):
        left = [
            (seq, key)
            for seq, key in zip(claim.seqs, claim.keys, strict=True)
            if not (seq in step.units and step.units[seq].status in FINAL) and (seq, claim.attempt) not in step.attempts
        ]
        found.append(Claim(claim.id, claim.attempt, [seq for seq, _ in left], [key for _, key in left]))
    return found


def claimed(step: MemoryStep, claim: Claim, seq: int, key: str) -> UnitRecord:
    """A unit that has been claimed and has no row: its value is not known here."""
    index = None if step.reordered else seq
    return UnitRecord(seq, index, key, UnitStatus.PENDING, attempts=claim.attempt - 1, note=UnitNote.CLAIMED)
