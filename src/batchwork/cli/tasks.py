"""`batchwork tasks`: the task types there are and their fields, as the types themselves declare them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
import msgspec

from batchwork.cli.options import Command, json_option
from batchwork.cli.output import Output, width
from batchwork.errors import UsageError
from batchwork.jsontext import encode
from batchwork.plugins import find_task, task_names
from batchwork.spelling import listing, suggest

_TYPES = {
    "str": "text",
    "bool": "true/false",
    "int": "integer",
    "float": "number",
    "dict": "mapping",
    "Json": "anything",
}


@click.command("tasks", cls=Command)
@click.argument("name", required=False, metavar="[TASK]")
@json_option("One JSON object a line for each task type.")
def tasks_command(name: str | None, as_json: bool) -> None:
    """List the task types and their fields, or those of TASK only. `batch` is described in the manual."""
    names = task_names()
    if name is not None:
        if name not in names:
            raise UsageError(f"there is no task type `{name}`", suggest(name, names) or f"there are {listing(names)}")
        names = [name]
    out = Output()
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


def _show(out: Output, name: str) -> None:
    out.line(f"{name}  {_about(name)}".rstrip())
    rows = list(_fields(name))
    if rows:
        left = [f"{field} ({kind}{', ' + default if default else ''})" for field, kind, default, _ in rows]
        column = min(max(map(len, left)), 40)
        for head, (*_, text) in zip(left, rows, strict=True):
            for line in _folded(head, column, text):
                out.line(line)
    out.line()


def _folded(head: str, column: int, text: str) -> Iterator[str]:
    from textwrap import wrap

    lines = wrap(text, max(width() - column - 6, 20)) or [""]
    if len(head) > column:
        yield f"    {head}"
    else:
        yield f"    {head.ljust(column)}  {lines.pop(0)}".rstrip()
    for line in filter(None, lines):
        yield f"    {' ' * column}  {line}"


def _about(name: str) -> str:
    """The first sentence of the type's docstring."""
    text = inspect.getdoc(type(find_task(name))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def _fields(name: str) -> Iterator[tuple[str, str, str, str]]:
    """(name, type, default, description) of each field."""
    kind = find_task(name).Fields
    documented = _documentation(kind)
    for field in msgspec.structs.fields(kind):
        if field.required:
            default = "required"
        elif field.default is msgspec.NODEFAULT or field.default in (None, msgspec.UNSET, ""):
            default = ""
        else:
            default = f"default {encode(field.default) if not isinstance(field.default, str) else field.default}"
        yield field.encode_name, _type_name(field.type), default, documented.get(field.name, "")


def _documentation(kind: type) -> dict[str, str]:
    """What `Annotated[…, Meta(description=…)]` says of each field."""
    schema = msgspec.json.schema_components([kind])[1].get(kind.__name__, {})
    return {name: str(about.get("description", "")) for name, about in schema.get("properties", {}).items()}


def _type_name(kind: object) -> str:
    text = getattr(kind, "__name__", None) or str(kind)
    return _TYPES.get(text, text.replace("typing.", ""))
