"""Rows of the tables to and from the values of the model: failures, units, runs, steps. No statement is executed here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec.structs import fields, replace

from batchwork.errors import RunRefused, StoreError
from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    Failure,
    LogRecord,
    RunRecord,
    RunStatus,
    StepRecord,
    StepStatus,
    Successes,
    UnitNote,
    UnitRecord,
    UnitStatus,
)
from batchwork.step_notes import NeedSkipped, Reopened, StepNote, Unwritten, WhenFalse
from batchwork.text import jsontext
from batchwork.text.jsontext import wash
from batchwork.text.patterns import pattern

T = TypeVar("T")
Cell: TypeAlias = "None | int | float | str | bytes"
Row: TypeAlias = tuple[Cell, ...]

UnitRow: TypeAlias = tuple[
    int, str, int | None, int, int, int, int, int, int, int, int, int, str, str, int | None, str | None, str | None, str | None,
    str | None, str | None,
]  # fmt: skip
"""The columns that all `units_…` statements have, in their order: id to handler_failure."""

SEQ_BITS = 40
STATUSES = (UnitStatus.PENDING, UnitStatus.INTERRUPTED, UnitStatus.SUCCEEDED, UnitStatus.FAILED, UnitStatus.SKIPPED)
CODES = {status: code for code, status in enumerate(STATUSES)}
SUCCEEDED, SKIPPED = CODES[UnitStatus.SUCCEEDED], CODES[UnitStatus.SKIPPED]
FIRST_FINAL = SUCCEEDED
_NOTES: dict[str, UnitNote | None] = {"": None, **{note.value: note for note in UnitNote}}

_FORMER: dict[int | None, UnitStatus | None] = {None: None, **dict(enumerate(STATUSES))}
_FAILURE_FIELDS = tuple((part.name, part.default) for part in fields(Failure) if part.name != "kinds")
_FAILURE_NAMES = frozenset(name for name, _ in _FAILURE_FIELDS)
_RUN_ID = pattern(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def checked_run_id(run: str) -> str:
    """`run`, if it can be a run id (it becomes a file name). Raises RunRefused."""
    if not _RUN_ID.fullmatch(run):
        raise RunRefused(
            f"{run!r} cannot be a run id",
            "use 1 to 64 letters, digits, `.`, `_` and `-`, not beginning with `.`",
        )
    return run


def first_id(step: int) -> int:
    """The id of the step's unit of seq 0; all of its units lie below `first_id(step + 1)`."""
    return step << SEQ_BITS


# ---------------------------------------------------------------- failures


def failure_text(failure: Failure | None) -> str | None:
    """A failure as JSON text; fields that have their default are left out."""
    if failure is None:
        return None
    tree = {name: value for name, default in _FAILURE_FIELDS if (value := getattr(failure, name)) != default}
    return jsontext.encode(tree)


def failure_of(text: Cell) -> Failure | None:
    """The failure of a JSON text written by `failure_text`, by this version or an earlier one."""
    if text is None:
        return None
    tree = jsontext.decode(text_in(text))
    assert isinstance(tree, dict)
    return Failure(**{name: value for name, value in tree.items() if name in _FAILURE_NAMES})  # type: ignore[arg-type]


# ---------------------------------------------------------------- units


def unit_cells(first: int, record: UnitRecord, reading: int, failure: str | None) -> Row:
    """The parameters of `unit_record.sql`; `failure` is the text of the record's failure."""
    return (
        first | record.seq,
        record.key,
        record.index,
        CODES[record.status],
        record.attempts,
        record.base,
        record.doubts,
        record.due_ms,
        reading,
        record.handled,
        record.duration_us,
        record.started_ms,
        record.worker,
        record.note or "",
        record.members,
        record.value,
        record.result,
        failure,
    )


def unit_of(first: int, row: UnitRow) -> UnitRecord:
    """A unit from a row of the `units_…` statements. Positional and unchecked (the table is strict): it is done by the million."""
    number, key, pos, code, attempts, base, doubts, due, reading, handled, duration, started, worker, note = row[:14]
    gone, members, value, result, failure = row[14:19]
    return UnitRecord(
        number - first,
        pos,
        key,
        STATUSES[code],
        attempts,
        value,
        members,
        result,
        None if failure is None else failure_of(failure),
        duration,
        started,
        worker,
        base,
        doubts,
        _NOTES[note],
        _FORMER[gone],
        reading,
        due,
        handled == 1,
    )


def attempt_cells(first: int, record: AttemptRecord, failure: str | None) -> Row:
    """The parameters of `attempt_add.sql`; `failure` is the text of the record's failure."""
    return (
        first | record.seq,
        record.attempt,
        failure,
        record.started_ms,
        record.duration_us,
        record.worker,
    )


