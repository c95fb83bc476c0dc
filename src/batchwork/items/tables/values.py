"""The values of a column of Arrow as Python has them, each by itself: what one is never depends on those beside it. Rows are not made here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from batchwork.items.packages import READING_TABLES
from batchwork.items.tables.cells import Formless, duration
from batchwork.plugins import needed


def values_of(column: Any) -> Sequence[Any]:
    """The values. Those that are finer than Python's times are texts with all their digits; those that cannot be read are Formless."""
    arrow = needed("pyarrow", READING_TABLES)
    kind = column.type
    if arrow.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if getattr(kind, "unit", "") == "ns":
        return _nanoseconds(column, arrow)
    return _read(column)


def _read(column: Any) -> Sequence[Any]:
    try:
        values: Sequence[Any] = column.to_pylist()
    except (ValueError, OverflowError):  # a year that Python's dates do not have, bytes that are not UTF-8
        values = [*_one_by_one(column)]
    return values


def _one_by_one(column: Any) -> Iterator[Any]:
    for value in column:
        try:
            yield value.as_py()
        except (ValueError, OverflowError) as error:
            reason = str(error).partition("\n")[0][:200]
            yield Formless(f"a value of type {column.type} that cannot be read ({reason})")


def _nanoseconds(column: Any, arrow: Any) -> Sequence[Any]:
    coarser = arrow.timestamp("us", column.type.tz) if arrow.types.is_timestamp(column.type) else None
    coarser = coarser or (arrow.time64("us") if arrow.types.is_time(column.type) else arrow.duration("us"))
    try:
        return _read(column.cast(coarser))
    except arrow.ArrowInvalid:  # one is finer
        counts = column.cast(arrow.int64()).to_pylist()
    micros = arrow.array([None if count is None else count // 1000 for count in counts], coarser)
    pairs = zip(_read(micros), counts, strict=True)
    return [value if count is None else _finer(value, count % 1000) for value, count in pairs]


def _finer(value: Any, nanos: int) -> Any:
    """A time of whole microseconds and some nanoseconds, which are 0 to 999 and come later."""
    if not nanos or isinstance(value, Formless):
        return value
    if isinstance(value, dt.timedelta):
        return duration(value, nanos)
    text = value.isoformat(timespec="microseconds")
    seconds, _, fraction = text.partition(".")
    return f"{seconds}.{fraction[:6]}{nanos:03}{fraction[6:]}"
