"""What the next checkpoint of a step will hold, as it comes together between two commits. It knows no store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from batchwork.engine.unit.stored_value import member_texts, value_texts
from batchwork.model import (
    AttemptRecord,
    Call,
    Checkpoint,
    Claim,
    Counts,
    Handled,
    LogRecord,
    Report,
    RunningUnit,
    Successes,
    UnitRecord,
    Units,
)


class DraftRows(Struct):
    """What the store is to write."""

    claims: list[Claim] = field(default_factory=list)
    successes: list[Successes] = field(default_factory=list)
    records: list[UnitRecord] = field(default_factory=list)
    attempts: list[AttemptRecord] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    handled: list[Handled] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    running: list[RunningUnit] | None = None


class Draft(Struct):
    """DraftRows that wait for their commit, and what is to happen once they are on disk."""

    step: int
    rows: DraftRows = field(default_factory=DraftRows)
    calls: list[Call] = field(default_factory=list)  # may start then
    said: list[str] = field(default_factory=list)  # JSON texts of what `echo` says then
    failed: list[UnitRecord] = field(default_factory=list)  # given to `on_item_error` then
    urgent: bool = (
        False  # holds the outcome of a unit that was in doubt: what seems to kill must not wait to be cleared
    )
    count: int = 0
    since: float | None = None  # when the first of the rows came (monotonic seconds)

    def touch(self, now: float, count: int) -> None:
        """`count` more rows, the first of which came `now`."""
        self.count += count
        if self.since is None:
            self.since = now

    @property
    def empty(self) -> bool:
        return self.since is None

    def claim(self, call: Call, now: float) -> None:
        """A call to be started once its claim is on disk."""
        self.rows.claims.append(_claim(call, call.units))
        self.calls.append(call)
        self.touch(now, 0)

    def end_claim(self, call: Call, but: Sequence[int]) -> None:
        """A call is over. Some of its units (by offset) may stay claimed."""
        if not but:
            self.rows.ended.append(call.id)
            return
        self.rows.claims.append(_claim(call, call.units.pick(but)))

    def settled_keys(self) -> Iterator[Sequence[str]]:
        """Keys of the units whose outcome it holds."""
        for successes in self.rows.successes:
            yield successes.keys
        if self.rows.records:
            yield [record.key for record in self.rows.records]

    def checkpoint(self, counts: Counts) -> Checkpoint:
        """All of it, to be committed together with the counters as they are after it."""
        rows = self.rows
        return Checkpoint(
            step=self.step,
            claims=rows.claims,
            successes=rows.successes,
            records=rows.records,
            attempts=rows.attempts,
            logs=rows.logs,
            handled=rows.handled,
            ended=rows.ended,
            running=rows.running,
            counts=counts,
        )


def _claim(call: Call, units: Units) -> Claim:
    return Claim(call.id, call.attempt, units.seqs, units.keys, members=units.members)


def success_rows(call: Call, report: Report, started_ms: int, written_key: bool) -> Successes:
    """The columns of what succeeded in a call; slices where they are consecutive, which they nearly always are."""
    done = report.done
    first, count = done[0], len(done)
    if count == len(call.units):
        units = call.units
    elif done[-1] - first + 1 == count:
        units = call.units.cut(first, first + count)
    else:
        units = call.units.pick(done)
    return Successes(
        attempt=call.attempt,
        started_ms=started_ms,
        worker=report.worker,
        seqs=units.seqs,
        indexes=units.indexes,
        keys=units.keys,
        values=value_texts(units, written_key),
        results=report.results,
        durations_us=report.durations_us,
        members=member_texts(units),
    )
