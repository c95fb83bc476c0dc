"""Failures of a run as commands show them: in words, as JSON, alike ones together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from batchwork.cli.look import units
from batchwork.model import Failure, StepRecord, UnitStatus
from batchwork.ports.store import Store, UnitView
from batchwork.report import error_json
from batchwork.text.jsontext import encode
from batchwork.text.wording import only_if, plural, short, visible

if TYPE_CHECKING:
    from batchwork.text.alike import Alike

KEY_MOST = 200
"""Columns of a key that are shown: commands take a key whole, and few are longer."""


def all_failures(
    store: Store, steps: Iterable[StepRecord], wanted: Callable[[Iterable[UnitView]], Iterable[UnitView]] | None = None
) -> Iterator[tuple[str, str, str, str]]:
    """(step, key, kind, message) of everything that failed: units, and steps that failed by themselves.

    `wanted` takes a choice of the units; then steps do not count.
    """
    for step in steps:
        last = None
        failed: Iterable[UnitView] = units(store, step, UnitStatus.FAILED)
        for unit in failed if wanted is None else wanted(failed):
            last = unit.record.failure
            if last is not None:
                yield step.name, unit.record.key, kind(last), last.message
        if step.failure is not None and last is None and wanted is None:
            yield step.name, "", kind(step.failure), step.failure.message


def kind(failure: Failure) -> str:
    """The type of a failure with its code, where the code says more: `exit 7`, `http 404`."""
    code = {"exit": failure.exit_code, "http": failure.status_code}.get(failure.type)
    if code is None:
        return failure.type
    return f"{failure.type} {code}"


def split_kind(text: str) -> tuple[str, int | None]:
    """The two parts of what `kind` gives."""
    word, _, code = text.rpartition(" ")
    if word in ("exit", "http") and code.isdigit():
        return word, int(code)
    return text, None


def error_line(failure: Failure | None) -> str:
    """`exit 7: no such thing`; empty without a failure."""
    if failure is None:
        return ""
    return f"{kind(failure)}: {failure.message}"


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


def group_lines(groups: Iterable[Alike]) -> Iterator[str]:
    """What failed, for people: how many, where, the first message, the first keys."""
    for alike in groups:
        message = alike.pattern
        if alike.examples:
            message = short(visible(alike.examples[0][1]), 300)
        yield f"{visible(alike.step)}: {plural(alike.count, 'failure')} ({visible(alike.type)})"
        yield f"    {visible(message)}"
        yield from _key_line(alike)


def _key_line(alike: Alike) -> Iterator[str]:
    keys = [short(visible(key), KEY_MOST) for key, _ in alike.examples if key]
    if not keys:
        return
    if alike.count == 1:
        yield f"    key: {keys[0]}"
        return
    more = alike.count - len(keys)
    yield f"    keys: {', '.join(keys)}{only_if(more, f' and {more:,} more')}"
