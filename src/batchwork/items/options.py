"""The fields of `items: {from: SOURCE, …}`: their types, defaults, documentation, and what is wrong with those written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec

from batchwork.text.jsontext import Json
from batchwork.text.spelling import suggest


def _doc(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class RangeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whole numbers in a row."""

    start: Annotated[int, _doc("the first number")] = 0
    stop: Annotated[int | None, _doc("where the numbers end; it is not one of them")] = None
    step: Annotated[int, _doc("the distance between two numbers; negative counts down")] = 1
    count: Annotated[int | None, _doc("how many numbers there are, instead of `stop`")] = None


class LinesOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines of a text file, without empty ones."""

    path: Annotated[str, _doc("the file; relative paths start where batchwork was started")]


class JsonlOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON values of a file that has one in each line."""

    path: Annotated[str, _doc("the file; relative paths start where batchwork was started")]


class CommandOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a command prints."""

    command: Annotated[str, _doc("run by /bin/sh in the working directory; it must end with exit code 0")]
    format: Annotated[Literal["lines", "jsonl"], _doc("how its output is read")] = "lines"


Options: TypeAlias = RangeOptions | LinesOptions | JsonlOptions | CommandOptions

SOURCES: Mapping[str, type[Options]] = {
    "range": RangeOptions,
    "lines": LinesOptions,
    "jsonl": JsonlOptions,
    "command": CommandOptions,
}
"""What may stand after `from:`."""

LATER = frozenset({"glob", "csv", "parquet", "sql", "http"})
"""Sources of a later milestone, which are refused by name."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with the fields; `field` is the one to point at, "from" for the source itself."""

    field: str
    message: str
    hint: str = ""


def check(source: str, constants: Mapping[str, Json], dynamic: Collection[str] = ()) -> list[Fault]:
    """All that is wrong with the fields beside `from: SOURCE`. `dynamic` are the names of fields whose value is not known yet."""
    if source not in SOURCES:
        if source in LATER:
            return [Fault("from", f"items from `{source}` are not there yet", f"there are: {', '.join(SOURCES)}")]
        hint = suggest(source, SOURCES) or f"there are: {', '.join(SOURCES)}"
        return [Fault("from", f"there is no source `{source}`", hint)]
    kind = SOURCES[source]
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    written = [*constants, *dynamic]
    found = [
        Fault(
            name, f"`from: {source}` has no field `{name}`", suggest(name, fields) or f"its fields: {', '.join(fields)}"
        )
        for name in written
        if name not in fields
    ]
    for name, field in fields.items():
        if name not in written and field.required:
            found.append(Fault("from", f"`from: {source}` needs the field `{name}`"))
        elif name in constants and (wrong := _wrong(source, field, constants[name])):
            found.append(Fault(name, wrong))
    if kind is RangeOptions:
        found += _check_range(constants, written)
    return found


def options(source: str, values: Mapping[str, Json]) -> Options:
    """The fields as values. Raises ValueError with everything that `check` finds, one a line."""
    if found := check(source, values):
        raise ValueError(
            "\n".join(f"{fault.message} ({fault.hint})" if fault.hint else fault.message for fault in found)
        )
    return msgspec.convert(dict(values), SOURCES[source])


def _wrong(source: str, field: msgspec.structs.FieldInfo, value: Json) -> str:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        return f"`{field.name}` of `from: {source}` must be {_expected(field)}, not {_short(value)}"
    return ""


def _expected(field: msgspec.structs.FieldInfo) -> str:
    if field.name == "format":
        return "lines or jsonl"
    return "a text" if field.name in {"path", "command"} else "a whole number"


def _short(value: Json) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return "null" if value is None else text if len(text) <= 40 else text[:37] + "…"


def _check_range(constants: Mapping[str, Json], written: Collection[str]) -> list[Fault]:
    found = []
    if "stop" in written and "count" in written:
        found.append(Fault("count", "a range has `stop` or `count`, not both"))
    elif "stop" not in written and "count" not in written:
        found.append(Fault("from", "a range needs `stop` or `count`", "for example {from: range, stop: 10}: 0 to 9"))
    if constants.get("step") == 0:
        found.append(Fault("step", "`step` of a range must not be 0"))
    count = constants.get("count")
    if type(count) is int and count < 0:
        found.append(Fault("count", f"`count` must not be negative, not {count}"))
    return found
