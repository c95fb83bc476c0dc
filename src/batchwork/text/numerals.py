"""Numerals: the decimal texts of whole numbers, made when they are looked at. What they are keys of is not known here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload


class Numerals(Sequence[str]):
    """The texts of numbers, a range mostly: a million of them take no more room than two. Equal to any sequence of the same texts."""

    __slots__ = ("numbers",)

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Numerals: ...
    def __getitem__(self, at: int | slice) -> str | Numerals:
        return Numerals(self.numbers[at]) if isinstance(at, slice) else str(self.numbers[at])

    def __iter__(self) -> Iterator[str]:
        return map(str, self.numbers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Numerals):
            return self.numbers == other.numbers or [*self.numbers] == [*other.numbers]
        if isinstance(other, Sequence) and not isinstance(other, str | bytes):
            return [*self] == [*other]
        return NotImplemented

    def __repr__(self) -> str:
        return f"Numerals({self.numbers!r})"
