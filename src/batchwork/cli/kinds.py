"""How `batchwork tasks` and `batchwork sources` show a kind: what it is about, and its fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from msgspec import Struct

from batchwork.errors import UsageError
from batchwork.spec.struct_fields import REQUIRED, DeclaredField
from batchwork.text.jsontext import encode
from batchwork.text.spelling import listing, suggest
from batchwork.view.streams import Stdout, width


class Kind(Struct, frozen=True):
    """One task type or item source."""

    name: str
    about: str
    fields: Sequence[DeclaredField]


def chosen(name: str | None, names: Iterable[str], noun: str) -> list[str]:
    """All names, sorted, or the one that was asked for. Raises UsageError where there is none of that name."""
    there = sorted(names)
    if name is None:
        return there
    if name not in there:
        raise UsageError(f"there is no {noun} `{name}`", suggest(name, there) or f"there are {listing(there)}")
    return [name]


def about(kind: object) -> str:
    """The first sentences of a class's docstring."""
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def show_kinds(label: str, kinds: Iterable[Kind], as_json: bool) -> None:
    """Print them, as text or one JSON object a line, in which `label` is what holds the name."""
    out = Stdout()
    for kind in kinds:
        if as_json:
            fields = [
                {"name": field.name, "type": field.type, "default": _in_words(field.default), "help": field.text}
                for field in kind.fields
            ]
            out.json(encode({label: kind.name, "description": kind.about, "fields": fields}))
        else:
            _show(out, kind)
    out.flush()


def _show(out: Stdout, kind: Kind) -> None:
    for line in wrap(f"{kind.name}: {kind.about}", width() - 1):
        out.line(line)
    left = [
        f"{field.name} ({', '.join(filter(None, (field.type, _in_words(field.default))))})" for field in kind.fields
    ]
    column = min(max(map(len, left), default=0), 40)
    for head, field in zip(left, kind.fields, strict=True):
        for line in _folded(head, column, field.text):
            out.line(line)
    out.line()


def _folded(head: str, column: int, text: str) -> Iterator[str]:
    lines = wrap(text, max(width() - column - 6, 20)) or [""]
    if len(head) > column:
        yield f"    {head}"
    else:
        yield f"    {head.ljust(column)}  {lines.pop(0)}".rstrip()
    for line in filter(None, lines):
        yield f"    {' ' * column}  {line}"


def _in_words(default: str) -> str:
    if default in {"", REQUIRED}:
        return default
    return f"default {default}"
