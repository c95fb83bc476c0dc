"""How a step stands when its coordinator begins: counts, and what to make of units that were claimed when a process died."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from msgspec import Struct, field

from batchwork.engine.unit.attempt import DOUBTS_MOST
from batchwork.engine.unit.brief import StepBrief
from batchwork.model import Checkpoint, Claim, Counts, Failure, UnitNote, UnitRecord, UnitStatus
from batchwork.ports import Store

PAGE = 1000


class Opening(Struct, frozen=True):
    """`doubts`: by seq. `unhandled`: failed units that `on_item_error` still has to see. `refused`: keys, `on_in_doubt: stop`.

    `failed`: units that failed just now, as poison or by `on_in_doubt: fail`.
    """

    counts: Counts
    doubts: dict[int, int] = field(default_factory=dict)
    unhandled: Sequence[UnitRecord] = ()
    refused: Sequence[str] = ()
    failed: Sequence[UnitRecord] = ()


def opening(order: StepBrief, store: Store, handles: bool) -> Opening:
    """Read how the step stands; what was in doubt is settled on disk first: pending again, failed, or refused."""
    if not order.resumed:
        return Opening(Counts())
    claims = store.claims(order.number)
    policy = order.plan.batch.on_in_doubt if order.plan.batch is not None else "retry"
    if policy == "stop" and any(claim.seqs for claim in claims):
        keys = [key for claim in claims for key in claim.keys]
        return Opening(store.count(order.number), refused=keys)
    records = [record for claim in claims for record in _doubted(claim, order, store, policy, handles)]
    if claims:
        checkpoint = Checkpoint(order.number, records=records, ended=[claim.id for claim in claims])
        commit(store, checkpoint)
    counts = store.count(order.number)
    return Opening(
        counts=Counts(None, counts.succeeded, counts.failed, counts.skipped, 0),
        doubts={record.seq: record.doubts for record in records},
        unhandled=list(_unhandled(order.number, store)) if handles else (),
        failed=[record for record in records if record.status is UnitStatus.FAILED],
    )


def commit(store: Store, checkpoint: Checkpoint) -> None:
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


def _doubted(claim: Claim, order: StepBrief, store: Store, policy: str, handles: bool) -> list[UnitRecord]:
    """The units of a claim that its process did not live to settle, each with one doubt more."""
    if not claim.seqs:
        return []
    lowest, highest = min(claim.seqs), max(claim.seqs)
    page = store.page(order.number, lowest - 1, highest - lowest + 1)
    known = {seq: (base, doubts) for seq, base, doubts in zip(page.seqs, page.bases, page.doubts, strict=True)}
    records = []
    for seq, key in zip(claim.seqs, claim.keys, strict=True):
        base, doubts = known.get(seq, (0, 0))
        doubts += 1
        failure = None
        if policy == "fail":
            failure = Failure(
                "in doubt", "it was running when the process died, and `on_in_doubt: fail`", retryable=False
            )
        elif doubts >= DOUBTS_MOST:
            message = f"in doubt {doubts} times and never finished; it seems to end the process that runs it"
            failure = Failure("poison", message, retryable=False)
        records.append(
            UnitRecord(
                seq=seq,
                index=seq if seq not in known else None,
                key=key,
                status=UnitStatus.PENDING if failure is None else UnitStatus.FAILED,
                attempts=claim.attempt - 1,
                base=base,
                failure=failure,
                doubts=doubts,
                note=UnitNote.IN_DOUBT,
                handled=failure is None or not handles,
            )
        )
    return records


def _unhandled(step: int, store: Store) -> list[UnitRecord]:
    found: list[UnitRecord] = []
    start = 0
    while views := store.units(step, UnitStatus.FAILED, start, PAGE):
        found += [view.record for view in views if not view.record.handled]
        start += len(views)
    return found
