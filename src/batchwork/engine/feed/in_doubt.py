"""Units that were claimed when a process died: what became of them, and how a step stands when its coordinator begins.

A claim on disk says that its units may have run; the journals of the workers narrow that down to what did, and what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from threading import Event
from typing import Any, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.engine.unit.attempt import doubtful_failure
from batchwork.engine.unit.brief import Equipment, StepBrief
from batchwork.engine.unit.settlement import Again, settlement
from batchwork.engine.unit.stored_value import value_said
from batchwork.model import (
    FINAL,
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    LogRecord,
    Report,
    UnitNote,
    UnitRecord,
    UnitStatus,
)
from batchwork.ports import Store
from batchwork.ports.recorded import value_text
from batchwork.text.jsontext import encode

UNITS_AT_ONCE = 1_000
"""So many are read from the store at a time."""


class StartingPoint(Struct, frozen=True):
    """How a step stands: `counts`, how often unfinished units were in doubt (`doubts`, by number), and what is to be told of it.

    `refused` are the keys of units in doubt, with `on_in_doubt: stop`: then nothing else is told, and nothing may run.
    `failed` are units that failed just now, `unhandled` failed ones that `on_item_error` still has to see. `lacking` are
    recorded without their values, by number; when one gets its value that has to be seen too, it stands in `filled`.
    `due` is when the next attempt of a unit is due (wall clock, ms), if it has to wait for it.
    """

    counts: Counts
    doubts: dict[int, int] = field(default_factory=dict)
    unhandled: Sequence[UnitRecord] = ()
    refused: Sequence[str] = ()
    failed: Sequence[UnitRecord] = ()
    lacking: dict[int, UnitRecord] = field(default_factory=dict)
    filled: list[UnitRecord] = field(default_factory=list)
    due: dict[int, int] = field(default_factory=dict)


def settle_in_doubt(order: StepBrief, equipment: Equipment, handles: bool) -> StartingPoint:
    """Read how the step stands; what was claimed is settled on disk first: recorded, pending again, failed, or refused.

    `handles`: failed units go to `on_item_error`.
    """
    if not order.resumed:
        return StartingPoint(Counts())
    store, step = equipment.store, order.number
    settled = _settled(order, equipment, handles)
    counts = _with_ended(store.count(step), settled.records)
    if settled.ended or order.reopened:
        commit_and_wait(store, settled.checkpoint(step, counts))
    equipment.journals.forget(step)
    if settled.refused:
        keys = dict.fromkeys(key for claim in settled.refused for key in claim.keys)
        return StartingPoint(counts, refused=[*keys])
    return _standing(order, store, settled.records, counts, handles)


def _with_ended(counts: Counts, records: Sequence[UnitRecord]) -> Counts:
    """The counters, which nobody has counted since the process died, with what has ended of these."""
    statuses = [record.status for record in records]
    succeeded, failed = statuses.count(UnitStatus.SUCCEEDED), statuses.count(UnitStatus.FAILED)
    return Counts(counts.total, counts.succeeded, counts.failed, counts.skipped).add(succeeded, failed)


def _standing(
    order: StepBrief, store: Store, records: Sequence[UnitRecord], counts: Counts, handles: bool
) -> StartingPoint:
    unhandled = [*_unhandled(order.number, store)] if handles else []
    lacking = _lacking(order, records, unhandled)
    return StartingPoint(
        counts=Counts(None, counts.succeeded, counts.failed, counts.skipped),
        doubts={record.seq: record.doubts for record in records if record.doubts and record.status not in FINAL},
        unhandled=[record for record in unhandled if record.seq not in lacking],
        failed=[record for record in records if record.status is UnitStatus.FAILED],
        lacking=lacking,
    )


def _lacking(order: StepBrief, records: Sequence[UnitRecord], unhandled: Sequence[UnitRecord]) -> dict[int, UnitRecord]:
    """Units whose values are not stored, and are found when the source is read again."""
    if order.reopened:
        return {}  # it is not: what is stored of them is all that there is
    ended = [record for record in records if record.status in FINAL and record.value is None]
    unknown = [record for record in unhandled if value_text(record) is None]
    return {record.seq: record for record in (*ended, *unknown)}


def commit_and_wait(store: Store, checkpoint: Checkpoint) -> None:
    """Commit and wait for it. Raises StoreError."""
    done, errors = Event(), list[Exception]()

    def committed(error: Exception | None) -> None:
        if error is not None:
            errors.append(error)
        done.set()

    store.submit(checkpoint, committed)
    done.wait()
    if errors:
        raise errors[0]


# ---------------------------------------------------------------- rows for what was claimed


class _Settled(Struct):
    """What is written of the claims. `refused` are what is left of them with `on_in_doubt: stop`.

    A unit that a worker gave back and another one got stands in two claims.
    """

    units: dict[int, UnitRecord] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    refused: list[Claim] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    @property
    def records(self) -> Sequence[UnitRecord]:
        return [*self.units.values()]

    def put(self, records: Iterable[UnitRecord]) -> None:
        self.units.update({record.seq: record for record in records})

    def checkpoint(self, step: int, counts: Counts) -> Checkpoint:
        return Checkpoint(
            step,
            claims=self.refused,
            records=self.records,
            attempts=self.attempts,
            logs=self.logs,
            ended=[claim for claim in self.ended if claim not in {left.id for left in self.refused}],
            counts=counts,
            running=(),  # what ran when the step was left does not, and must not cover what is stored of it
        )


class _Unit(NamedTuple):
    """A claimed unit: its place in the claim, and what was known of it before (`place`: its position, None if it has a row).

    `value` is what its key says of it.
    """

    claim: Claim
    at: int
    place: int | None
    base: int
    doubts: int
    value: str | None

    def record(self, status: UnitStatus, attempts: int, **more: Any) -> UnitRecord:
        seq, key = self.claim.seqs[self.at], self.claim.keys[self.at]
        return UnitRecord(
            **{"base": self.base, "doubts": self.doubts, **more},
            seq=seq,
            index=self.place,
            key=key,
            value=self.value,
            status=status,
            attempts=attempts,
        )

    def ended(self, status: UnitStatus, attempts: int, **more: Any) -> UnitRecord:
        """Its record where it will not run again. Without its value it has `doubts`: any later reading gives it one then.

        A batch that succeeded has its members: whatever becomes of the source, these have been run. One that failed has not:
        where the source has changed, its value may never be whole again, and it could not be retried.
        """
        record = self.record(status, attempts, **more)
        if self.claim.members is not None and status is UnitStatus.SUCCEEDED:
            record = replace(record, members=encode([*self.claim.members[self.at]]))
        if self.value is not None:
            return record
        return replace(record, doubts=max(1, record.doubts), note=UnitNote.IN_DOUBT)


def _settled(order: StepBrief, equipment: Equipment, handles: bool) -> _Settled:
    """What became of the units of all claims, with the decisions that a living process would have taken."""
    store, settled, policy = equipment.store, _Settled(), order.on_in_doubt
    claims = store.claims(order.number)
    if not claims:
        return settled
    from batchwork.engine.feed.narrow import narrow  # after a crash

    noted = equipment.journals.read(order.number, set(map(attrgetter("id"), claims)))
    decide = _Decisions(order, equipment.clock, handles)
    for claim, told in zip(claims, narrow(claims, noted), strict=True):
        report = order.censor.report(told)
        settled.ended.append(claim.id)
        units = _units(claim, order, store)
        settled.put(decide.done(units[at], report, row) for row, at in enumerate(report.done))
        for at, failure, us in report.failures:
            assert noted is not None
            ended_ms = noted[claim.id].failed[claim.offsets[at]][1]
            attempt = AttemptRecord(claim.seqs[at], claim.attempt, failure, 0, us, report.worker)
            settled.attempts.append(attempt)
            settled.put([decide.failed(units[at], attempt, ended_ms)])
        settled.put(units[at].record(UnitStatus.INTERRUPTED, claim.attempt - 1) for at in report.cancelled)
        settled.logs += [LogRecord(claim.seqs[at], claim.attempt, text) for at, text in report.logs.items()]
        if policy == "stop" and report.lost:
            settled.refused.append(claim.part(report.lost))
        else:
            settled.put(decide.doubted(units[at], policy) for at in report.lost)
    return settled


def _units(claim: Claim, order: StepBrief, store: Store) -> list[_Unit]:
    if not claim.seqs:
        return []
    lowest, highest = min(claim.seqs), max(claim.seqs)
    page = store.page(order.number, lowest - 1, highest - lowest + 1)
    known = {seq: (base, doubts) for seq, base, doubts in zip(page.seqs, page.bases, page.doubts, strict=True)}
    return [
        _Unit(
            claim,
            at,
            None if seq in known else seq,
            *known.get(seq, (0, 0)),
            value_said(claim.keys[at], order.plan.batch),
        )
        for at, seq in enumerate(claim.seqs)
    ]


class _Decisions(Struct):
    """What follows from the end of one unit."""

    order: StepBrief
    clock: Clock
    handles: bool

    def done(self, unit: _Unit, report: Report, row: int) -> UnitRecord:
        return unit.ended(
            UnitStatus.SUCCEEDED,
            unit.claim.attempt,
            result=report.results[row],
            duration_us=report.durations_us[row],
            worker=report.worker,
        )

    def failed(self, unit: _Unit, attempt: AttemptRecord, ended_ms: int) -> UnitRecord:
        """It failed, and is given up or waits, from its end on."""
        failure, status, due_ms = attempt.failure, UnitStatus.FAILED, 0
        tries = unit.claim.attempt - unit.base
        decided = settlement(self.order.plan.retry, tries, failure, 0, self.clock.random)
        if isinstance(decided, Again):
            status, due_ms = UnitStatus.PENDING, ended_ms + round(decided.delay_s * 1000)
        recorded = unit.ended if status is UnitStatus.FAILED else unit.record
        return recorded(
            status,
            unit.claim.attempt,
            result=failure.result,
            failure=failure,
            duration_us=attempt.duration_us,
            worker=attempt.worker,
            due_ms=due_ms,
            note=UnitNote.IN_DOUBT,
            handled=status is not UnitStatus.FAILED or not self.handles,
        )

    def doubted(self, unit: _Unit, policy: str) -> UnitRecord:
        """It may have run to its end or not."""
        doubts = unit.doubts + 1
        failure = doubtful_failure(policy, doubts, "process")
        recorded, status = (unit.record, UnitStatus.PENDING) if failure is None else (unit.ended, UnitStatus.FAILED)
        return recorded(
            status,
            unit.claim.attempt - 1,
            failure=failure,
            doubts=doubts,
            note=UnitNote.IN_DOUBT,
            handled=failure is None or not self.handles,
        )


def _unhandled(step: int, store: Store) -> Iterator[UnitRecord]:
    start = 0
    while views := store.units(step, UnitStatus.FAILED, start, UNITS_AT_ONCE):
        yield from (view.record for view in views if not view.record.handled)
        start += len(views)
