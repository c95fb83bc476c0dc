"""Units collected into pieces: consecutive ones whose next attempt has the same number go together."""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.engine.unit.attempt import Piece
from batchwork.model import Units


class Runs:
    """Those of some units that are to be run, chosen by their offsets from the first to the last."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._runs: list[tuple[int, int, list[int]]] = []

    def add(self, offset: int, attempts: int, base: int) -> None:
        """The unit at `offset` has had so many attempts, `base` of them before it was given fresh ones."""
        if self._runs and self._runs[-1][:2] == (attempts, base):
            self._runs[-1][2].append(offset)
        else:
            self._runs.append((attempts, base, [offset]))

    def pieces(self) -> Iterator[Piece]:
        for attempts, base, offsets in self._runs:
            first, last = offsets[0], offsets[-1]
            unbroken = last - first + 1 == len(offsets)
            if unbroken:
                yield Piece(attempts + 1, base, self._units.cut(first, last + 1))
            else:
                yield Piece(attempts + 1, base, self._units.pick(offsets))
