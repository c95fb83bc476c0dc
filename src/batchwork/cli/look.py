"""Finding in the store what a command looks at: the run, its steps, its units page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from batchwork import compose
from batchwork.clock import SystemClock
from batchwork.errors import UsageError
from batchwork.model import RunRecord, StepRecord, UnitNote, UnitRecord
from batchwork.ports.recorded import value_text
from batchwork.ports.store import ListedStatus, Store, UnitView
from batchwork.text.jsontext import decode, default_key, encode
from batchwork.text.spelling import suggest
from batchwork.view.streams import note

PAGE_UNITS = 1000


def looking(where: str | None) -> AbstractContextManager[Store]:
    """The store that `--store` names, for looking only; closed at the end. Raises StoreError where there is none."""
    return compose.open_to_look(where, lambda text: note(f"warning: {text}"))


def the_steps(store: Store, run: RunRecord, step: str | None) -> list[StepRecord]:
    """The run's steps in order, or the one of that name. Raises UsageError."""
    steps = sorted(store.steps(run.id), key=lambda record: record.order)
    if step is None:
        return steps
    found = [record for record in steps if record.name == step]
    if not found:
        names = [record.name for record in steps]
        raise UsageError(
            f"run `{run.id}` has no step `{step}`", suggest(step, names) or f"its steps are: {', '.join(names)}"
        )
    return found


def units(store: Store, step: StepRecord, status: ListedStatus | None = None) -> Iterator[UnitView]:
    """The units of a step in input order, read a page at a time."""
    start = 0
    while True:
        page = store.units(step.number, status, start, PAGE_UNITS)
        yield from page
        if len(page) < PAGE_UNITS:
            return
        start += len(page)


def units_of_key(store: Store, steps: Sequence[StepRecord], text: str) -> list[tuple[StepRecord, UnitView]]:
    """The units whose key is `text`, or the key of the item that is this text."""
    found: list[tuple[StepRecord, UnitView]] = []
    for key in dict.fromkeys((text, default_key(text))):
        for step in steps:
            found += [(step, unit) for unit in store.units(step.number, key=key)]
        if found:
            break
    return found


def item_text(unit: UnitView) -> str:
    """The item as JSON text; `null` where it is not known."""
    return value_text(unit.record) or "null"


def seconds_taken(unit: UnitView) -> float:
    """How long its last attempt took, or has been running."""
    if unit.status == "running":
        return max(0.0, (SystemClock().wall_ms() - unit.record.started_ms) / 1000)
    return unit.record.duration_us / 1e6


def note_words(record: UnitRecord) -> str:
    """What else there is to say of a unit; mostly nothing."""
    if record.gone is not None:
        return f"no longer in its source (was {record.gone})"
    if record.note is UnitNote.CLAIMED:
        return ""  # only that its value is not known
    return record.note or ""


def readable(text: str | None) -> str:
    """A JSON text with its letters as letters, for people; empty for None."""
    if text is None or "\\u" not in text:
        return text or ""
    return encode(decode(text))
