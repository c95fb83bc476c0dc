"""Finding what a looking command was asked for in the store: the run, its steps, its units page by page. Prints nothing but warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal

from batchwork import compose
from batchwork.engine.unit.stored_value import value_text
from batchwork.errors import UsageError
from batchwork.model import Failure, RunRecord, StepRecord, UnitStatus
from batchwork.ports.store import Store, UnitView
from batchwork.report import error_json
from batchwork.text.jsontext import decode, default_key, encode
from batchwork.text.spelling import suggest
from batchwork.view.streams import note

PAGE = 1000

Wanted = UnitStatus | Literal["in_doubt"] | None


def looking(where: str | None) -> AbstractContextManager[Store]:
    """The store that `--store` names, for looking only; closed at the end. Raises StoreError where there is none."""
    return compose.looking(where, lambda text: note(f"warning: {text}"))


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


def units(store: Store, step: StepRecord, status: Wanted = None) -> Iterator[UnitView]:
    """The units of a step in input order, read a page at a time."""
    start = 0
    while True:
        page = store.units(step.number, status, start, PAGE)
        yield from page
        if len(page) < PAGE:
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


def readable(text: str | None) -> str:
    """A JSON text with its letters as letters, for people; empty for None."""
    if text is None or "\\u" not in text:
        return text or ""
    return encode(decode(text))


def unit_json(unit: UnitView) -> str:
    """One line of `items --json`. Items and results stand as they are stored, digit by digit."""
    record = unit.record
    error = error_object(record.failure)
    return (
        f'{{"step":{encode(unit.step)},"index":{encode(record.index)},"key":{encode(record.key)},'
        f'"status":"{unit.status}","attempts":{record.attempts},"item":{item_text(unit)},'
        f'"result":{record.result or "null"},"error":{error},"duration":{record.duration_us / 1e6:.6f}}}'
    )


def error_object(failure: Failure | None) -> str:
    """A failure as JSON text: type, message, codes, traceback and what there was of a result."""
    if failure is None:
        return "null"
    text = encode(error_json(failure))
    if failure.traceback:
        text = f'{text[:-1]},"traceback":{encode(failure.traceback)}}}'
    if failure.result is not None:
        text = f'{text[:-1]},"result":{failure.result}}}'
    return text


def error_line(failure: Failure | None) -> str:
    """`exit 7: no such thing`; empty without a failure."""
    return "" if failure is None else f"{kind(failure)}: {failure.message}"


def kind(failure: Failure) -> str:
    """The type of a failure with its code, where the code says more: `exit 7`, `http 404`."""
    if failure.type == "exit" and failure.exit_code is not None:
        return f"exit {failure.exit_code}"
    if failure.type == "http" and failure.status_code is not None:
        return f"http {failure.status_code}"
    return failure.type


def split_kind(text: str) -> tuple[str, int | None]:
    """The two parts of what `kind` gives."""
    word, _, code = text.rpartition(" ")
    return (word, int(code)) if word in ("exit", "http") and code.isdigit() else (text, None)


def failures(store: Store, steps: Iterable[StepRecord]) -> Iterator[tuple[str, str, str, str]]:
    """(step, key, kind, message) of everything that failed: units, and steps that failed by themselves."""
    for step in steps:
        last = None
        for unit in units(store, step, UnitStatus.FAILED):
            last = unit.record.failure
            if last is not None:
                yield step.name, unit.record.key, kind(last), last.message
        if step.failure is not None and last is None:
            yield step.name, "", kind(step.failure), step.failure.message
