"""The fields of `items: {from: SOURCE, …}`: checked against what the source declares, and the source opened with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from batchwork.errors import SourceError
from batchwork.plugins import find_source
from batchwork.ports import FieldFault, ItemSource, SourceType
from batchwork.text.jsontext import Json
from batchwork.text.spelling import suggest_field
from batchwork.text.wording import short

_WORDS: Final[Mapping[object, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


def open_source(name: str, values: Mapping[str, Json], cwd: str, environ: Mapping[str, str]) -> ItemSource:
    """The source of that name. Nothing is read and no command runs before its first page is asked for. Raises SourceError."""
    try:
        source = find_source(name)
    except KeyError:
        raise SourceError(f"items: there is no source `{name}`") from None
    faults = check_fields(source, values)
    if faults:
        raise SourceError("items: " + "\n".join(map(_line, faults)))
    return source.open(msgspec.convert(_gathered(source, values), source.Fields), cwd, environ)


def _gathered(source: SourceType, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of fields, with all that is not declared in the field that takes it."""
    if not source.further:
        return dict(values)
    declared = {field.encode_name for field in msgspec.structs.fields(source.Fields)}
    others = {name: value for name, value in values.items() if name not in declared}
    given = {name: value for name, value in values.items() if name in declared}
    return {**given, source.further: {**given.get(source.further, {}), **others}}


def check_fields(source: SourceType, constants: Mapping[str, Json], dynamic: Collection[str] = ()) -> list[FieldFault]:
    """All that is wrong with the fields beside `from:`. `dynamic` are the names of fields whose value is not known yet."""
    declared = {field.encode_name: field for field in msgspec.structs.fields(source.Fields)}
    written = [*constants, *dynamic]
    found = [*_unknown(source, written, declared)]
    sound: dict[str, Json] = {}
    for name, field in declared.items():
        if name in constants:
            wrong = _mistyped(source, field, constants[name])
            if wrong is None:
                sound[name] = constants[name]
            else:
                found.append(wrong)
        elif field.required and name not in written:
            found.append(FieldFault("from", f"`from: {source.name}` needs the field `{name}`"))
    return [*found, *source.check(sound, written)]


def _line(fault: FieldFault) -> str:
    return f"{fault.message} ({fault.hint})" if fault.hint else fault.message


def _unknown(source: SourceType, written: Collection[str], declared: Collection[str]) -> Iterator[FieldFault]:
    """A fault for each field that there is not, where all must be declared."""
    for name in () if source.further else written:
        if name not in declared:
            hint = suggest_field(name, declared) or f"its fields: {', '.join(declared)}"
            yield FieldFault(name, f"`from: {source.name}` has no field `{name}`", hint)


def _mistyped(source: SourceType, field: FieldInfo, value: Json) -> FieldFault | None:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        name = field.encode_name
        message = f"`{name}` of `from: {source.name}` must be {_expected(field.type)}, not {_short(value)}"
        return FieldFault(name, message)
    return None


def _expected(kind: Any) -> str:
    """A field's type in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _expected(parts[0])
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin in _WORDS or not parts:
        return _WORDS.get(origin or kind, "of another type")
    return " or ".join(_expected(part) for part in parts if part is not type(None))


def _short(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return short(repr(value), 40)
