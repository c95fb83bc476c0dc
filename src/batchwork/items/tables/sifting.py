"""Rows of a batch that a filter surely does not take, left out by Arrow before they become values. The filter itself has the last word.

What is left out must be what the filter gives `false` for, as it sees the row: as JSON data. A row stays where the filter could fail,
as on nothing beside a number. It stays where it is a bad row whatever the filter says (NaN), and where Arrow compares otherwise than
Python, as a whole number with a fraction. A batch in which a value cannot be read at all stays whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, assert_never

from batchwork.items.packages import READING_TABLES
from batchwork.plugins import needed
from batchwork.ports.conditions import (
    Both,
    Compared,
    Condition,
    Constant,
    Either,
    IsNull,
    IsTrue,
    OneOf,
    Opposite,
    Unclear,
)

_EXACT_MOST: Final = 2**53
"""Floats hold all whole numbers up to this one."""


class _Verdict(NamedTuple):
    """For each row whether the condition is surely met, and whether it surely is not: two columns of Arrow without nulls."""

    met: Any
    unmet: Any


def kept(batch: Any, condition: Condition) -> Sequence[int]:
    """Where in the batch the rows stand that the condition may take."""
    arrow, compute = needed("pyarrow", READING_TABLES), needed("pyarrow.compute", READING_TABLES)
    everything = range(batch.num_rows)
    dropped = _Judge(batch).verdict(condition).unmet
    if not compute.any(dropped, min_count=0).as_py():
        return everything
    for column in batch.columns:
        if arrow.types.is_floating(column.type):
            dropped = compute.and_(dropped, compute.fill_null(compute.is_finite(column), True))
        elif not has_forms(column):
            return everything
    found: list[int] = compute.indices_nonzero(compute.invert(dropped)).to_pylist()
    return found


class _Judge:
    """Judges the rows of one batch."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self._arrow = needed("pyarrow", READING_TABLES)
        self._compute = needed("pyarrow.compute", READING_TABLES)

    def verdict(self, condition: Condition) -> _Verdict:
        """What is sure of each row."""
        match condition:
            case Both() | Either():
                return self._joined(condition)
            case Opposite(of):
                return _Verdict(*reversed(self.verdict(of)))
            case Unclear():
                return self._nothing()
            case Compared() | OneOf() | IsNull() | IsTrue():
                return self._of_column(condition)
            case _:
                assert_never(condition)

    def _joined(self, condition: Both | Either) -> _Verdict:
        """The second counts only where it is looked at: else an error in it would be overlooked, or made up."""
        both, either = self._compute.and_, self._compute.or_
        if isinstance(condition, Both):
            first, then = self.verdict(condition.first), self.verdict(condition.then)
            return _Verdict(both(first.met, then.met), either(first.unmet, both(first.met, then.unmet)))
        first, then = self.verdict(condition.first), self.verdict(condition.otherwise)
        return _Verdict(either(first.met, both(first.unmet, then.met)), both(first.unmet, then.unmet))

    def _of_column(self, condition: Compared | OneOf | IsNull | IsTrue) -> _Verdict:
        if self._batch.schema.names.count(condition.column) != 1:
            return self._nothing()
        column = self._batch.column(condition.column)
        if self._arrow.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        try:
            found = self._looked_at(column, condition)
        except (self._arrow.ArrowException, ValueError, OverflowError):
            found = None  # Arrow has no such comparison, or no such value
        return found or self._nothing()

    def _looked_at(self, column: Any, condition: Compared | OneOf | IsNull | IsTrue) -> _Verdict | None:
        match condition:
            case IsNull():
                null = self._compute.is_null(column)
                return _Verdict(null, self._compute.invert(null))
            case IsTrue():
                return self._told(column) if self._arrow.types.is_boolean(column.type) else None
            case OneOf(constants=constants):
                return self._one_of(column, constants)
            case Compared(how=how, constant=constant):
                return self._compared(column, how, constant)
            case _:
                assert_never(condition)

    def _told(self, truth: Any) -> _Verdict:
        """Where there is nothing, nothing is sure."""
        fill, invert = self._compute.fill_null, self._compute.invert
        return _Verdict(fill(truth, False), fill(invert(truth), False))

    def _one_of(self, column: Any, constants: Sequence[Constant]) -> _Verdict | None:
        alike = [self._alike(column, constant) for constant in constants]
        pairs = [pair for pair in alike if pair is not None]
        if not pairs or len(pairs) < len(alike):
            return None
        column = pairs[0][0]
        values = self._arrow.array([value.as_py() for _, value in pairs], column.type)
        found = self._compute.is_in(column, value_set=values)
        return _Verdict(found, self._compute.invert(found))

    def _compared(self, column: Any, how: str, constant: Constant) -> _Verdict | None:
        pair = self._alike(column, constant)
        if pair is None:
            return None
        if how not in ("eq", "ne"):
            named = {"lt": "less", "lteq": "less_equal", "gt": "greater", "gteq": "greater_equal"}[how]
            return self._told(getattr(self._compute, named)(*pair))
        equal = self._compute.fill_null(self._compute.equal(*pair), False)  # nothing is equal to no constant
        verdict = _Verdict(equal, self._compute.invert(equal))
        return verdict if how == "eq" else _Verdict(*reversed(verdict))

    def _alike(self, column: Any, constant: Constant) -> tuple[Any, Any] | None:
        """The column and the constant in a type in which Arrow compares them as Python compares their JSON data. May raise Arrow's errors."""
        if isinstance(constant, str):
            return self._alike_text(column, constant)
        types, kind = self._arrow.types, column.type
        if isinstance(constant, bool):
            fits = types.is_boolean(kind)
        elif types.is_integer(kind):
            fits = constant == int(constant)
            constant = int(constant)
        else:
            fits = types.is_float32(kind) or types.is_float64(kind)
            fits = fits and (isinstance(constant, float) or abs(constant) <= _EXACT_MOST)
            column = column.cast(self._arrow.float64()) if fits else column
        return (column, self._arrow.scalar(constant, column.type)) if fits else None

    def _alike_text(self, column: Any, constant: str) -> tuple[Any, Any] | None:
        types = self._arrow.types
        if types.is_date32(column.type):
            column = column.cast(self._arrow.string())
        fits = types.is_string(column.type) or types.is_large_string(column.type)
        return (column, self._arrow.scalar(constant, column.type)) if fits else None

    def _nothing(self) -> _Verdict:
        never = self._arrow.repeat(False, self._batch.num_rows)
        return _Verdict(never, never)


