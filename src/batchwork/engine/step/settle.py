"""What becomes of reported units: done, again later, given up; and the rows that say so. What ends a step is decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from batchwork.clock import Clock
from batchwork.engine.step.checkpoint_draft import Draft, successes
from batchwork.engine.step.window import Out, Window
from batchwork.engine.unit.attempt import DOUBTS_MOST, Piece
from batchwork.engine.unit.brief import StepBrief
from batchwork.engine.unit.stored_value import member_texts, own_text
from batchwork.model import (
    Again,
    AttemptRecord,
    Counts,
    Failure,
    GivenUp,
    LogRecord,
    Report,
    Settlement,
    UnitRecord,
    Units,
    UnitStatus,
)
from batchwork.retry import next_delay
from batchwork.spec.fields.retry import RetryPolicy


def settlement(
    policy: RetryPolicy, attempt: int, failure: Failure, deaths: int, random: Callable[[], float]
) -> Settlement:
    """What a failed attempt means. `attempt` counts from 1 since the unit was last given fresh ones; `deaths` of workers."""
    if deaths > 1 and failure.type not in policy.on:
        return GivenUp()
    delay = next_delay(policy, attempt, failure, random)
    return GivenUp() if delay is None else Again(delay)


class Settler(Struct):
    """Settles the reports of one step into a draft; `doubts` and `deaths` are kept only for units that had some."""

    order: StepBrief
    window: Window
    clock: Clock
    handles: bool  # whether `on_item_error` is to run for what fails
    doubts: dict[int, int] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    started_ms: dict[int, int] = field(default_factory=dict)  # by call
    last_result: str | None = None
    given_up: list[UnitRecord] = field(default_factory=list)  # the first one only: it names the step's failure

    def settle(self, draft: Draft, out: Out, report: Report, now: float) -> int:
        """Put what a report says into the draft, and units that are not finished back into the window.

        Returns how many units have failed for good.
        """
        if report.done:
            self._succeeded(draft, out, report)
        failed = sum(self._failed(draft, out, *failure, report.worker, now) for failure in report.failures)
        if report.cancelled:
            self._interrupted(draft, out, report.cancelled)
        if report.returned:
            self.window.give_back(Piece(out.call.attempt, out.base, out.call.units.pick(report.returned)))
        for offset in report.lost:
            failed += self._lost(draft, out, offset)
        seqs, attempt = out.call.units.seqs, out.call.attempt
        draft.logs.extend(LogRecord(seqs[offset], attempt, text) for offset, text in report.logs.items())
        draft.touch(now, len(report.done) + len(report.failures) + len(report.cancelled) + len(report.lost))
        return failed

    def refuse(self, draft: Draft, piece: Piece, offset: int, failure: Failure, now: float) -> int:
        """A unit whose values could not be bound: an attempt that failed before any worker saw it."""
        units = piece.units.pick([offset])
        failure = self.order.censor.failure(failure)
        draft.touch(now, 1)
        return self._decide(draft, units, piece.attempt, piece.base, failure, 0, self.clock.wall_ms(), "", now)

    # ------------------------------------------------------------ one kind of outcome each

    def _succeeded(self, draft: Draft, out: Out, report: Report) -> None:
        batch = self.order.plan.batch
        draft.successes.append(
            successes(
                out.call,
                report.done,
                report.results,
                report.durations_us,
                report.worker,
                self.started_ms.get(report.call, 0),
                batch is not None and batch.key is not None,
            )
        )
        self.last_result = report.results[-1]
        if self.doubts:
            seqs = draft.successes[-1].seqs
            draft.urgent = draft.urgent or not self.doubts.keys().isdisjoint(seqs)
            for seq in seqs:
                self.doubts.pop(seq, None)

    def _failed(
        self, draft: Draft, out: Out, offset: int, failure: Failure, duration_us: int, worker: str, now: float
    ) -> int:
        call = out.call
        if failure.type == "worker died":
            seq = call.units.seqs[offset]
            self.deaths[seq] = self.deaths.get(seq, 0) + 1
        started = self.started_ms.get(call.id, 0)
        units = call.units.pick([offset])
        return self._decide(draft, units, call.attempt, out.base, failure, duration_us, started, worker, now)

    def _decide(
        self,
        draft: Draft,
        units: Units,
        attempt: int,
        base: int,
        failure: Failure,
        duration_us: int,
        started_ms: int,
        worker: str,
        now: float,
    ) -> int:
        seq = units.seqs[0]
        policy = self.order.plan.retry
        decided = settlement(policy, attempt - base, failure, self.deaths.get(seq, 0), self.clock.random)
        draft.attempts.append(AttemptRecord(seq, attempt, failure, started_ms, duration_us, worker))
        if isinstance(decided, Again):
            draft.records.append(
                self._record(units, UnitStatus.PENDING, attempt, base, failure, duration_us, started_ms, worker)
            )
            self.window.wait(Piece(attempt + 1, base, units), now + decided.delay_s)
            return 0
        record = self._record(units, UnitStatus.FAILED, attempt, base, failure, duration_us, started_ms, worker)
        self._give_up(draft, record)
        return 1

    def _give_up(self, draft: Draft, record: UnitRecord) -> None:
        draft.records.append(record)
        if self.handles:
            draft.failed.append(record)
        if not self.given_up:
            self.given_up.append(record)

    def _interrupted(self, draft: Draft, out: Out, offsets: Sequence[int]) -> None:
        for offset in offsets:
            units = out.call.units.pick([offset])
            draft.records.append(self._record(units, UnitStatus.INTERRUPTED, out.call.attempt - 1, out.base, None))

    def _lost(self, draft: Draft, out: Out, offset: int) -> int:
        """The reactor died under it: it may have run or not, and that is not its fault until it happens too often."""
        units = out.call.units.pick([offset])
        seq = units.seqs[0]
        self.doubts[seq] = doubts = self.doubts.get(seq, 0) + 1
        if doubts >= DOUBTS_MOST:
            failure = Failure("poison", f"in doubt {doubts} times and never finished; it seems to end its worker")
            self._give_up(draft, self._record(units, UnitStatus.FAILED, out.call.attempt - 1, out.base, failure))
            return 1
        draft.records.append(self._record(units, UnitStatus.PENDING, out.call.attempt - 1, out.base, None))
        self.window.give_back(Piece(out.call.attempt, out.base, units))
        return 0

    def _record(
        self,
        units: Units,
        status: UnitStatus,
        attempts: int,
        base: int,
        failure: Failure | None,
        duration_us: int = 0,
        started_ms: int = 0,
        worker: str = "",
    ) -> UnitRecord:
        batch = self.order.plan.batch
        members = member_texts(units)
        seq = units.seqs[0]
        value = own_text(units, batch is not None and batch.key is not None)
        return UnitRecord(
            seq=seq,
            index=units.indexes[0],
            key=units.keys[0],
            status=status,
            attempts=attempts,
            base=base,
            value=value,
            members=members[0] if members is not None else None,
            result=failure.result if failure is not None else None,
            failure=failure,
            duration_us=duration_us,
            started_ms=started_ms,
            worker=worker,
            doubts=self.doubts.get(seq, 0),
            handled=not (self.handles and status is UnitStatus.FAILED),
        )

    # ------------------------------------------------------------ why the step failed

    def first_failure(self) -> Failure:
        """The step's failure where the first failed unit ends it."""
        record = self.given_up[0]
        assert record.failure is not None
        if self.order.plan.batch is None:
            return record.failure
        tries = f" after {record.attempts} attempts" if record.attempts > 1 else ""
        noun = self.order.plan.batch.each
        message = f"{noun} {record.key} failed{tries}: {record.failure.message}"
        return Failure(record.failure.type, message, exit_code=record.failure.exit_code)

    def too_many(self, counts: Counts) -> Failure:
        """The step's failure where `max_failures` is passed."""
        batch = self.order.plan.batch
        limit = batch.max_failures if batch is not None else None
        allowed = "" if limit is None else f"{limit.count}" if limit.count is not None else f"{limit.share or 0:.4g}"
        if limit is not None and limit.share is not None:
            allowed = f"{limit.share * 100:.4g}%"
        finished = counts.succeeded + counts.failed
        return Failure("threshold", f"{counts.failed} of {finished} failed, more than max_failures: {allowed}")
