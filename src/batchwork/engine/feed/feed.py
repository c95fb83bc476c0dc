"""Where the units of a step come from: its source, its source laid over the store (resume), or the store alone (retry)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from batchwork.engine.feed.in_doubt import StartingPoint, settle_in_doubt
from batchwork.engine.feed.stream import Stream, open_stream
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.brief import Equipment, StepBrief
from batchwork.model import Counts, UnitRecord

END: Final = object()


class Supply(Protocol):
    """One way to come by units."""

    @property
    def length(self) -> int | None:
        """How many units there are, where that is known before all have come."""
        ...

    def pieces(self) -> Iterator[Piece | None]:
        """The units in order, None where there is nothing for now. Raises SourceError, StoreError."""
        ...

    def left(self, taken: int) -> int | None:
        """How many are still to come after so many were taken; None where that is not known."""
        ...

    def finish(self) -> None:
        """All pieces have come."""
        ...

    def total(self, taken: int) -> int:
        """How many units there are, after `finish`, so many having been taken."""
        ...

    def found(self) -> tuple[Counts, Sequence[UnitRecord]]:
        """What came to light since the last call: changes in the counts, and duplicates that are to be recorded."""
        ...

    def release(self, keys: Sequence[str]) -> None:
        """These units are on disk now: duplicates of them are found there."""
        ...

    def final(self, counts: Counts) -> Counts:
        """The counters at the end of the step."""
        ...

    def remarks(self) -> Sequence[str]:
        """What is to be said of it, once all pieces have come."""
        ...

    def close(self) -> None:
        """End the source."""
        ...


class FreshUnits:
    """Units of a source that is read for the first time."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._skipped = 0

    @property
    def length(self) -> int | None:
        return self._stream.length

    def pieces(self) -> Iterator[Piece | None]:
        for units in self._stream.units():
            yield None if units is None else Piece(1, 0, units)

    def left(self, taken: int) -> int | None:
        if self._stream.length is None:
            return None
        return self._stream.length - taken - self._skipped

    def finish(self) -> None:
        """Nothing is left to do."""

    def total(self, taken: int) -> int:
        return taken + self._skipped

    def found(self) -> tuple[Counts, Sequence[UnitRecord]]:
        skipped = self._stream.skipped()
        self._skipped += len(skipped)
        return Counts(skipped=len(skipped)), skipped

    def release(self, keys: Sequence[str]) -> None:
        self._stream.release(keys)

    def final(self, counts: Counts) -> Counts:
        return counts

    def remarks(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        self._stream.close()


class Feed:
    """Units for one coordinator, in order. `exhausted` is set with the last one, or when reading failed."""

    def __init__(self, opening: StartingPoint, supply: Supply) -> None:
        self.opening = opening
        self.exhausted = False
        self._supply = supply
        self._pieces: Iterator[Piece | None] = iter(()) if opening.refused else supply.pieces()
        self._rest: Piece | None = None
        self._taken = 0
        self._read_whole = False

    def ended(self) -> bool:
        """Whether there will be no more units."""
        return self.exhausted

    def with_length(self, counts: Counts) -> Counts:
        """The counters with the total, where that is known before the source has been read to its end, which corrects it."""
        if self.opening.refused:
            return counts  # nothing is read: what was known of the source stays
        length = self._supply.length
        if length is not None and length < counts.finished:
            length = None  # more is recorded than the source has: how many of these are gone is known at its end
        return _with_total(counts, length)

    def left(self) -> int | None:
        """How many units are still to be taken, as far as the source says; None where it does not."""
        return self._supply.left(self._taken)

    def take(self, most: int) -> Piece | None:
        """At most `most` units, or None: there is nothing for now, or no more. Raises SourceError, StoreError."""
        piece, self._rest = self._rest or self._next(), None
        if piece is None:
            return None
        if len(piece.units) > most:
            self._rest = Piece(piece.attempt, piece.base, piece.units.cut(most, len(piece.units)))
            piece = Piece(piece.attempt, piece.base, piece.units.cut(0, most))
        self._taken += len(piece.units)
        return piece

    def deliver(self, counts: Counts) -> tuple[Counts, Sequence[UnitRecord]]:
        """The counters with what reading has found, and the duplicates that it skipped and no earlier reading had."""
        changes, skipped = self._supply.found()
        counts = counts.add(changes.succeeded, changes.failed, changes.skipped)
        return self._now(counts), skipped

    def filled(self) -> Sequence[UnitRecord]:
        """Failed units that `on_item_error` has not seen, and whose values were found since the last call."""
        found = [*self.opening.filled]
        self.opening.filled.clear()
        return found

    def recorded(self, keys: Sequence[str]) -> None:
        """These units are on disk now: duplicates of them are found there."""
        self._supply.release(keys)

    def with_total(self, counts: Counts) -> Counts:
        """The counters once the source has been read to its end."""
        return _with_total(counts, self._supply.total(self._taken))

    def final(self, counts: Counts) -> Counts:
        """The counters at the end of the step."""
        return self._supply.final(self._now(counts))

    def remarks(self) -> Sequence[str]:
        """What is to be said of the reading, once it has ended."""
        return self._supply.remarks() if self.exhausted else ()

    def close(self) -> None:
        """End the source."""
        self._supply.close()

    def _now(self, counts: Counts) -> Counts:
        return counts if self._read_whole else self.with_length(counts)

    def _next(self) -> Piece | None:
        found = next(self._pieces, END)
        if found is END:
            self.exhausted = True
            self._supply.finish()
            self._read_whole = True
            return None
        assert found is None or isinstance(found, Piece)
        return found


def _with_total(counts: Counts, total: int | None) -> Counts:
    return Counts(total, counts.succeeded, counts.failed, counts.skipped, counts.in_doubt)


def open_feed(
    order: StepBrief, equipment: Equipment, uses_batch: bool, wake: Callable[[], None], handles: bool
) -> Feed:
    """The feed of a step. Raises SourceError, RenderError, StoreError."""
    store = equipment.store
    opening = settle_in_doubt(order, equipment, handles)
    if opening.refused or order.reopened:
        from batchwork.engine.feed.retried_units import RetriedUnits

        return Feed(opening, RetriedUnits(order, store, uses_batch, opening))
    stream = open_stream(order, uses_batch, wake)
    if order.resumed:
        from batchwork.engine.feed.merge import Merge

        return Feed(opening, Merge(store, order, stream, opening))
    stream.known = lambda keys: store.match(order.number, keys).keys()
    return Feed(opening, FreshUnits(stream))
