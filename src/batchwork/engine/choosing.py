"""Which failed units `batchwork retry --where` chooses: an expression over one unit at a time. What is done with them is revival.py's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from batchwork.engine.error_view import ErrorView
from batchwork.engine.results import failure_of, item_of
from batchwork.errors import RenderError, UsageError, WorkflowError
from batchwork.model import StepRecord, UnitStatus
from batchwork.ports import Store, UnitView
from batchwork.template import Template, compile_template, unknown_names

NAMES: Final = frozenset({"item", "key", "index", "attempts", "error"})
PAGE: Final = 500


def compile_where(where: str) -> Template:
    """The expression of `--where`. Raises UsageError."""
    try:
        template = compile_template(f"{{{{ {where} }}}}")
    except WorkflowError as error:
        raise UsageError(f"--where {where!r}: {error.problems[0].message}", _HINT) from None
    if not template.lone:
        raise UsageError(f"--where {where!r} is not one expression", _HINT)
    problems = unknown_names(template, NAMES)
    if problems:
        raise UsageError(f"--where {where!r}: {problems[0].message}", problems[0].hint)
    return template


_HINT = "for example --where \"error.type == 'timeout'\"; the names are item, key, index, attempts, error"


def choose(store: Store, records: Iterable[StepRecord], where: Template | None) -> dict[str, tuple[int, ...] | None]:
    """For each step that has chosen failed units, their seqs; None for all of them, where no choice is made."""
    if where is None:
        return {record.name: None for record in records if store.units(record.number, UnitStatus.FAILED, 0, 1)}
    chosen: dict[str, tuple[int, ...] | None] = {}
    for record in records:
        seqs = tuple(view.record.seq for view in _failed(store, record) if _holds(where, view))
        if seqs:
            chosen[record.name] = seqs
    return chosen


def _failed(store: Store, record: StepRecord) -> Iterator[UnitView]:
    start = 0
    while page := store.units(record.number, UnitStatus.FAILED, start, PAGE):
        yield from page
        start += len(page)


def _holds(where: Template, view: UnitView) -> bool:
    record = view.record
    scope = {
        "item": item_of(record),
        "key": record.key,
        "index": record.index,
        "attempts": record.attempts,
        "error": ErrorView.of(failure_of(record), record.attempts),
    }
    try:
        value = where.render(scope)
    except RenderError as error:
        raise UsageError(f"--where fails for {record.key!r}: {error.message}", _HINT) from None
    if not isinstance(value, bool):
        raise UsageError(f"--where must give true or false, and gives {value!r:.100} for {record.key!r}", _HINT)
    return value
