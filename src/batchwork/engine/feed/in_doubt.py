"""Units that were claimed when a process died: whether they run again, and how a step stands when its coordinator begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

from msgspec import Struct, field

from batchwork.engine.unit.attempt import DOUBTS_MOST
from batchwork.engine.unit.brief import StepBrief
from batchwork.engine.unit.stored_value import value_said
from batchwork.model import Checkpoint, Claim, Counts, Failure, UnitNote, UnitRecord, UnitStatus
from batchwork.ports import Store

UNITS_AT_ONCE = 1_000
"""So many are read from the store at a time."""


class StartingPoint(Struct, frozen=True):
    """How a step stands: `counts`, how often unfinished units were in doubt (`doubts`, by number), and what is to be told of it.

    `refused` are the keys of units in doubt, with `on_in_doubt: stop`: then nothing else is told, and nothing may run.
    `failed` are units that failed just now, `unhandled` all failed ones that `on_item_error` still has to see.
    """

    counts: Counts
    doubts: dict[int, int] = field(default_factory=dict)
    unhandled: Sequence[UnitRecord] = ()
    refused: Sequence[str] = ()
    failed: Sequence[UnitRecord] = ()


def settle_in_doubt(order: StepBrief, store: Store, handles: bool) -> StartingPoint:
    """Read how the step stands; what was in doubt is settled on disk first: pending again, failed, or refused.

    `handles`: failed units go to `on_item_error`.
    """
    if not order.resumed:
        return StartingPoint(Counts())
    claims = store.claims(order.number)
    policy = _policy(order)
    if policy == "stop":
        refused = [*dict.fromkeys(key for claim in claims for key in claim.keys)]
        if refused:
            return StartingPoint(store.count(order.number), refused=refused)
    records = _records(claims, order, store, policy, handles)
    counts = _with_failed(store.count(order.number), records)
    if claims:
        ended = [claim.id for claim in claims]
        commit_and_wait(store, Checkpoint(order.number, records=records, ended=ended, counts=counts))
    return _standing(order, store, records, counts, handles)


def _with_failed(counts: Counts, records: Sequence[UnitRecord]) -> Counts:
    """The counters, which nobody has counted since the process died, with what has failed of these."""
    return Counts(counts.total, counts.succeeded, counts.failed + len(_failed(records)), counts.skipped)


def _failed(records: Sequence[UnitRecord]) -> Sequence[UnitRecord]:
    return [record for record in records if record.status is UnitStatus.FAILED]


def _standing(
    order: StepBrief, store: Store, records: Sequence[UnitRecord], counts: Counts, handles: bool
) -> StartingPoint:
    return StartingPoint(
        counts=Counts(None, counts.succeeded, counts.failed, counts.skipped),
        doubts={record.seq: record.doubts for record in records},
        unhandled=[*_unhandled(order.number, store)] if handles else (),
        failed=_failed(records),
    )


def _records(
    claims: Sequence[Claim], order: StepBrief, store: Store, policy: str, handles: bool
) -> Sequence[UnitRecord]:
    """What becomes of the units in doubt. One that a worker gave back and another one got stands in two claims."""
    found = {record.seq: record for claim in claims for record in _settled(claim, order, store, policy, handles)}
    return [*found.values()]


def _policy(order: StepBrief) -> str:
    if order.plan.batch is None:
        return "retry"
    return order.plan.batch.on_in_doubt


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


def _settled(claim: Claim, order: StepBrief, store: Store, policy: str, handles: bool) -> Iterator[UnitRecord]:
    """The units of a claim that its process did not live to settle, each with one doubt more."""
    if not claim.seqs:
        return
    lowest, highest = min(claim.seqs), max(claim.seqs)
    page = store.page(order.number, lowest - 1, highest - lowest + 1)
    known = {seq: (base, doubts) for seq, base, doubts in zip(page.seqs, page.bases, page.doubts, strict=True)}
    for seq, key in zip(claim.seqs, claim.keys, strict=True):
        base, doubts = known.get(seq, (0, 0))
        index = None if seq in known else seq
        failure = _failure(policy, doubts + 1)
        yield UnitRecord(
            seq=seq,
            index=index,
            key=key,
            status=UnitStatus.PENDING if failure is None else UnitStatus.FAILED,
            attempts=claim.attempt - 1,
            base=base,
            value=value_said(key, order.plan.batch),
            failure=failure,
            doubts=doubts + 1,
            note=UnitNote.IN_DOUBT,
            handled=failure is None or not handles,
        )


def _failure(policy: str, doubts: int) -> Failure | None:
    """What a unit has failed of that was in doubt so often; None where it may run again."""
    if policy == "fail":
        message = "it was running when the process died, and `on_in_doubt: fail`"
        return Failure("in doubt", message, retryable=False)
    if doubts >= DOUBTS_MOST:
        message = f"in doubt {doubts} times and never finished; it seems to end the process that runs it"
        return Failure("poison", message, retryable=False)
    return None


def _unhandled(step: int, store: Store) -> Iterator[UnitRecord]:
    start = 0
    while views := store.units(step, UnitStatus.FAILED, start, UNITS_AT_ONCE):
        yield from (view.record for view in views if not view.record.handled)
        start += len(views)
