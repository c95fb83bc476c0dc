"""What ports.Store promises, by statements: put together from what is recorded and read. Where the tables are is not known here."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from msgspec.structs import replace

from batchwork.errors import RunRefused, StoreError
from batchwork.model import AttemptRecord, Claim, Counts, LogRecord, RunRecord, StepRecord, UnitRecord
from batchwork.ports import Opening, RunChange, StepChange, UnitPage, UnitView
from batchwork.ports.store import ListedStatus, Sample, printed_so_far
from batchwork.store.tables import claims, listing, recording
from batchwork.store.tables.blocks import reading as blocks
from batchwork.store.tables.blocks.writing import unpack_all
from batchwork.store.tables.rows import (
    Row,
    attempt_of,
    checked_run_id,
    first_id,
    integer_in,
    run_cells,
    run_of,
    step_of,
    text_in,
    unless_null,
)
from batchwork.store.tables.session import Column, Session
from batchwork.text.jsontext import wash

T = TypeVar("T")


class TableStore(ABC):
    """Implements most of ports.Store. Raises StoreError, from any method, for whatever goes wrong with the database."""

    def __init__(self, name: str, opening: Opening) -> None:
        self._name = name
        self._opening = opening
        self._bookmarks = listing.Bookmarks()
        self._scans: dict[int, int] = {}

    @abstractmethod
    def _read(self, look: Callable[[Session], T]) -> T:
        """What `look` finds, which sees one state of the store for a moment. It may be called again."""

    @abstractmethod
    def _change(self, execute: Callable[[Session], T]) -> T:
        """Execute a change in a transaction of its own; what it returns."""

    @abstractmethod
    def _living(self, session: Session, runs: Sequence[str]) -> Collection[str]:
        """Those of some runs that a process works on."""

    def describe(self) -> str:
        return self._name

    # ------------------------------------------------------------ runs

    def create_run(self, run: RunRecord, steps: Sequence[tuple[str, bool]]) -> None:
        checked_run_id(run.id)

        def write(session: Session) -> None:
            if not session.changed("run_add", run_cells(run)):
                raise RunRefused(
                    f"there is already a run {run.id} in {self._name}",
                    f"continue it with `batchwork resume {run.id}`, or choose another `--run-id`",
                )
            recording.add_steps(session, run.id, steps)

        self._change(write)

    def update_run(self, run: str, change: RunChange) -> None:
        self._change(lambda session: recording.change_run(session, run, change))

    def run(self, run: str) -> RunRecord | None:
        found = self._read(lambda session: self._runs(session, session.rows("run_by_id", (run,))))
        return found[0] if found else None

    def runs(self) -> list[RunRecord]:
        return self._read(lambda session: self._runs(session, session.rows("runs")))

    def forget(self, run: str) -> None:
        self._change(lambda session: recording.forget(session, run))

    # ------------------------------------------------------------ steps

    def steps(self, run: str) -> list[StepRecord]:
        def look(session: Session) -> list[StepRecord]:
            rows = session.rows("steps", (run,))
            crashed = bool(rows) and self._crashed(session, integer_in(rows[0][0]))
            return [step_of(row, self._count_doubted(session, integer_in(row[0])) if crashed else 0) for row in rows]

        return self._read(look)

    def add_steps(self, run: str, steps: Sequence[tuple[str, bool]]) -> None:
        def write(session: Session) -> None:
            session.run("step_aside", (run,))
            recording.add_steps(session, run, steps)

        self._change(write)

    def update_step(self, step: int, change: StepChange) -> None:
        self._change(lambda session: recording.change_step(session, step, change))

    # ------------------------------------------------------------ units: resuming

    def claims(self, step: int) -> list[Claim]:
        return self._read(lambda session: claims.unsettled(session, step))

    def page(self, step: int, after_seq: int, limit: int) -> UnitPage:
        from batchwork.store.tables.blocks.pages import unit_page  # who resumes needs it

        return self._read(lambda session: unit_page(session, step, after_seq, limit))

    def match(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        from batchwork.store.tables import matching  # who resumes needs it

        scanned = self._read(lambda session: matching.scanned(session, step, keys, self._scans))
        if scanned is not None:
            return scanned
        self._index("key", step)
        return self._read(lambda session: matching.by_key(session, step, keys))

    def values(self, step: int, seqs: Sequence[int]) -> list[str]:
        def look(session: Session) -> dict[int, str]:
            rows = session.rows("unit_values", (first_id(step), session.among(seqs)))
            found = {integer_in(seq): text_in(text) for seq, text in rows}
            if len(found) < len(seqs):
                found.update(blocks.values(session, first_id(step), seqs))
            return found

        found = self._read(look)
        if not found.keys() >= set(seqs):
            raise StoreError(f"the store {self._name} lacks units that it should have")
        return [found[seq] for seq in seqs]

    def next_seq(self, step: int) -> int:
        bounds = (first_id(step), first_id(step + 1))

        def look(session: Session) -> int:
            ends = [session.value("unit_last", bounds), blocks.last(session, bounds)]
            highest = max((end - bounds[0] for end in ends if end is not None), default=-1)
            return max(highest, claims.highest_claimed(session, step)) + 1

        return self._read(look)

    def reading(self, step: int) -> int:
        return self._change(lambda session: recording.begin_reading(session, step))

    def was_reread(self, step: int) -> bool:
        return self._read(lambda session: recording.standing(session, step)[0] > 0)

    def sweep(self, step: int, seen_below: int) -> int:
        return self._change(lambda session: recording.sweep(session, step, seen_below))

    def reopen(self, step: int, seqs: Sequence[int] | None) -> int:
        return self._change(lambda session: recording.reopen(session, step, seqs))

    def clear(self, step: int) -> None:
        self._change(lambda session: recording.clear(session, step))

    # ------------------------------------------------------------ units: looking

    def count(self, step: int) -> Counts:
        def look(session: Session) -> Counts:
            counts = recording.counted(session, step)
            doubtful = self._count_doubted(session, step) if self._crashed(session, step) else 0
            return replace(counts, in_doubt=doubtful)

        return self._read(look)

    def units(
        self,
        step: int,
        status: ListedStatus | None = None,
        start: int = 0,
        limit: int = 1000,
        key: str | None = None,
    ) -> list[UnitView]:
        self._index_places(step)

        def look(session: Session) -> list[UnitView]:
            ordered = not recording.standing(session, step)[1]
            wanted = listing.Listing(step, status, unless_null(wash, key), ordered)
            mark = self._bookmarks.find(wanted, start) or self._begin(session, wanted)
            views, after = listing.page(session, wanted, mark, start, limit)
            self._bookmarks.put(wanted, after)
            return views

        return self._read(look)

    def results(self, step: int, start: int, limit: int) -> list[str | None]:
        self._index_places(step)

        def look(session: Session) -> list[str | None]:
            ordered = not recording.standing(session, step)[1]
            return listing.results(session, step, ordered, start, limit)

        return self._read(look)

    def attempts(self, step: int, seq: int) -> list[AttemptRecord]:
        first = first_id(step)
        rows = self._read(lambda session: session.rows("attempts", (first | seq,)))
        return [attempt_of(first, row) for row in rows]

    def logs(self, step: int, seq: int) -> list[LogRecord]:
        def look(session: Session) -> list[LogRecord]:
            rows = session.rows("logs", (first_id(step) | seq,))
            running = () if self._crashed(session, step) else listing.running_units(session, step)
            logs = [LogRecord(seq, attempt, text) for attempt, text in rows]  # type: ignore[arg-type]
            return logs + [log for unit in running if unit.seq == seq for log in printed_so_far(unit)]

        return self._read(look)

    # ------------------------------------------------------------ watching

    def add_sample(self, run: str, sample: Sample) -> None:
        self._change(lambda session: recording.add_sample(session, run, sample))

    def samples(self, run: str) -> list[Sample]:
        rows = self._read(lambda session: session.rows("samples", (run,)))
        return [Sample(*row) for row in rows]  # type: ignore[arg-type]

    # ------------------------------------------------------------ parts

    def _runs(self, session: Session, rows: Sequence[Row]) -> list[RunRecord]:
        records = [run_of(row, living=False) for row in rows]
        living = self._living(session, [record.id for record in records])
        return [replace(record, living=record.id in living) for record in records]

    def _index(self, column: Column, step: int) -> None:
        if not self._read(lambda session: session.indexed(column, step)):
            self._change(lambda writing: _make_index(writing, column, step))

    def _index_places(self, step: int) -> None:
        """See that a step whose positions are not its seqs has its index."""
        if self._read(lambda session: recording.standing(session, step)[1]):
            with contextlib.suppress(StoreError):  # it can be read without, only slower
                self._index("pos", step)

    def _begin(self, session: Session, wanted: listing.Listing) -> listing.Bookmark:
        step = wanted.step
        name = session.value("step_name", (step,))
        if not self._crashed(session, step):
            return listing.begin(wanted, listing.running(session, step, name, wanted.ordered))
        doubted = self._doubted(session, step)
        return listing.begin(wanted, listing.doubtful(session, step, name, doubted, wanted.ordered))

    def _doubted(self, session: Session, step: int) -> Sequence[Claim]:
        """The claims of a step that nobody works on, with only those units that are in doubt."""
        left, found = claims.unsettled(session, step), session.row("step_run", (step,))
        runs = [] if found is None else self._runs(session, session.rows("run_by_id", (found[0],)))
        return self._opening.in_doubt(runs[0], step, left) if runs else left

    def _count_doubted(self, session: Session, step: int) -> int:
        return len({seq for claim in self._doubted(session, step) for seq in claim.seqs})

    def _crashed(self, session: Session, step: int) -> bool:
        """Whether nobody works on the step's run, so that what it claimed and did not settle is in doubt."""
        found = session.row("step_run", (step,))
        return found is not None and not self._living(session, [text_in(found[0])])


def _make_index(session: Session, column: Column, step: int) -> None:
    """Make an index, which only rows have."""
    unpack_all(session, step)
    session.make_index(column, step)
