"""What becomes of reported units: done, again later, given up; and the rows that say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.engine.step.checkpoint_draft import Draft, success_rows
from batchwork.engine.step.window import Out, Window
from batchwork.engine.unit.attempt import Attempt, Piece, doubtful_failure
from batchwork.engine.unit.brief import StepBrief
from batchwork.engine.unit.settlement import Again, GivenUp, settlement
from batchwork.engine.unit.stored_value import member_texts, own_text
from batchwork.model import (
    BAD_ROW,
    AttemptRecord,
    Failure,
    LogRecord,
    Report,
    UnitNote,
    UnitRecord,
    UnitStatus,
)


class Settler(Struct):
    """Settles the reports of one step into a draft; `doubts` and `deaths` are kept only for units that had some."""

    brief: StepBrief
    window: Window
    clock: Clock
    handles: bool  # whether `on_item_error` is to run for what fails
    says: bool  # whether results are to be printed
    doubts: dict[int, int] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    last_result: str | None = None

    def settle(self, draft: Draft, out: Out, report: Report) -> list[UnitRecord]:
        """Put what a report says into the draft, and units that are not finished back into the window.

        Returns the units that have failed for good.
        """
        if report.done:
            self._succeeded(draft, out, report)
        given_up = []
        for offset, failure, duration_us in report.failures:
            given_up += self._failed(draft, out.attempt(offset, report, failure, duration_us))
        if self.window.stopped:
            for offset in report.cancelled:
                record = self._record(out.attempt(offset, report).unused(), UnitStatus.INTERRUPTED)
                draft.rows.records.append(record)
        if report.returned:
            self.window.give_back(Piece(out.call.attempt, out.base, out.call.units.pick(report.returned)))
        for offset in self.in_doubt(report):
            given_up += self._lost(draft, out, offset, report)
        for offset in report.adrift:
            self._drifted(draft, out, offset, report)
        seqs, attempt = out.call.units.seqs, out.call.attempt
        draft.rows.logs.extend(LogRecord(seqs[offset], attempt, text) for offset, text in report.logs.items())
        draft.touch(self.clock.now(), report.count - len(report.returned))
        return given_up

    def in_doubt(self, report: Report) -> Sequence[int]:
        """Units that may have run or not: lost, or ended although nobody asked for it."""
        return report.lost if self.window.stopped else [*report.lost, *report.cancelled]

    def doubted(self, report: Report) -> Sequence[int]:
        """The same, and those that are no sign against themselves."""
        return [*self.in_doubt(report), *report.adrift]

    def refuse(self, draft: Draft, piece: Piece, offset: int, failure: Failure) -> list[UnitRecord]:
        """A unit whose values could not be bound: an attempt that failed before any worker saw it.

        One that cannot even be read may be skipped instead.
        """
        units, failure = piece.units.pick([offset]), self.brief.censor.failure(failure)
        draft.touch(self.clock.now(), 1)
        batch = self.brief.plan.batch
        if failure.type == BAD_ROW and batch is not None and batch.on_bad_row == "skip":
            skipped = self._record(Attempt(units, 0, 0, failure=failure), UnitStatus.SKIPPED)
            draft.rows.records.append(skipped)
            return [skipped]
        return self._decided(
            draft, Attempt(units, piece.attempt, piece.base, self.clock.wall_ms(), failure=failure), failure
        )

    # ------------------------------------------------------------ one kind of outcome each

    def _succeeded(self, draft: Draft, out: Out, report: Report) -> None:
        rows = success_rows(out.call, report, out.started_ms, self.brief.written_key)
        draft.rows.successes.append(rows)
        self.last_result = report.results[-1]
        if self.says:
            draft.said.extend(report.results)
        if self.doubts:
            draft.urgent = draft.urgent or not self.doubts.keys().isdisjoint(rows.seqs)
            for seq in rows.seqs:
                self.doubts.pop(seq, None)

    def _failed(self, draft: Draft, attempt: Attempt) -> list[UnitRecord]:
        assert attempt.failure is not None
        if attempt.failure.type == "worker died":
            self.deaths[attempt.seq] = self.deaths.get(attempt.seq, 0) + 1
        return self._decided(draft, attempt, attempt.failure)

    def _decided(self, draft: Draft, attempt: Attempt, failure: Failure) -> list[UnitRecord]:
        seq, number = attempt.seq, attempt.number
        draft.rows.attempts.append(
            AttemptRecord(seq, number, failure, attempt.started_ms, attempt.duration_us, attempt.worker)
        )
        deaths = self.deaths.get(seq, 0)
        decided = settlement(self.brief.plan.retry, attempt.tries, failure, deaths, self.clock.random)
        match decided:
            case Again(delay_s):
                due_ms = self.clock.wall_ms() + round(delay_s * 1000)
                draft.rows.records.append(replace(self._record(attempt, UnitStatus.PENDING), due_ms=due_ms))
                self.window.wait(attempt.next(), self.clock.now() + delay_s)
                return []
            case GivenUp():
                return self._give_up(draft, attempt)
            case _:
                assert_never(decided)

    def _lost(self, draft: Draft, out: Out, offset: int, report: Report) -> list[UnitRecord]:
        """Its worker is gone, or ended it unasked: it may have run or not, and that is not its fault until it happens too often."""
        if self.brief.on_in_doubt == "stop":
            out.doubted.append(offset)
            return []
        attempt = out.attempt(offset, report)
        attempt = attempt.unused()
        self.doubts[attempt.seq] = doubts = self.doubts.get(attempt.seq, 0) + 1
        failure = doubtful_failure(self.brief.on_in_doubt, doubts, "worker")
        if failure is not None:
            return self._give_up(draft, replace(attempt, failure=failure))
        draft.rows.records.append(self._record(attempt, UnitStatus.PENDING))
        self.window.give_back(attempt.next())
        return []

    def _drifted(self, draft: Draft, out: Out, offset: int, report: Report) -> None:
        """It may have run or not, but was not what its worker was at: that says nothing of it, however often it happens."""
        if self.brief.on_in_doubt != "retry":
            self._lost(draft, out, offset, report)
            return
        attempt = out.attempt(offset, report).unused()
        draft.rows.records.append(self._record(attempt, UnitStatus.PENDING))
        self.window.give_back(attempt.next())

    def _give_up(self, draft: Draft, attempt: Attempt) -> list[UnitRecord]:
        record = self._record(attempt, UnitStatus.FAILED)
        draft.rows.records.append(record)
        if self.handles:
            draft.failed.append(record)
        return [record]

    def _record(self, attempt: Attempt, status: UnitStatus) -> UnitRecord:
        units, failure = attempt.units, attempt.failure
        members = member_texts(units) or [None]
        partial = None
        if failure is not None:
            partial = failure.result
        return UnitRecord(
            seq=attempt.seq,
            index=units.indexes[0],
            key=units.keys[0],
            status=status,
            attempts=attempt.number,
            base=attempt.base,
            value=own_text(units, self.brief.written_key),
            members=members[0],
            result=partial,
            failure=failure,
            duration_us=attempt.duration_us,
            started_ms=attempt.started_ms,
            worker=attempt.worker,
            doubts=self.doubts.get(attempt.seq, 0),
            handled=not (self.handles and status is UnitStatus.FAILED),
            note=UnitNote.BAD_ROW if failure is not None and failure.type == BAD_ROW else None,
        )
