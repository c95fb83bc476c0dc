"""Executes what changes units: checkpoints, sweeps, reopenings. The caller holds the transaction.

Everything here may be executed twice and changes nothing the second time: claims and counts are absolute, failed
attempts are inserted once, and a unit that is final is never changed but by moves, sweeps and reopenings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from msgspec.structs import astuple

from batchwork.errors import StoreError
from batchwork.model import AttemptRecord, Checkpoint, Counts, StepStatus, UnitRecord, UnitStatus
from batchwork.ports import RunChange, StepChange
from batchwork.ports.store import Sample
from batchwork.store.tables.blocks import reading as in_blocks
from batchwork.store.tables.blocks import writing as blocks
from batchwork.store.tables.claims import claim_text
from batchwork.store.tables.rows import (
    CODES,
    attempt_cells,
    changed_cell,
    failure_text,
    first_id,
    integer_in,
    same,
    unit_cells,
    washed,
)
from batchwork.store.tables.session import Session

_RUN_COLUMNS = {"window": "redo_window"}  # `window` is a word of SQL
_ENDED = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED})
_FINAL = tuple(CODES[status] for status in (UnitStatus.SUCCEEDED, UnitStatus.FAILED, UnitStatus.SKIPPED))


def record_checkpoint(session: Session, checkpoint: Checkpoint) -> None:
    """Execute a checkpoint. Raises the driver's errors, and StoreError where its step does not exist."""
    try:
        _execute(session, checkpoint)
    except UnicodeEncodeError:
        _execute(session, washed(checkpoint))


def _execute(session: Session, checkpoint: Checkpoint) -> None:
    step = checkpoint.step
    reading, reordered = standing(session, step)
    if not reordered and (reordered := reorders(checkpoint)):
        _reorder(session, step)
    texts = _failure_texts(checkpoint)
    claims = [(step, claim.id, claim.attempt, claim_text(claim)) for claim in checkpoint.claims]
    session.many("claim_add", claims)
    _record_successes(session, checkpoint, reading, reordered)
    _unpack_changed(session, checkpoint)
    _record_units(session, checkpoint, reading, texts)
    _record_attempts(session, checkpoint, texts)
    session.many("claim_end", [(step, claim) for claim in checkpoint.ended])
    if checkpoint.running is not None:
        session.run("running_clear", (step,))
        session.many("running_add", [(step, *astuple(unit)) for unit in checkpoint.running])
    if checkpoint.counts is not None:
        set_counts(session, step, checkpoint.counts)


def _reorder(session: Session, step: int) -> None:
    """Note that positions are not seqs any more."""
    blocks.unpack_all(session, step)
    session.run("step_reordered", (step,))


def _unpack_changed(session: Session, checkpoint: Checkpoint) -> None:
    """Make rows of what the checkpoint changes of units that have ended."""
    handled = (entry.seq for entry in checkpoint.handled)
    changed = chain(handled, (row[0] for row in checkpoint.values), (row[0] for row in checkpoint.moves))
    blocks.unpack_some(session, checkpoint.step, changed)


def _failure_texts(checkpoint: Checkpoint) -> dict[int, str | None]:
    """Texts of all failures, by `id`: one stands in its unit and in its attempt, and often in many units."""
    failed: list[UnitRecord | AttemptRecord] = [*checkpoint.records, *checkpoint.attempts]
    failures = {id(row.failure): row.failure for row in failed}
    return {number: failure_text(failure) for number, failure in failures.items()}


def _record_successes(session: Session, checkpoint: Checkpoint, reading: int, reordered: bool) -> None:
    step = checkpoint.step
    plain = reordered or reading > 0 or (bool(checkpoint.successes) and session.indexed("key", step))
    for part in checkpoint.successes:
        if plain:
            blocks.succeed_in_rows(session, part, first_id(step), reading)
        else:
            blocks.succeed_in_blocks(session, part, step)


def _record_units(session: Session, checkpoint: Checkpoint, reading: int, texts: dict[int, str | None]) -> None:
    first = first_id(checkpoint.step)
    final = in_blocks.covered(session, first, [unit.seq for unit in checkpoint.records])
    rows = [
        unit_cells(first, unit, reading, texts[id(unit.failure)])
        for unit in checkpoint.records
        if unit.seq not in final
    ]
    session.insert("unit_record", rows)
    session.many("unit_value", [(first | seq, value, members) for seq, value, members in checkpoint.values])
    session.many("unit_move", [(first | seq, index, reading) for seq, index in checkpoint.moves])


