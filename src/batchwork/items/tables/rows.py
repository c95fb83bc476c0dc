"""Rows of a table from its columns, with a bad row for each that has a value without a form. Where columns come from is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from batchwork.items.files.streams import standing
from batchwork.items.tables.cells import NoForm, plain
from batchwork.ports import BadRow, Row, Rows
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import written_columns
from batchwork.text.wording import short

_PLAIN: Final = frozenset({str, int, bool, type(None)})
_FLOATS: Final = frozenset({float, type(None)})


def rows_of(name: str, names: Sequence[str], columns: Sequence[Sequence[Any]], numbers: Sequence[int]) -> Rows:
    """Mappings of names to values; `numbers` are their rows, from 1, in the table called `name`."""
    wrong: dict[int, tuple[str, str]] = {}
    sound = [_column(at, values, wrong) for at, values in zip(names, columns, strict=True)]
    if not wrong and (texts := written_columns(tuple(names), sound)) is not None:
        return Rows(name, texts, _lines(numbers))
    items: list[Row] = [dict(zip(names, row, strict=True)) for row in zip(*sound, strict=True)]
    for at, (column, what) in wrong.items():
        place = f"{name}:{numbers[at]}"
        text = short(repr({key: values[at] for key, values in zip(names, columns, strict=True)}), 2000)
        message = f"{place}: the column `{column}` holds {what}, which has no form as JSON data"
        items[at] = BadRow(place, text, message, "leave the column out, or convert it where it comes from")
    return Rows(name, items, _lines(numbers))


def _lines(numbers: Sequence[int]) -> Sequence[tuple[int, int]]:
    return [(0, numbers.start)] if isinstance(numbers, range) else standing(numbers)


def _column(name: str, values: Sequence[Any], wrong: dict[int, tuple[str, str]]) -> Sequence[Json]:
    """The values as JSON data; which of them cannot be is added to `wrong`."""
    kinds = {*map(type, values)}
    if kinds <= _PLAIN or (kinds <= _FLOATS and all(map(isfinite, filter(None, values)))):
        return values
    found: list[Json] = []
    for at, value in enumerate(values):
        try:
            found.append(plain(value))
        except NoForm as error:
            found.append(None)
            wrong.setdefault(at, (name, str(error)))
    return found
