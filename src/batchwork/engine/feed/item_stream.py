"""The items of a step as a stream of units: duplicates told apart, items grouped as the plan says. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from batchwork.engine.feed.item_keys import ItemKeys
from batchwork.engine.feed.source.opening import open_items
from batchwork.engine.feed.source.read_ahead import SourcePages
from batchwork.engine.feed.stream import nothing_recorded
from batchwork.engine.unit.brief import StepBrief
from batchwork.engine.unit.stored_value import value_texts
from batchwork.errors import Place, SourceError
from batchwork.items.grouping import Grouping, Keyed, keyed
from batchwork.items.keys.guard import KeyGuard, Known
from batchwork.model import UnitNote, UnitRecord, Units, UnitStatus
from batchwork.plan.model import BatchPlan
from batchwork.ports import BadRow, Row, any_bad


class ItemStream:
    """The units of a step with items."""

    def __init__(self, order: StepBrief, batch: BatchPlan, views: bool, wake: Callable[[], None]) -> None:
        self._batch, self.views = batch, views
        self.known: Known = nothing_recorded
        self._skipped: list[UnitRecord] = []
        self._keys = ItemKeys(order, batch)
        self._pages = SourcePages(open_items(batch.items, order), batch, wake)
        self._guard: KeyGuard | None = None
        if batch.key is not None or not self._pages.reading.distinct:
            # Members of batches cannot be found in the store by their keys, so there the guard remembers by itself.
            self._guard = KeyGuard(batch.on_duplicate, self._recorded if batch.each == "item" else None)

    @property
    def items(self) -> int | None:
        return self._pages.reading.length

    @property
    def length(self) -> int | None:
        if self.items is None or self._batch.each == "item":
            return self.items
        if self._batch.key is not None:
            return None  # an item that has no key stands alone
        if self._batch.on_duplicate == "skip" and self._guard is not None:
            return None  # what is skipped is not known beforehand, and leaves fewer batches
        return -(-self.items // self._batch.batch_size)

    def units(self) -> Iterator[Units | None]:
        grouping = Grouping(self._batch.each, self._batch.batch_size, views=self.views, total=self.items)
        position = 0
        for page in self._pages:
            if page is None:
                yield None
                continue
            if self._batch.each_inferred is not None:
                _check_each(page, position, self._batch.each_inferred)
            keys, rows = self._keys.read(page, position)
            bad = [offset for offset, row in enumerate(rows) if isinstance(row, BadRow)] if any_bad(rows) else []
            if bad and self._batch.on_bad_row == "stop":
                raise _stopped(rows[bad[0]])
            part = _numbered_keys(keys, rows, position, self._guard)
            for units in self._grouped(grouping, part, bad):
                yield from self._numbered(units)
            position += len(page)
        yield from self._numbered(grouping.end())

    def skipped(self) -> list[UnitRecord]:
        skipped, self._skipped = self._skipped, []
        return skipped

    def release(self, keys: Sequence[str]) -> None:
        if self._guard is not None and self._batch.each == "item":
            self._guard.release(keys)

    def close(self) -> None:
        """End the source, and the thread that reads ahead."""
        self._pages.close()

    # ------------------------------------------------------------

    def _grouped(self, grouping: Grouping, part: Keyed, bad: Sequence[int]) -> Iterator[Units]:
        """The units that are complete with these items. Where units are batches, rows that cannot be read stand alone."""
        if self._batch.each == "item" or not bad:
            yield grouping.add(self._without_skipped(part))
            return
        start = 0
        for offset in [*bad, len(part.keys)]:
            repeated = [at - start for at in part.repeated if start <= at < offset]
            good = part.pick(range(start, offset))
            yield grouping.add(self._without_skipped(Keyed(good.indexes, good.keys, good.values, repeated)))
            if offset < len(part.keys):
                yield grouping.alone(part.keys[offset], part.values[offset])  # type: ignore[arg-type]  # it is bad
            start = offset + 1

    def _recorded(self, keys: Sequence[str]) -> Collection[str]:
        return self.known(keys)

    def _numbered(self, units: Units) -> Iterator[Units]:
        """The units, if there are any, items numbered by their position."""
        if not len(units):
            return
        if units.members is None and units.seqs[0] != units.indexes[0]:
            units = Units(units.indexes, units.indexes, units.keys, units.values, None, units.batches)
        elif self._guard is not None and units.members is None:
            units = Units(list(units.indexes), units.indexes, units.keys, units.values, None, units.batches)
        yield units

    def _without_skipped(self, part: Keyed) -> Keyed:
        if self._batch.on_duplicate != "skip" or not part.repeated:
            return part
        if self._batch.each == "item":  # else the unit is the batch, and what is left out of it is no unit
            self._skipped += map(_skipped, [part.pick([offset]) for offset in part.repeated])
        return part.without(part.repeated)


def _stopped(row: Row) -> SourceError:
    assert isinstance(row, BadRow)
    return SourceError(row.message, row.hint)


def _numbered_keys(keys: Sequence[str], rows: Sequence[Row], position: int, guard: KeyGuard | None) -> Keyed:
    (part,) = keyed(iter((rows,)), position, lambda *_: keys, guard)  # type: ignore[arg-type]  # the bad among them are never run
    return part


def _skipped(item: Keyed) -> UnitRecord:
    """The record of a duplicate."""
    index, key = item.indexes[0], item.keys[0]
    text = value_texts(Units([index], [index], [key], item.values), True)[0]
    return UnitRecord(index, index, key, UnitStatus.SKIPPED, 0, text, note=UnitNote.DUPLICATE)


def _check_each(page: Sequence[Row], position: int, place: Place) -> None:
    """Code that iterates over a list or a text may mean one item as well as the batch: that is not guessed."""
    for index, value in enumerate(page, position):
        if isinstance(value, list | str):
            from batchwork.plan.each import unclear_each  # most lists never need it

            raise SourceError(*unclear_each(value, index, place))
