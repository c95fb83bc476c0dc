"""Attempts: units that are about to have one, together, and what became of the attempt of one unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from batchwork.model import Failure, Units
from batchwork.text.jsontexts import chained

DOUBTS_MOST: Final = 3
"""A unit that was in doubt so often without finishing is taken for the cause: `poison`."""


def doubtful_failure(policy: str, doubts: int, what: str) -> Failure | None:
    """What a unit has failed of that was in doubt so often because `what` died; None where it may run again."""
    if policy == "fail":
        return Failure("in doubt", f"it was running when the {what} died, and `on_in_doubt: fail`", retryable=False)
    if doubts >= DOUBTS_MOST:
        message = f"in doubt {doubts} times and never finished; it seems to end the process that runs it"
        return Failure("poison", message, retryable=False)
    return None


class Piece(Struct, frozen=True):
    """Units whose next attempt has the same number. `base` is the number of attempts before they were given fresh ones."""

    attempt: int
    base: int
    units: Units

    @property
    def kind(self) -> tuple[int, int, bool, bool]:
        """What pieces must have in common to be one: their attempt, and what is known of their units."""
        return self.attempt, self.base, self.units.members is None, self.units.batches is None


def joined(pieces: Sequence[Piece]) -> Piece:
    """The units of pieces of one kind, as one piece."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    parts = [piece.units for piece in pieces]

    def column(name: str) -> Sequence[Any]:
        return chained([getattr(part, name) for part in parts])

    units = Units(column("seqs"), column("indexes"), column("keys"), column("values"))
    if first.units.members is not None:
        units = replace(units, members=column("members"))
    if first.units.batches is not None:
        units = replace(units, batches=column("batches"))
    return Piece(first.attempt, first.base, units)


def together(pieces: Iterable[Piece], most: int) -> Iterator[Piece]:
    """The same units in the same order, neighbours of one kind in one piece, from so many pieces at most."""
    for _, alike in groupby(pieces, key=_kind):
        while parts := list(islice(alike, most)):
            yield joined(parts)


def _kind(piece: Piece) -> tuple[int, int, bool, bool]:
    return piece.kind


class Attempt(Struct, frozen=True):
    """One attempt of one unit, which `units` holds alone, and its outcome: without a failure it has none, or used no attempt."""

    units: Units
    number: int
    base: int
    started_ms: int = 0
    worker: str = ""
    duration_us: int = 0
    failure: Failure | None = None

    @property
    def seq(self) -> int:
        """The unit's number."""
        return self.units.seqs[0]

    @property
    def tries(self) -> int:
        """Attempts since the unit was last given fresh ones, from 1."""
        return self.number - self.base

    def next(self) -> Piece:
        """The unit, for another attempt."""
        return Piece(self.number + 1, self.base, self.units)

    def unused(self) -> Attempt:
        """The same, where it does not count."""
        return replace(self, number=self.number - 1, started_ms=0, worker="")
