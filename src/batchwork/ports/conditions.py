"""What a filter says of the columns of a table, as far as it is simple. Filters are not read here, and no table is."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Constant: TypeAlias = str | int | float | bool
Comparison: TypeAlias = Literal["eq", "ne", "lt", "lteq", "gt", "gteq"]


class Compared(Struct, frozen=True):
    """A column beside a constant."""

    column: str
    how: Comparison
    constant: Constant


class OneOf(Struct, frozen=True):
    """A column holds one of these."""

    column: str
    constants: tuple[Constant, ...]


class IsNull(Struct, frozen=True):
    """A column holds nothing."""

    column: str


class IsTrue(Struct, frozen=True):
    """A column of truth values, by itself."""

    column: str


class Both(Struct, frozen=True):
    """One condition and then another, which counts only where the first is met."""

    first: Condition
    then: Condition


class Either(Struct, frozen=True):
    """One condition or else another, which counts only where the first is not met."""

    first: Condition
    otherwise: Condition


class Opposite(Struct, frozen=True):
    """A condition is not met."""

    of: Condition


class Unclear(Struct, frozen=True):
    """Anything else: only whoever knows the whole of an item can tell."""


Condition: TypeAlias = Compared | OneOf | IsNull | IsTrue | Both | Either | Opposite | Unclear
