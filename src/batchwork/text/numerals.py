"""Numerals: the decimal texts of whole numbers in a row, made when they are looked at. What they are keys of is not known here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload


class Numerals(Sequence[str]):
    """The texts of the numbers of a range. A million of them take no more room than two; equal to any sequence of the same texts."""

    __slots__ = ("numbers",)

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none

    def __init__(self, numbers: range) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Numerals: ...
    def __getitem__(self, at: int | slice) -> str | Numerals:
        found = self.numbers[at]
        return Numerals(found) if isinstance(found, range) else str(found)

    def __iter__(self) -> Iterator[str]:
        return map(str, self.numbers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Numerals):
            return self.numbers == other.numbers
        if isinstance(other, Sequence) and not isinstance(other, str | bytes):
            return [*self] == [*other]
        return NotImplemented

    def __repr__(self) -> str:
        return f"Numerals({self.numbers!r})"