# ---------------------------------------------------------------- whether values have a form


def has_forms(column: Any, *, inside: bool = False) -> bool:
    """Whether all values of a column surely become JSON data. `inside`: of lists and structs."""
    arrow = needed("pyarrow", READING_TABLES)
    try:
        return _has_forms(column, arrow.types, inside)
    except (arrow.ArrowException, ValueError, OverflowError):  # a year beyond 9999, bytes that are not UTF-8
        return False


def _has_forms(column: Any, types: Any, inside: bool) -> bool:
    compute, kind = needed("pyarrow.compute", READING_TABLES), column.type
    if getattr(kind, "unit", "") == "ns":
        return not inside  # there they are rounded or refused, as the value is
    if types.is_string(kind) or types.is_large_string(kind):
        column.validate(full=True)
        return True
    if types.is_floating(kind):
        return bool(compute.all(compute.is_finite(column), min_count=0).as_py())
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_duration(kind):
        compute.min_max(column).as_py()
        return True
    return any(is_one(kind) for is_one in _always(types)) or _parts_have_forms(column, types)


def _parts_have_forms(column: Any, types: Any) -> bool:
    kind = column.type
    if types.is_dictionary(kind):
        return has_forms(column.dictionary_decode())
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return has_forms(column.flatten(), inside=True)
    return types.is_struct(kind) and all(has_forms(part, inside=True) for part in column.flatten())


def _always(types: Any) -> Sequence[Any]:
    """Kinds of which every value has one."""
    return (types.is_integer, types.is_boolean, types.is_null, types.is_decimal, types.is_time, types.is_binary)
