"""Executes what changes units: checkpoints, sweeps, reopenings. The caller holds the transaction.

Everything here may be executed twice and changes nothing the second time: claims and counts are absolute, failed
attempts are inserted once, and a unit that is final is never changed but by moves, sweeps and reopenings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import apsw
from msgspec.structs import astuple

from batchwork.errors import StoreError
from batchwork.model import AttemptRecord, Checkpoint, Counts, StepStatus, UnitRecord, UnitStatus
from batchwork.ports import RunChange, StepChange
from batchwork.ports.store import Sample
from batchwork.store.sqlite import indexes
from batchwork.store.sqlite.blocks import reading as in_blocks
from batchwork.store.sqlite.blocks import writing as blocks
from batchwork.store.sqlite.claims import claim_text
from batchwork.store.sqlite.rows import (
    CODES,
    Row,
    attempt_cells,
    changed_cell,
    failure_text,
    first_id,
    integer_in,
    same,
    unit_cells,
    washed,
)
from batchwork.store.sqlite.statements import many_statement, statement

_RUN_COLUMNS = {"window": "redo_window"}  # `window` is a word of SQL
_ENDED = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED})
_FINAL = tuple(CODES[status] for status in (UnitStatus.SUCCEEDED, UnitStatus.FAILED, UnitStatus.SKIPPED))


def record_checkpoint(connection: apsw.Connection, checkpoint: Checkpoint) -> None:
    """Execute a checkpoint. Raises apsw.Error, and StoreError where its step does not exist."""
    try:
        _execute(connection, checkpoint)
    except UnicodeEncodeError:
        _execute(connection, washed(checkpoint))


def _execute(connection: apsw.Connection, checkpoint: Checkpoint) -> None:
    step = checkpoint.step
    reading, reordered = standing(connection, step)
    if not reordered and (reordered := reorders(checkpoint)):
        _reorder(connection, step)
    texts = _failure_texts(checkpoint)
    claims = [(step, claim.id, claim.attempt, claim_text(claim)) for claim in checkpoint.claims]
    _many(connection, "claim_add", claims)
    _record_successes(connection, checkpoint, reading, reordered)
    _unpack_changed(connection, checkpoint)
    _record_units(connection, checkpoint, reading, texts)
    _record_attempts(connection, checkpoint, texts)
    _many(connection, "claim_end", [(step, claim) for claim in checkpoint.ended])
    if checkpoint.running is not None:
        connection.execute(statement("running_clear"), (step,))
        _many(connection, "running_add", [(step, *astuple(unit)) for unit in checkpoint.running])
    if checkpoint.counts is not None:
        set_counts(connection, step, checkpoint.counts)


def _reorder(connection: apsw.Connection, step: int) -> None:
    """Note that positions are not seqs any more."""
    blocks.unpack_all(connection, step)
    connection.execute(statement("step_reordered"), (step,))


def _unpack_changed(connection: apsw.Connection, checkpoint: Checkpoint) -> None:
    """Make rows of what the checkpoint changes of units that have ended."""
    handled = (entry.seq for entry in checkpoint.handled)
    changed = chain(handled, (row[0] for row in checkpoint.values), (row[0] for row in checkpoint.moves))
    blocks.unpack_some(connection, checkpoint.step, changed)


def _failure_texts(checkpoint: Checkpoint) -> dict[int, str | None]:
    """Texts of all failures, by `id`: one stands in its unit and in its attempt, and often in many units."""
    failed: list[UnitRecord | AttemptRecord] = [*checkpoint.records, *checkpoint.attempts]
    failures = {id(row.failure): row.failure for row in failed}
    return {number: failure_text(failure) for number, failure in failures.items()}


def _record_successes(connection: apsw.Connection, checkpoint: Checkpoint, reading: int, reordered: bool) -> None:
    step = checkpoint.step
    plain = reordered or reading > 0 or (bool(checkpoint.successes) and indexes.exists(connection, "key", step))
    for part in checkpoint.successes:
        if plain:
            blocks.succeed_in_rows(connection, part, first_id(step), reading)
        else:
            blocks.succeed_in_blocks(connection, part, step)


def _record_units(
    connection: apsw.Connection, checkpoint: Checkpoint, reading: int, texts: dict[int, str | None]
) -> None:
    first = first_id(checkpoint.step)
    final = in_blocks.covered(connection, first, [unit.seq for unit in checkpoint.records])
    rows = [
        unit_cells(first, unit, reading, texts[id(unit.failure)])
        for unit in checkpoint.records
        if unit.seq not in final
    ]
    _insert(connection, "unit_record", rows)
    _many(connection, "unit_value", [(first | seq, value, members) for seq, value, members in checkpoint.values])
    _many(connection, "unit_move", [(first | seq, index, reading) for seq, index in checkpoint.moves])


def _record_attempts(connection: apsw.Connection, checkpoint: Checkpoint, texts: dict[int, str | None]) -> None:
    first = first_id(checkpoint.step)
    attempts = [attempt_cells(first, attempt, texts[id(attempt.failure)]) for attempt in checkpoint.attempts]
    _insert(connection, "attempt_add", attempts)
    _insert(connection, "log_add", [(first | log.seq, log.attempt, log.text) for log in checkpoint.logs])
    handled = [(failure_text(entry.failure), first | entry.seq) for entry in checkpoint.handled]
    _many(connection, "unit_handled", handled)


def _many(connection: apsw.Connection, name: str, rows: Sequence[Row]) -> None:
    if rows:
        connection.executemany(statement(name), rows)


def _insert(connection: apsw.Connection, name: str, rows: Sequence[Row]) -> None:
    """Insert rows, many in one statement."""
    start = 0
    for size in blocks.ROWS:
        while len(rows) - start >= size:
            connection.execute(many_statement(name, size), tuple(chain.from_iterable(rows[start : start + size])))
            start += size
    _many(connection, name, rows[start:])


def standing(connection: apsw.Connection, step: int) -> tuple[int, bool]:
    """The number of the step's current reading, and whether some unit's position differs from its seq."""
    row: Row | None = connection.execute(statement("step_reading"), (step,)).get
    if row is None:
        raise StoreError(f"the store has no step of number {step}", "this is a bug in batchwork: please report it")
    return integer_in(row[0]), bool(row[1])


def reorders(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint gives some unit a position that is not its seq."""
    return (
        any(not same(part.seqs, part.indexes) for part in checkpoint.successes)
        or any(unit.index is not None and unit.index != unit.seq for unit in checkpoint.records)
        or any(seq != index for seq, index in checkpoint.moves)
    )


