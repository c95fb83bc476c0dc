"""Units of a step that has ended and is retried: read from the store, with the values and the batches that they had. No source is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from batchwork.engine.feed.in_doubt import UNITS_AT_ONCE, StartingPoint
from batchwork.engine.unit.attempt import Piece, together
from batchwork.engine.unit.brief import StepBrief
from batchwork.model import FINAL, BatchView, Counts, UnitNote, UnitRecord, Units, UnitStatus
from batchwork.ports import Store
from batchwork.ports.recorded import item_of
from batchwork.text.jsontext import Json, decode


class RetriedUnits:
    """Stored units that are not finished; `opening` says how many others are. `views`: the task uses `batch`.

    With `views`, and where they run one after another, they come by position, else by number.
    """

    length = None

    def __init__(self, order: StepBrief, store: Store, views: bool, opening: StartingPoint) -> None:
        self._order, self._store, self._views, self._opening = order, store, views, opening

    def pieces(self) -> Iterator[Piece]:
        """The units, those of one attempt together. What has to wait for its next attempt is noted before."""
        self._note_due()
        return together(self._in_order(), UNITS_AT_ONCE)

    def _note_due(self) -> None:
        after = -1
        while (page := self._store.page(self._order.number, after, UNITS_AT_ONCE)).seqs:
            after = page.seqs[-1]
            rows = zip(page.seqs, page.statuses, page.dues, strict=True)
            self._opening.due.update({seq: due for seq, status, due in rows if due and UnitStatus(status) not in FINAL})

    def _in_order(self) -> Iterator[Piece]:
        number, batch = self._order.number, self._order.plan.batch
        if not self._views or batch is None:
            return _ordered(number, self._store) if self._order.in_order else _alone(number, self._store)
        if batch.each == "batch":
            return _whole(number, self._store)
        return _in_batches(number, self._store, batch.batch_size)

    def left(self, taken: int) -> int | None:
        return None

    def finish(self) -> None:
        """Nothing is left to do."""

    def total(self, taken: int) -> int:
        return self._opening.counts.finished + taken

    def found(self) -> tuple[Counts, Sequence[UnitRecord]]:
        return Counts(), ()

    def release(self, keys: Sequence[str]) -> None:
        """Nobody looks for duplicates."""

    def final(self, counts: Counts) -> Counts:
        return counts

    def remarks(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


def _alone(step: int, store: Store) -> Iterator[Piece]:
    after = -1
    while (page := store.page(step, after, UNITS_AT_ONCE)).seqs:
        after = page.seqs[-1]
        if page.all_final:
            continue
        rows = zip(page.seqs, page.keys, page.indexes, page.statuses, page.attempts, page.bases, strict=True)
        open_rows = [row for row in rows if UnitStatus(row[3]) not in FINAL]
        values = store.values(step, [row[0] for row in open_rows])
        for (seq, key, index, _, attempts, base), value in zip(open_rows, values, strict=True):
            yield Piece(attempts + 1, base, Units([seq], [index or 0], [key], [decode(value)], None, None))


def _ordered(step: int, store: Store) -> Iterator[Piece]:
    for record in _placed(step, store):
        if record.status not in FINAL:
            yield _piece(record, item_of(record), None)


def _whole(step: int, store: Store) -> Iterator[Piece]:
    """Units that are batches themselves."""
    total = sum(_size(record) for record in _placed(step, store))
    for record in _placed(step, store):
        if record.status not in FINAL:
            value = item_of(record)
            items = value if isinstance(value, list) else []
            yield _piece(record, value, BatchView(record.index or 0, items, total))


def _in_batches(step: int, store: Store, size: int) -> Iterator[Piece]:
    """Units that are items: those of each batch are read together, duplicates that were skipped left out as before."""
    total = store.count(step).total
    number, group = 0, list[UnitRecord]()
    for record in _placed(step, store):
        if record.status is UnitStatus.SKIPPED:
            continue
        group.append(record)
        if len(group) == size:
            yield from _batch(group, number, total)
            number, group = number + 1, []
    yield from _batch(group, number, total)


def _batch(group: list[UnitRecord], number: int, total: int | None) -> Iterator[Piece]:
    if all(record.status in FINAL for record in group):
        return
    values = [item_of(record) for record in group]
    readable = [value for record, value in zip(group, values, strict=True) if record.note is not UnitNote.BAD_ROW]
    view = BatchView(number, readable, total)
    for record, value in zip(group, values, strict=True):
        if record.status not in FINAL:
            yield _piece(record, value, view)


def _piece(record: UnitRecord, value: Json, view: BatchView | None) -> Piece:
    views = None if view is None else [view]
    units = Units([record.seq], [record.index or 0], [record.key], [value], None, views)
    return Piece(record.attempts + 1, record.base, units)


def _placed(step: int, store: Store) -> Iterator[UnitRecord]:
    """Recorded units that are in the source, by position."""
    start = 0
    while views := store.units(step, start=start, limit=UNITS_AT_ONCE):
        start += len(views)
        yield from (view.record for view in views if view.record.index is not None)


def _size(record: UnitRecord) -> int:
    members = decode(record.members or "[]")
    return len(members) if isinstance(members, list) else 0
