"""Which failed units `batchwork retry` chooses: with `--where`, an expression over one unit at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct, field

from batchwork.engine.unit.stored_value import can_run_again
from batchwork.errors import RenderError, UsageError, WorkflowError
from batchwork.model import StepRecord, StepStatus, UnitNote, UnitRecord, UnitStatus
from batchwork.ports import Store, UnitView
from batchwork.ports.recorded import ErrorView, item_of, unit_failure
from batchwork.template import Template, compile_template, unknown_names

NAMES: Final = frozenset({"step", "item", "key", "index", "attempts", "error"})
PAGE: Final = 500


def compile_where(where: str | None, names: frozenset[str] = NAMES) -> Template | None:
    """The expression of `--where`, None where it is not given. Raises UsageError."""
    if where is None:
        return None
    try:
        template = compile_template(f"{{{{ {where} }}}}")
    except WorkflowError as error:
        raise UsageError(f"--where {where!r}: {error.problems[0].message}", _HINT) from None
    if not template.lone:
        raise UsageError(f"--where {where!r} is not one expression", _HINT)
    problems = unknown_names(template, names)
    if problems:
        raise UsageError(f"--where {where!r}: {problems[0].message}", problems[0].hint)
    return template


_HINT = "for example --where \"error.type == 'timeout'\" or --where 'index < 10'"


class Chosen(Struct, frozen=True):
    """The failed units that get fresh attempts, by step: their seqs, or None for all of a step's.

    `unread` are steps with units that can run only with the values of the source; `left` how many of a step that is not
    read again stay failed for that reason. `reread`: all units get the values that the source has now.
    """

    steps: Mapping[str, tuple[int, ...] | None]
    unread: frozenset[str] = frozenset()
    left: Mapping[str, int] = field(default_factory=dict)
    reread: bool = False


def choose(store: Store, records: Iterable[StepRecord], where: Template | None, reread: bool = False) -> Chosen:
    """The failed units for which the expression is true, all where there is none, as far as they can be run again."""
    steps: dict[str, tuple[int, ...] | None] = {}
    unread, left = set(), {}
    for record in records:
        found, bare, left_out = list[int](), 0, False
        for view in _failed(store, record):
            if not _holds(where, view):
                left_out = True
            elif _has_value(record, view, reread):
                found.append(view.record.seq)
            elif record.status is StepStatus.SUCCEEDED:
                bare, left_out = bare + 1, True
            else:
                unread.add(record.name)
                found.append(view.record.seq)
        if found:
            steps[record.name] = tuple(found) if left_out else None
        if bare:
            left[record.name] = bare
    return Chosen(steps, frozenset(unread), left, reread)


def _has_value(record: StepRecord, view: UnitView, reread: bool) -> bool:
    """Whether the unit can run: with a new value, without any, or with what is recorded."""
    return reread or not record.batch or can_run_again(view.record)


def _failed(store: Store, record: StepRecord) -> Iterator[UnitView]:
    start = 0
    while page := store.units(record.number, UnitStatus.FAILED, start, PAGE):
        yield from page
        start += len(page)


def _holds(where: Template | None, view: UnitView) -> bool:
    if where is None:
        return True
    record = view.record
    scope = {
        "step": view.step,
        "item": item_of(record),
        "key": record.key,
        "index": record.index,
        "attempts": record.attempts,
        "error": ErrorView.of(unit_failure(record), record.attempts),
    }
    try:
        return is_true(where, scope)
    except UsageError:
        if is_bad_row(record) and "item" in where.roots:
            return False
        raise


def is_bad_row(record: UnitRecord) -> bool:
    """Whether its value is only the text that stands where an item should: it has no fields."""
    return record.note is UnitNote.BAD_ROW


def is_true(where: Template, scope: Mapping[str, object]) -> bool:
    """Whether the expression is true for one unit. Raises UsageError."""
    try:
        value = where.render(scope)
    except RenderError as error:
        raise UsageError(f"--where fails for {scope['key']!r}: {error.message}", _HINT) from None
    if not isinstance(value, bool):
        raise UsageError(f"--where must give true or false, and gives {value!r:.100} for {scope['key']!r}", _HINT)
    return value
