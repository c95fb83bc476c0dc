"""`batchwork tasks`: the task types there are and their fields, as the types themselves declare them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from textwrap import wrap
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import msgspec

from batchwork.cli.options import HelpfulCommand, json_option
from batchwork.errors import UsageError
from batchwork.plugins import find_task, task_names
from batchwork.spec.field import REQUIRED, declared, default_text
from batchwork.spec.fields.batch import BatchSettings, BatchSpec
from batchwork.text.jsontext import encode
from batchwork.text.spelling import listing, suggest
from batchwork.view.streams import Stdout, width

_WORDS: dict[object, str] = {
    Any: "anything",
    str: "text",
    bool: "true/false",
    int: "integer",
    float: "number",
    dict: "mapping",
    list: "list",
}
BATCH = "batch"


@click.command("tasks", cls=HelpfulCommand)
@click.argument("name", required=False, metavar="[TASK]")
@json_option("One JSON object a line for each task type.")
def tasks_command(name: str | None, as_json: bool) -> None:
    """List the task types and their fields, or those of TASK only."""
    names = sorted([*task_names(), BATCH])
    if name is not None:
        if name not in names:
            raise UsageError(f"there is no task type `{name}`", suggest(name, names) or f"there are {listing(names)}")
        names = [name]
    out = Stdout()
    for each in names:
        if as_json:
            fields = [
                {"name": field, "type": kind, "default": default, "help": text}
                for field, kind, default, text in _fields(each)
            ]
            out.json(encode({"task": each, "description": _about(each), "fields": fields}))
        else:
            _show(out, each)
    out.flush()


def _show(out: Stdout, name: str) -> None:
    for line in wrap(f"{name}: {_about(name)}", width() - 1):
        out.line(line)
    rows = list(_fields(name))
    if rows:
        left = [f"{field} ({', '.join(filter(None, (kind, default)))})" for field, kind, default, _ in rows]
        column = min(max(map(len, left)), 40)
        for head, (*_, text) in zip(left, rows, strict=True):
            for line in _folded(head, column, text):
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


def _about(name: str) -> str:
    """The first sentences of the type's docstring."""
    text = inspect.getdoc(BatchSettings if name == BATCH else type(find_task(name))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def _fields(name: str) -> Iterator[tuple[str, str, str, str]]:
    """(name, type, default, description) of each field."""
    if name == BATCH:
        yield from _batch_fields()
        return
    for field in msgspec.structs.fields(find_task(name).Fields):
        if field.required:
            default = "required"
        elif field.default in (msgspec.NODEFAULT, None, msgspec.UNSET, ""):
            default = ""
        else:
            default = f"default {field.default if isinstance(field.default, str) else encode(field.default)}"
        yield field.encode_name, _type_name(field.type), default, _description(field.type)


def _batch_fields() -> Iterator[tuple[str, str, str, str]]:
    for kind in (BatchSpec, BatchSettings):
        for attribute, field in declared(kind).items():
            yield field.name, field.reader.kind, _in_words(default_text(kind, attribute, field)), field.text


def _in_words(default: str) -> str:
    if default in {"", REQUIRED}:
        return default
    return f"default {default}"


def _description(kind: object) -> str:
    """What `Annotated[…, Meta(description=…)]` says."""
    notes = getattr(kind, "__metadata__", ())
    return next((note.description for note in notes if isinstance(note, msgspec.Meta) and note.description), "")


def _type_name(kind: object) -> str:
    """A type in words: `text or list of text`."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin in (Union, UnionType):
        return _union_name(parts)
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin is list and parts:
        return f"list of {_type_name(parts[0])}"
    plain = origin or kind
    if isinstance(plain, type):
        return _WORDS.get(plain, plain.__name__.lower())
    return "anything"


def _union_name(parts: tuple[object, ...]) -> str:
    names = [_type_name(part) for part in parts if part not in (type(None), msgspec.UnsetType)]
    if "anything" in names:
        return "anything"
    return " or ".join(dict.fromkeys(names))
