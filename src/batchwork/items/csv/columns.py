"""The columns of CSV text: their names, which are wanted, and what the texts in them mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from batchwork.errors import SourceError
from batchwork.items.csv.records import Record
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import Texts, record_type, written_all, written_structs
from batchwork.text.patterns import pattern
from batchwork.text.spelling import suggest
from batchwork.text.wording import plural, short

Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "infer"]
Convert: TypeAlias = Callable[[str], Json]

_WORDS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "yes", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "f", "n", "0"), False),
}
_FEW: Final = 1000
"""More digits may be more than Python reads."""
_BEGIN_NUMBERS: Final = frozenset("-0123456789")
_integer = pattern(r"\s*[+-]?[0-9]+\s*")
_number = pattern(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_usual_integer = pattern(r"-?(?:0|[1-9][0-9]{0,4000})")
_usual_number = pattern(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class Shape(Struct, frozen=True):
    """What was said of the columns beforehand. `encoding` is what the file is read in, for people."""

    header: bool = True
    columns: Sequence[str] | None = None
    types: Literal["text", "infer"] | Mapping[str, Kind] = "text"
    nulls: frozenset[str] = frozenset()
    encoding: str = "utf-8"

    def kind(self, name: str) -> Kind:
        """What the texts in a column mean."""
        return self.types if isinstance(self.types, str) else self.types.get(name, "text")


class Columns:
    """The columns of one file. `width` is how many fields its records have."""

    def __init__(self, there: Sequence[str], wanted: Sequence[str], shape: Shape) -> None:
        self.there, self.width, self.names = there, len(there), wanted
        self._places = [there.index(name) for name in wanted]
        self._converts = [_converter(shape.kind(name), shape.nulls) for name in wanted]
        self._as_they_are = wanted == there and not any(self._converts)
        kinds = {shape.kind(name) for name in wanted}
        self._make = None if kinds & {"number", "infer"} else record_type(tuple(wanted))

    def texts(self, rows: Sequence[Sequence[str]]) -> Texts | None:
        """The values of records. None where something is wrong with one, or it is blank."""
        if {*map(len, rows)} != {self.width}:
            return None
        try:
            values = rows if self._as_they_are else self._converted(rows)
            if self._make is not None:
                return written_structs([*starmap(self._make, values)])
            return written_all([dict(zip(self.names, row, strict=True)) for row in values])
        except ValueError:
            return None

    def value(self, record: Record) -> dict[str, Json]:
        """The value of one record. Raises ValueError, which says what is wrong with it."""
        if record.fault:
            raise ValueError(record.fault)
        if "\0" in record.text:
            raise ValueError(
                "there is a NUL byte, which no text has: is the file damaged, or in another `encoding`, such as utf-16?"
            )
        if len(record.fields) != self.width:
            raise ValueError(f"{plural(len(record.fields), 'field')} instead of {self.width}: {_listed(self.there)}")
        if self._as_they_are:
            return dict(zip(self.names, record.fields, strict=True))
        found: dict[str, Json] = {}
        for name, place, convert in zip(self.names, self._places, self._converts, strict=True):
            text = record.fields[place]
            try:
                found[name] = convert(text) if convert else text
            except ValueError as error:
                raise ValueError(f"`{name}` must be {error}, but it is {short(repr(text), 60)}") from None
        return found

    def _converted(self, rows: Sequence[Sequence[str]]) -> Any:
        columns = [*zip(*rows, strict=True)]
        pairs = zip(self._places, self._converts, strict=True)
        wanted = [map(convert, columns[place]) if convert else columns[place] for place, convert in pairs]
        return zip(*wanted, strict=True)


def columns_of(first: Record, shape: Shape, name: str) -> Columns:
    """The columns of a file whose first record this is. Raises SourceError."""
    if not shape.header:
        there = shape.columns or [f"column_{number}" for number in range(1, len(first.fields) + 1)]
        _check_types(shape, there, name)
        return Columns(there, there, shape)
    at = f"{name}:{first.number}"
    if first.fault or "\0" in first.text:
        reason = first.fault or "there is a NUL byte"
        raise SourceError(f"{at}: the header cannot be read: {reason}", "is it CSV, and in which `encoding`?")
    there = [*first.fields]
    wanted = there if shape.columns is None else shape.columns
    _check_there(wanted, there, at)
    _check_names(at, there, wanted)
    _check_types(shape, there, name)
    return Columns(there, wanted, shape)


def _check_there(wanted: Iterable[str], there: Sequence[str], at: str) -> None:
    for column in wanted:
        if column not in there:
            hint = suggest(column, there) or f"there are: {_listed(there)}"
            raise SourceError(f"{at}: there is no column `{column}`", hint)


def _check_names(at: str, there: Sequence[str], wanted: Sequence[str]) -> None:
    twice = [column for column, count in Counter(there).items() if count > 1 and column in wanted]
    hint = "name it in the file, or say which `columns` are wanted"
    if "" in wanted:
        raise SourceError(f"{at}: column {there.index('') + 1} of the header has no name", hint)
    if twice:
        places = " and ".join(str(place) for place, column in enumerate(there, 1) if column == twice[0])
        raise SourceError(f"{at}: the header names `{twice[0]}` more than once, in columns {places}", hint)


def _check_types(shape: Shape, there: Sequence[str], name: str) -> None:
    """`types` names columns that there are. Raises SourceError."""
    if not isinstance(shape.types, str):
        _check_there(shape.types, there, f"{name}, `types`")


def _listed(names: Sequence[str]) -> str:
    return short(", ".join(names), 100)


# ---------------------------------------------------------------- what texts mean


def _converter(kind: Kind, nulls: frozenset[str]) -> Convert | None:
    convert = _CONVERTERS[kind]
    if kind != "text":
        nulls |= {""}
    if not nulls:
        return convert
    if convert is None:
        return lambda text: None if text in nulls else text
    return lambda text: None if text in nulls else convert(text)


def _as_integer(text: str) -> Json:
    if len(text) < _FEW and text.isdigit() and text.isascii():
        return int(text)
    if _integer.fullmatch(text) is None:
        raise ValueError("a whole number")
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number of fewer digits") from None


def _as_number(text: str) -> Json:
    if text.isdigit() or ("." not in text and _integer.fullmatch(text) is not None):
        return _as_integer(text)
    if _number.fullmatch(text) is None or (number := float(text)) in {float("inf"), float("-inf")}:
        raise ValueError("a number")
    return number


def _as_boolean(text: str) -> Json:
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise ValueError("true or false") from None


def _inferred(text: str) -> Json:
    """A number where it is written as JSON writes one, true, false, else the text: `007` and `+1` stay what they are."""
    if text[:1] not in _BEGIN_NUMBERS:
        return _WORDS[text.lower()] if text.lower() in {"true", "false"} else text
    if _usual_integer.fullmatch(text) is not None:
        return int(text)
    if _usual_number.fullmatch(text) is not None and (number := float(text)) not in {float("inf"), float("-inf")}:
        return number
    return text


_CONVERTERS: Final[Mapping[Kind, Convert | None]] = {
    "text": None,
    "integer": _as_integer,
    "number": _as_number,
    "boolean": _as_boolean,
    "infer": _inferred,
}
