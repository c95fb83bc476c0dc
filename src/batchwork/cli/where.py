"""`--where` of commands that look at units: an expression over one unit at a time, and the one that picks alike failures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from batchwork.cli.failures import split_kind
from batchwork.engine.run.choose_failed import compile_where, is_bad_row, is_true
from batchwork.errors import UsageError
from batchwork.ports.recorded import ErrorView, item_of
from batchwork.ports.store import UnitView
from batchwork.template import Template
from batchwork.text.jsontext import decode
from batchwork.text.patterns import pattern

if TYPE_CHECKING:
    from batchwork.text.alike import Alike

NAMES = frozenset({"step", "index", "key", "status", "attempts", "item", "result", "error"})
_CODES = {"exit": "exit_code", "http": "status_code"}
_differing = pattern(r"N|ID|URL|PATH|'…'")
"""What stands in a pattern for the parts that differ, also within words: `UTFN`."""
_said = pattern(r"[\w .,:;()/-]{4,60}")
"""What may stand in an expression in quotes on a command line, whatever the shell."""


def chosen_by(views: Iterable[UnitView], where: str | None) -> Iterable[UnitView]:
    """The units for which the expression is true, all without one. Raises UsageError."""
    template = compile_where(where, NAMES)
    if template is None:
        return views
    return (view for view in views if holds(template, _scope(view), is_bad_row(view.record)))


def holds(where: Template, scope: Mapping[str, object], bad_row: bool = False) -> bool:
    """Whether it is true; not where it uses a result or an error that is not there, or a field of a bad row."""
    lacking = {name for name in ("result", "error") if scope[name] is None}
    if bad_row:
        lacking.add("item")
    try:
        return is_true(where, scope)
    except UsageError:
        if not lacking.isdisjoint(where.roots):
            return False
        raise


def _scope(view: UnitView) -> dict[str, object]:
    record = view.record
    error = None if record.failure is None else ErrorView.of(record.failure, record.attempts)
    return {
        "step": view.step,
        "index": record.index,
        "key": record.key,
        "status": view.status,
        "attempts": record.attempts,
        "item": item_of(record),
        "result": record.result and decode(record.result),
        "error": error,
    }


# ---------------------------------------------------------------- which expression picks a group of failures


def within(step: str | None, where: str | None) -> list[str]:
    """What `--step` and `--where` have already chosen, as expressions."""
    return [f"step == '{step}'"] * (step is not None) + [f"({where})"] * (where is not None)


def picking(alike: Alike, groups: Sequence[Alike], chosen: Sequence[str] = ()) -> str:
    """An expression that is true for these failures and for those of no other group; empty where none is found.

    `chosen` are expressions for what all groups have in common.
    """
    others = [group for group in groups if group is not alike and group.type == alike.type]
    parts = [_by_kind(alike.type)]
    if any(group.step != alike.step for group in others):
        parts.insert(0, f"step == '{alike.step}'")
    beside = [group for group in others if group.step == alike.step]
    if beside:
        parts.append(_by_message(alike, beside))
    return " and ".join([*chosen, *parts]) if all(parts) else ""


def _by_kind(text: str) -> str:
    word, code = split_kind(text)
    if code is not None:
        return f"error.{_CODES[word]} == {code}"
    return f"error.type == '{word}'" if _said.fullmatch(word) else ""


def _by_message(alike: Alike, beside: Sequence[Alike]) -> str:
    """The longest words that all of its messages have, as far as they are known, and those of no other group."""
    own = [message for _, message in alike.examples]
    foreign = [message for group in beside for _, message in group.examples]
    for words in sorted(_words(alike.pattern), key=len, reverse=True):
        if all(words in message for message in own) and not any(words in message for message in foreign):
            return f"'{words}' in error.message"
    return ""


def _words(text: str) -> Iterator[str]:
    for part in _differing.split(text):
        yield from (found.strip() for found in _said.findall(part))
