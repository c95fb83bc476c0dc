"""The store in one SQLite file: what ports.Store promises, put together from the writer, the readers and the locks.

Reads are statements of queries/; what is written goes through the writer's thread.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw
from msgspec.structs import replace

from batchwork.errors import RunRefused, StoreError
from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    LogRecord,
    RunRecord,
    StepRecord,
    UnitRecord,
)
from batchwork.ports import Committed, Opening, RunChange, StepChange, UnitPage, UnitView
from batchwork.ports.store import ListedStatus, Sample, printed_so_far
from batchwork.store.sqlite import claims, indexes, listing, matching, recording
from batchwork.store.sqlite.beside.head import Head
from batchwork.store.sqlite.beside.lock import Locks, RunLease
from batchwork.store.sqlite.blocks import reading as blocks
from batchwork.store.sqlite.blocks.writing import unpack_all
from batchwork.store.sqlite.place import check_place, make_private_file, making
from batchwork.store.sqlite.reader import Readers
from batchwork.store.sqlite.rows import (
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
from batchwork.store.sqlite.statements import statement
from batchwork.store.sqlite.trouble import explain
from batchwork.store.sqlite.writer import Writer
from batchwork.text import jsontext
from batchwork.text.jsontext import wash

T = TypeVar("T")


class SqliteStore:
    """Implements ports.Store. Raises StoreError, from any method, for whatever goes wrong with the file."""

    def __init__(self, path: str, opening: Opening) -> None:
        self._path = os.path.realpath(path)
        self._opening = opening
        self._locks = Locks(f"{self._path}.locks", opening.clock)
        self._head = Head(self._path, f"{self._locks.folder}/head")
        self._readers = Readers(self._path)
        self._writer: Writer | None = None
        self._bookmarks = listing.Bookmarks()
        self._lookups = matching.Lookups(self._path)
        self._head.expect_file()
        check_place(self._path, opening.purpose == "run", opening.warn)
        if opening.purpose == "look":
            self._readers.begin(self._head, opening.warn)
        else:
            self._writer = self._open_to_write()

    def _open_to_write(self) -> Writer:
        try:
            with making:
                if self._opening.purpose == "run":
                    make_private_file(self._path)
                return Writer(self._path, self._opening, self._head)
        except (apsw.Error, OSError) as error:
            raise explain(error, self._path) from error

    def _change(self, execute: Callable[[apsw.Connection], T]) -> T:
        """Execute a change in a transaction of its own. Who only looks writes seldom, and opens the file for it then."""
        if self._writer is None:
            self._writer = self._open_to_write()
        return self._writer.call(execute)

    def close(self) -> None:
        """Write what is queued, close the file, give up all leases. The second time does nothing."""
        if self._writer is not None:
            self._writer.close()
        self._lookups.close()
        self._readers.close(leave_log=self._writer is not None and self._writer.harmed)
        self._locks.release_all()

    def describe(self) -> str:
        return self._path

    # ------------------------------------------------------------ runs

    def lease(self, run: str) -> RunLease:
        return self._locks.lease(run)

    def create_run(self, run: RunRecord, steps: Sequence[tuple[str, bool]]) -> None:
        checked_run_id(run.id)

        def write(connection: apsw.Connection) -> None:
            connection.execute(statement("run_add"), run_cells(run))
            if not connection.changes():
                raise RunRefused(
                    f"there is already a run {run.id} in {self._path}",
                    f"continue it with `batchwork resume {run.id}`, or choose another `--run-id`",
                )
            recording.add_steps(connection, run.id, steps)

        self._change(write)

    def update_run(self, run: str, change: RunChange) -> None:
        self._change(lambda connection: recording.change_run(connection, run, change))

    def run(self, run: str) -> RunRecord | None:
        rows = self._readers.read(statement("run_by_id"), (run,))
        return self._run(rows[0]) if rows else None

    def runs(self) -> list[RunRecord]:
        return [self._run(row) for row in self._readers.read(statement("runs"))]

    def forget(self, run: str) -> None:
        from batchwork.store.sqlite import forgetting  # who cleans needs it

        self._change(lambda connection: forgetting.forget(connection, run))

    def give_back(self) -> int:
        from batchwork.store.sqlite import forgetting

        try:
            return forgetting.give_back(self._path, self._opening)
        except (apsw.BusyError, apsw.LockedError):
            return 0  # somebody reads or writes; what is free is used by the next run all the same
        except (apsw.Error, OSError) as error:
            raise explain(error, self._path) from error

    # ------------------------------------------------------------ steps

    def steps(self, run: str) -> list[StepRecord]:
        with self._readers.snapshot() as connection:
            rows = connection.execute(statement("steps"), (run,)).fetchall()
            crashed = bool(rows) and self._crashed(connection, integer_in(rows[0][0]))
            return [step_of(row, self._count_doubted(connection, integer_in(row[0])) if crashed else 0) for row in rows]

    def add_steps(self, run: str, steps: Sequence[tuple[str, bool]]) -> None:
        def write(connection: apsw.Connection) -> None:
            connection.execute(statement("step_aside"), (run,))
            recording.add_steps(connection, run, steps)

        self._change(write)

    def update_step(self, step: int, change: StepChange) -> None:
        self._change(lambda connection: recording.change_step(connection, step, change))

    # ------------------------------------------------------------ units: writing and resuming

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        if self._writer is None:
            raise StoreError(f"the store {self._path} is open for looking only")
        self._writer.submit(checkpoint, committed)

    def claims(self, step: int) -> list[Claim]:
        with self._readers.snapshot() as connection:
            return claims.unsettled(connection, step)

    def page(self, step: int, after_seq: int, limit: int) -> UnitPage:
        from batchwork.store.sqlite.blocks.pages import unit_page  # who resumes needs it

        with self._readers.snapshot() as connection:
            return unit_page(connection, step, after_seq, limit)

    def match(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        with self._readers.snapshot() as connection:
            if not indexes.exists(connection, "key", step) and self._lookups.may_scan(step, keys):
                return matching.by_scan(connection, step, keys)
        self._index("key", step)
        with self._readers.snapshot() as connection:
            return matching.by_key(connection, step, keys)

    def members(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        return self._lookups.members(step).find(keys)

    def values(self, step: int, seqs: Sequence[int]) -> list[str]:
        among = jsontext.encode(list(seqs))
        with self._readers.snapshot() as connection:
            rows = connection.execute(statement("unit_values"), (first_id(step), among)).fetchall()
            found = {integer_in(seq): text_in(text) for seq, text in rows}
            if len(found) < len(seqs):
                found.update(blocks.values(connection, first_id(step), seqs))
        if not found.keys() >= set(seqs):
            raise StoreError(f"the store {self._path} lacks units that it should have")
        return [found[seq] for seq in seqs]

    def next_seq(self, step: int) -> int:
        bounds = (first_id(step), first_id(step + 1))
        with self._readers.snapshot() as connection:
            ends = [connection.execute(statement("unit_last"), bounds).get, blocks.last(connection, bounds)]
            highest = max((end - bounds[0] for end in ends if end is not None), default=-1)
            return max(highest, claims.highest_claimed(connection, step)) + 1

    def reading(self, step: int) -> int:
        return self._change(lambda connection: recording.begin_reading(connection, step))

    def was_reread(self, step: int) -> bool:
        with self._readers.snapshot() as connection:
            return recording.standing(connection, step)[0] > 0

    def sweep(self, step: int, seen_below: int) -> int:
        return self._change(lambda connection: recording.sweep(connection, step, seen_below))

    def reopen(self, step: int, seqs: Sequence[int] | None) -> int:
        return self._change(lambda connection: recording.reopen(connection, step, seqs))

    def clear(self, step: int) -> None:
        self._change(lambda connection: recording.clear(connection, step))

    # ------------------------------------------------------------ units: looking

    def count(self, step: int) -> Counts:
        with self._readers.snapshot() as connection:
            counts = recording.counted(connection, step)
            doubtful = self._count_doubted(connection, step) if self._crashed(connection, step) else 0
        return replace(counts, in_doubt=doubtful)

    def units(
        self,
        step: int,
        status: ListedStatus | None = None,
        start: int = 0,
        limit: int = 1000,
        key: str | None = None,
    ) -> list[UnitView]:
        self._index_places(step)
        with self._readers.snapshot() as connection:
            ordered = not recording.standing(connection, step)[1]
            wanted = listing.Listing(step, status, unless_null(wash, key), ordered)
            mark = self._bookmarks.find(wanted, start) or self._begin(connection, wanted)
            views, after = listing.page(connection, wanted, mark, start, limit)
        self._bookmarks.put(wanted, after)
        return views

    def results(self, step: int, start: int, limit: int) -> list[str | None]:
        self._index_places(step)
        with self._readers.snapshot() as connection:
            ordered = not recording.standing(connection, step)[1]
            return listing.results(connection, step, ordered, start, limit)

    def attempts(self, step: int, seq: int) -> list[AttemptRecord]:
        first = first_id(step)
        rows = self._readers.read(statement("attempts"), (first | seq,))
        return [attempt_of(first, row) for row in rows]

    def logs(self, step: int, seq: int) -> list[LogRecord]:
        with self._readers.snapshot() as connection:
            rows = connection.execute(statement("logs"), (first_id(step) | seq,)).fetchall()
            running = () if self._crashed(connection, step) else listing.running_units(connection, step)
        logs = [LogRecord(seq, attempt, text) for attempt, text in rows]  # type: ignore[arg-type]
        return logs + [log for unit in running if unit.seq == seq for log in printed_so_far(unit)]

    # ------------------------------------------------------------ watching

    def add_sample(self, run: str, sample: Sample) -> None:
        self._change(lambda connection: recording.add_sample(connection, run, sample))

    def samples(self, run: str) -> list[Sample]:
        return [Sample(*row) for row in self._readers.read(statement("samples"), (run,))]  # type: ignore[arg-type]

    # ------------------------------------------------------------ parts

    def _run(self, row: Row) -> RunRecord:
        record = run_of(row, living=False)
        return replace(record, living=self._locks.living(record.id))

    def _index(self, column: indexes.Column, step: int) -> None:
        with self._readers.snapshot() as connection:
            there = indexes.exists(connection, column, step)
        if not there:
            self._change(lambda writing: _make_index(writing, column, step))

    def _index_places(self, step: int) -> None:
        """See that a step whose positions are not its seqs has its index."""
        with self._readers.snapshot() as connection:
            reordered = recording.standing(connection, step)[1]
        if reordered:
            with contextlib.suppress(StoreError):  # it can be read without, only slower
                self._index("pos", step)

    def _begin(self, connection: apsw.Connection, wanted: listing.Listing) -> listing.Bookmark:
        step = wanted.step
        name = connection.execute(statement("step_name"), (step,)).get
        if not self._crashed(connection, step):
            return listing.begin(wanted, listing.running(connection, step, name, wanted.ordered))
        doubted = self._doubted(connection, step)
        return listing.begin(wanted, listing.doubtful(connection, step, name, doubted, wanted.ordered))

    def _doubted(self, connection: apsw.Connection, step: int) -> Sequence[Claim]:
        """The claims of a step that nobody works on, with only those units that are in doubt."""
        left, found = claims.unsettled(connection, step), connection.execute(statement("step_run"), (step,)).get
        run = None if found is None else self.run(found[0])
        return left if run is None else self._opening.in_doubt(run, step, left)

    def _count_doubted(self, connection: apsw.Connection, step: int) -> int:
        return len({seq for claim in self._doubted(connection, step) for seq in claim.seqs})

    def _crashed(self, connection: apsw.Connection, step: int) -> bool:
        """Whether nobody works on the step's run, so that what it claimed and did not settle is in doubt."""
        found = connection.execute(statement("step_run"), (step,)).fetchall()
        return any(not self._locks.living(text_in(run)) for run, _status in found)


def _make_index(connection: apsw.Connection, column: indexes.Column, step: int) -> None:
    """Make an index, which only rows have."""
    unpack_all(connection, step)
    indexes.make(connection, column, step)
