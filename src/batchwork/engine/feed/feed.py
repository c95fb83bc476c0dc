"""Where the units of a step come from: its source, its source laid over the store (resume), or the store alone (retry)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from batchwork.engine.feed.in_doubt import Opening, opening
from batchwork.engine.feed.merge import Merge
from batchwork.engine.feed.retried_units import reopened
from batchwork.engine.feed.stream import Stream, open_stream
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.brief import StepBrief
from batchwork.model import Counts, UnitRecord
from batchwork.ports import Store

END: Final = object()


class Feed:
    """Units for one coordinator, in order. `exhausted` is set with the last one, or when reading failed."""

    def __init__(
        self, order: StepBrief, store: Store, start: Opening, stream: Stream | None, merge: Merge | None, views: bool
    ) -> None:
        self.opening = start
        self.exhausted = False
        self._order, self._store = order, store
        self._stream, self._merge, self._views = stream, merge, views
        self._pieces = self._all()
        self._rest: Piece | None = None
        self._total = 0

    def ended(self) -> bool:
        """Whether there will be no more units."""
        return self.exhausted

    def with_length(self, counts: Counts) -> Counts:
        """The counters with the total, where the source says beforehand how much there is; the end of reading corrects it."""
        if self._stream is None or self._stream.length is None:
            return counts
        return Counts(self._stream.length, counts.succeeded, counts.failed, counts.skipped, counts.in_doubt)

    def left(self) -> int | None:
        """How many units are still to be taken, as far as the source says; None where it does not."""
        if self._stream is None or self._merge is not None or self._stream.length is None:
            return None
        return self._stream.length - self._total + (len(self._rest.units) if self._rest is not None else 0)

    def take(self, most: int) -> Piece | None:
        """At most `most` units, or None: there is nothing for now, or no more. Raises SourceError, StoreError."""
        piece = self._rest
        if piece is None:
            found = next(self._pieces, END)
            if found is END:
                self._finish()
            if not isinstance(found, Piece):
                return None
            piece = found
            self._total += len(piece.units)
        if len(piece.units) > most:
            self._rest = Piece(piece.attempt, piece.base, piece.units.cut(most, len(piece.units)))
            return Piece(piece.attempt, piece.base, piece.units.cut(0, most))
        self._rest = None
        return piece

    def deliver(self, counts: Counts) -> tuple[Counts, Sequence[UnitRecord]]:
        """The counters with what reading has found, and the duplicates that it skipped and no earlier reading had."""
        merge = self._merge
        if merge is not None:
            skipped, merge.fresh = merge.fresh, []
            back, merge.back = merge.back, Counts()
            counts = counts.add(back.succeeded, back.failed, back.skipped)
        else:
            skipped = self._stream.skipped() if self._stream is not None else []
            self._total += len(skipped)
        return counts.add(skipped=len(skipped)), skipped

    def recorded(self, keys: Sequence[str]) -> None:
        """These units are on disk now: duplicates of them are found there."""
        if self._stream is not None:
            self._stream.release(keys)

    def with_total(self, counts: Counts) -> Counts:
        """The counters once the source has been read to its end."""
        return Counts(self._total, counts.succeeded, counts.failed, counts.skipped, counts.in_doubt)

    def final(self, counts: Counts) -> Counts:
        """The counters at the end of the step: counted anew where units are gone, which no coordinator has settled."""
        if self._merge is None or not self._merge.gone:
            return counts
        stored = self._store.count(self._order.number)
        return Counts(counts.total, stored.succeeded, stored.failed, stored.skipped, 0)

    def close(self) -> None:
        """End the source."""
        if self._stream is not None:
            self._stream.close()

    def _all(self) -> Iterator[Piece | None]:
        if self.opening.refused:
            return
        if self._stream is None:
            self._total = self.opening.counts.finished
            yield from reopened(self._order, self._store, self._views)
        elif self._merge is None:
            for units in self._stream.units():
                yield Piece(1, 0, units) if units is not None else None
        else:
            yield from self._merge.pieces()

    def _finish(self) -> None:
        self.exhausted = True
        if self._merge is not None:
            self._merge.finish()
            self._total = self._merge.total


def open_feed(order: StepBrief, store: Store, uses_batch: bool, wake: Callable[[], None], handles: bool) -> Feed:
    """The feed of a step. Raises SourceError, RenderError, StoreError."""
    start = opening(order, store, handles)
    if start.refused or order.reopened:
        return Feed(order, store, start, None, None, uses_batch)
    stream = open_stream(order, uses_batch, wake)
    if not order.resumed:
        stream.known = lambda keys: store.match(order.number, keys).keys()
        return Feed(order, store, start, stream, None, uses_batch)
    lacking = frozenset(record.seq for record in start.failed)
    merge = Merge(store, order, stream, start.doubts, lacking)
    stream.known = merge.known
    return Feed(order, store, start, stream, merge, uses_batch)