def _record_attempts(session: Session, checkpoint: Checkpoint, texts: dict[int, str | None]) -> None:
    first = first_id(checkpoint.step)
    attempts = [attempt_cells(first, attempt, texts[id(attempt.failure)]) for attempt in checkpoint.attempts]
    session.insert("attempt_add", attempts)
    session.insert("log_add", [(first | log.seq, log.attempt, log.text) for log in checkpoint.logs])
    handled = [(first | entry.seq, failure_text(entry.failure)) for entry in checkpoint.handled]
    session.many("unit_handled", handled)


def standing(session: Session, step: int) -> tuple[int, bool]:
    """The number of the step's current reading, and whether some unit's position differs from its seq."""
    row = session.row("step_reading", (step,))
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


def set_counts(session: Session, step: int, counts: Counts) -> None:
    cells = (counts.total, counts.succeeded, counts.failed, counts.skipped, counts.running)
    session.run("step_counts", (*cells, step))


def counted(session: Session, step: int) -> Counts:
    """The counts of the step's rows; the total is the one that was last written, and nothing is in doubt."""
    bounds = (first_id(step), first_id(step + 1))
    rows = session.rows("unit_count", bounds)
    found = {integer_in(code): integer_in(count) for code, count in rows}
    total = session.value("step_total", (step,))
    succeeded, failed, skipped = (found.get(code, 0) for code in _FINAL)
    return Counts(total, succeeded + in_blocks.count(session, bounds), failed, skipped)


def change_run(session: Session, run: str, change: RunChange) -> None:
    for name, value in change.fields().items():
        session.run("run_change", (changed_cell(value), run), column=_RUN_COLUMNS.get(name, name))


def change_step(session: Session, step: int, change: StepChange) -> None:
    for name, value in change.fields().items():
        if isinstance(value, Counts):
            set_counts(session, step, value)
        else:
            session.run("step_change", (changed_cell(value), step), column=name)
    if change.status in _ENDED:
        session.drop_index("key", step)


def add_sample(session: Session, run: str, sample: Sample) -> None:
    session.run("sample_add", (run, *astuple(sample)))


def forget(session: Session, run: str) -> None:
    """Remove all rows of a run."""
    for (step,) in session.rows("run_steps", (run,)):
        clear(session, integer_in(step))
    for name in ("step_forget", "sample_forget", "run_forget"):
        session.run(name, (run,))


def add_steps(session: Session, run: str, steps: Sequence[tuple[str, bool]]) -> None:
    """Add steps to a run, or give those that it has their order anew."""
    rows = [(run, name, order, batch) for order, (name, batch) in enumerate(steps)]
    session.many("step_add", rows)


def begin_reading(session: Session, step: int) -> int:
    blocks.unpack_all(session, step)
    session.run("step_read_anew", (step,))
    return standing(session, step)[0]


def sweep(session: Session, step: int, seen_below: int) -> int:
    """Mark as gone, count anew, and say how many of the units from `seen_below` on are gone."""
    bounds = (first_id(step) + seen_below, first_id(step + 1))
    session.run("unit_sweep", (*bounds, standing(session, step)[0]))
    set_counts(session, step, counted(session, step))
    return int(session.value("unit_gone", bounds))


def reopen(session: Session, step: int, seqs: Sequence[int] | None) -> int:
    """Give failed units fresh attempts, count anew, and say how many there were."""
    first = first_id(step)
    if seqs is None:
        changed = session.changed("unit_reopen", (first, first_id(step + 1)))
    else:
        changed = session.changed("unit_reopen_some", (first, session.among(seqs)))
    set_counts(session, step, counted(session, step))
    return changed


def clear(session: Session, step: int) -> None:
    """Forget all that a step has done."""
    bounds = (first_id(step), first_id(step + 1))
    for name in ("unit_clear", "block_clear", "attempt_clear", "log_clear"):
        session.run(name, bounds)
    session.run("claim_clear", (step,))
    session.run("running_clear", (step,))
    session.run("step_clear", (step,))
    session.drop_index("key", step)
    session.drop_index("pos", step)