def set_counts(connection: apsw.Connection, step: int, counts: Counts) -> None:
    cells = (counts.total, counts.succeeded, counts.failed, counts.skipped, counts.running)
    connection.execute(statement("step_counts"), (*cells, step))


def counted(connection: apsw.Connection, step: int) -> Counts:
    """The counts of the step's rows; the total is the one that was last written, and nothing is in doubt."""
    bounds = (first_id(step), first_id(step + 1))
    rows = connection.execute(statement("unit_count"), bounds).fetchall()
    found = {integer_in(code): integer_in(count) for code, count in rows}
    total = connection.execute(statement("step_total"), (step,)).get
    succeeded, failed, skipped = (found.get(code, 0) for code in _FINAL)
    return Counts(total, succeeded + in_blocks.count(connection, bounds), failed, skipped)


def change_run(connection: apsw.Connection, run: str, change: RunChange) -> None:
    for name, value in change.fields().items():
        connection.execute(statement("run_change", column=_RUN_COLUMNS.get(name, name)), (changed_cell(value), run))


def change_step(connection: apsw.Connection, step: int, change: StepChange) -> None:
    for name, value in change.fields().items():
        if isinstance(value, Counts):
            set_counts(connection, step, value)
        else:
            connection.execute(statement("step_change", column=name), (changed_cell(value), step))
    if change.status in _ENDED:
        indexes.drop(connection, "key", step)


def add_sample(connection: apsw.Connection, run: str, sample: Sample) -> None:
    connection.execute(statement("sample_add"), (run, *astuple(sample)))


def add_steps(connection: apsw.Connection, run: str, steps: Sequence[tuple[str, bool]]) -> None:
    """Add steps to a run, or give those that it has their order anew."""
    rows = [(run, name, order, batch) for order, (name, batch) in enumerate(steps)]
    connection.executemany(statement("step_add"), rows)


def begin_reading(connection: apsw.Connection, step: int) -> int:
    blocks.unpack_all(connection, step)
    connection.execute(statement("step_read_anew"), (step,))
    return standing(connection, step)[0]


def sweep(connection: apsw.Connection, step: int, seen_below: int) -> int:
    """Mark as gone, count anew, and say how many of the units from `seen_below` on are gone."""
    bounds = (first_id(step) + seen_below, first_id(step + 1))
    connection.execute(statement("unit_sweep"), (*bounds, standing(connection, step)[0]))
    set_counts(connection, step, counted(connection, step))
    return int(connection.execute(statement("unit_gone"), bounds).get)


def reopen(connection: apsw.Connection, step: int, seqs: Sequence[int] | None) -> int:
    """Give failed units fresh attempts, count anew, and say how many there were."""
    first = first_id(step)
    before = connection.total_changes()
    if seqs is None:
        connection.execute(statement("unit_reopen"), (first, first_id(step + 1)))
    else:
        connection.executemany(statement("unit_reopen_one"), [(first | seq,) for seq in seqs])
    changed = connection.total_changes() - before
    set_counts(connection, step, counted(connection, step))
    return changed


def clear(connection: apsw.Connection, step: int) -> None:
    """Forget all that a step has done."""
    bounds = (first_id(step), first_id(step + 1))
    for name in ("unit_clear", "block_clear", "attempt_clear", "log_clear"):
        connection.execute(statement(name), bounds)
    connection.execute(statement("claim_clear"), (step,))
    connection.execute(statement("running_clear"), (step,))
    connection.execute(statement("step_clear"), (step,))
    indexes.drop(connection, "key", step)
    indexes.drop(connection, "pos", step)