def attempt_of(first: int, row: Row) -> AttemptRecord:
    unit, attempt, failure, started, duration, worker = row
    found = failure_of(failure)
    assert found is not None
    return AttemptRecord(
        integer_in(unit) - first, integer_in(attempt), found, integer_in(started), integer_in(duration), text_in(worker)
    )


# ---------------------------------------------------------------- runs and steps


def run_cells(run: RunRecord) -> Row:
    """The parameters of `run_add.sql`."""
    return (
        run.id,
        run.name,
        run.file,
        run.workflow,
        run.params,
        run.fingerprint,
        str(run.status),
        run.created_ms,
        run.ended_ms,
        run.durability,
        run.window,
        run.options,
    )


def run_of(row: Row, living: bool) -> RunRecord:
    id_, name, file, workflow, params, fingerprint, status, created, ended, durability, window, options = row
    return RunRecord(
        id=text_in(id_),
        name=text_in(name),
        file=text_in(file),
        workflow=text_in(workflow),
        params=text_in(params),
        fingerprint=text_in(fingerprint),
        status=RunStatus(text_in(status)),
        created_ms=integer_in(created),
        ended_ms=unless_null(integer_in, ended),
        durability=text_in(durability),
        window=text_in(window),
        options=text_in(options),
        living=living,
    )


def step_of(row: Row, in_doubt: int) -> StepRecord:
    number, run, name, order, status, total, succeeded, failed, skipped, running = row[:10]
    batch, result, failure, started, duration, stale, note = row[10:]
    return StepRecord(
        number=integer_in(number),
        run=text_in(run),
        name=text_in(name),
        order=integer_in(order),
        status=StepStatus(text_in(status)),
        counts=Counts(
            unless_null(integer_in, total),
            integer_in(succeeded),
            integer_in(failed),
            integer_in(skipped),
            in_doubt,
            integer_in(running),
        ),
        batch=bool(batch),
        result=unless_null(text_in, result),
        failure=failure_of(failure),
        started_ms=unless_null(integer_in, started),
        duration_ms=integer_in(duration),
        stale=bool(stale),
        note=unless_null(_step_note, note),
    )


def _step_note(cell: Cell) -> StepNote:
    note: StepNote = msgspec.json.decode(text_in(cell), type=StepNote)
    return note


def changed_cell(value: object) -> Cell:
    """A changed field of a run or a step as its column takes it."""
    match value:
        case Failure():
            return failure_text(value)
        case Reopened() | WhenFalse() | NeedSkipped() | Unwritten():
            return msgspec.json.encode(value).decode()
        case None | bool() | int():
            return value
        case _:
            return str(value)


# ---------------------------------------------------------------- what cannot be stored as UTF-8


def washed(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with lone surrogates (which UTF-8 lacks) written as escapes in keys, texts and results."""
    return replace(
        checkpoint,
        claims=[_washed_claim(claim) for claim in checkpoint.claims],
        successes=[_washed_successes(part) for part in checkpoint.successes],
        records=[
            replace(
                record,
                key=wash(record.key),
                worker=wash(record.worker),
                value=unless_null(wash, record.value),
                result=unless_null(wash, record.result),
                members=unless_null(wash, record.members),
            )
            for record in checkpoint.records
        ],
        attempts=[replace(attempt, worker=wash(attempt.worker)) for attempt in checkpoint.attempts],
        logs=[LogRecord(log.seq, log.attempt, wash(log.text)) for log in checkpoint.logs],
        values=[
            (seq, unless_null(wash, value), unless_null(wash, members)) for seq, value, members in checkpoint.values
        ],
    )


def _washed_claim(claim: Claim) -> Claim:
    members = claim.members and [[*map(wash, keys)] for keys in claim.members]
    return replace(claim, keys=[*map(wash, claim.keys)], members=members)


def _washed_successes(part: Successes) -> Successes:
    return replace(
        part,
        worker=wash(part.worker),
        keys=[wash(key) for key in part.keys],
        values=[unless_null(wash, value) for value in part.values],
        results=[wash(result) for result in part.results],
        members=part.members and [unless_null(wash, text) for text in part.members],
    )


# ---------------------------------------------------------------- cells


def text_in(cell: Cell) -> str:
    """A cell that must hold text. Raises StoreError."""
    if not isinstance(cell, str):
        raise StoreError(f"the store is damaged: {cell!r} stands where a text should be")
    return cell


def unless_null(read: Callable[[Any], T], cell: Any) -> T | None:
    """What `read` makes of a cell, or of anything that may be None."""
    return None if cell is None else read(cell)


def integer_in(cell: Cell) -> int:
    """A cell that must hold a whole number. Raises StoreError."""
    if not isinstance(cell, int):
        raise StoreError(f"the store is damaged: {cell!r} stands where a number should be")
    return cell


def same(numbers: Sequence[int], others: Sequence[int]) -> bool:
    """Whether two sequences hold the same numbers, whatever kind of sequences they are."""
    return numbers is others or numbers == others or list(numbers) == list(others)
