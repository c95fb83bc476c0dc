"""Batches of a source that has changed: recorded ones keep their members, the other items are grouped anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from batchwork.engine.feed.renewal import Renewal
from batchwork.items.grouping import Grouping, Keyed
from batchwork.model import FINAL, UnitNote, UnitRecord, Units, UnitStatus
from batchwork.ports import BadRow, Row, Store
from batchwork.text.jsontext import decode

Found: TypeAlias = "tuple[int, UnitRecord] | Units"
"""A recorded batch with its position in this reading, or batches that were grouped anew (their numbers mean nothing)."""


class Regrouping:
    """Takes the batches of a reading apart and puts the items where they belong; holds less than one batch of them.

    `first` is the position of the first batch, `reading` the number of this reading. A recorded batch is there if one of
    its members is. One that is to run and whose value may hold a masked secret, or is not stored, cannot be run as recorded:
    its items count as not recorded.
    """

    def __init__(self, renewal: Renewal, grouping: Grouping, first: int, reading: int) -> None:
        self._renewal = renewal
        self._recorded: Mapping[str, UnitRecord] = {}
        self._first, self._reading = first, reading
        self._grouping = grouping
        self._grouping.batch = first
        self.lacking = LackingBatches(renewal.store, renewal.number)
        self.met: set[int] = set()
        """Recorded batches that this reading has had, as long as the store does not know it."""

    def add(self, units: Units) -> Iterator[Found]:
        """What comes of these batches, in the order of the items. Rows that cannot be read stand alone."""
        start = 0
        values: Sequence[Row] = units.values
        for offset, value in enumerate(values):
            if isinstance(value, BadRow):
                yield from self._added(units.cut(start, offset))
                yield self._grouping.alone(units.keys[offset], value)
                start = offset + 1
        yield from self._added(units.cut(start, len(units)))

    def _added(self, units: Units) -> Iterator[Found]:
        assert units.members is not None
        keys = [key for members in units.members for key in members]
        values = [value for batch in units.values for value in batch]  # type: ignore[union-attr]  # lists, all of them
        recorded = self._recorded = self._renewal.store.members(self._renewal.number, keys)
        others: list[int] = []
        here: set[int] = set()  # what is written meanwhile is not in `recorded`
        for offset, key in enumerate(keys):
            record = recorded.get(key)
            if record is None or not self._stays(record):
                others.append(offset)
                continue
            if record.seq not in here and self._is_new(record):
                here.add(record.seq)
                yield from self._grouped(keys, values, others)
                others = []
                self.met.add(record.seq)
                self._grouping.batch += 1
                yield self._grouping.batch - 1, record
        yield from self._grouped(keys, values, others)

    def end(self) -> Units:
        """The last batch that was grouped anew."""
        return self._grouping.end()

    def _grouped(self, keys: Sequence[str], values: Sequence[object], offsets: Sequence[int]) -> Iterator[Units]:
        if self._renewal.narrow:
            offsets = [at for at in offsets if keys[at] in self._recorded]
        if offsets:
            items = Keyed(offsets, [keys[at] for at in offsets], [values[at] for at in offsets])  # type: ignore[misc]
            units = self._grouping.add(items)
            if len(units):
                yield units

    def _is_new(self, record: UnitRecord) -> bool:
        """Whether this reading has the batch for the first time."""
        return record.seq >= self._first and record.reading != self._reading and record.seq not in self.met

    def _stays(self, record: UnitRecord) -> bool:
        order = self._renewal.order
        if status_now(record) in FINAL:
            return True
        if order.reread or (record.note is UnitNote.IN_DOUBT and self.lacking.lacks(record)):
            return False
        return not order.censor.hides or (record.note is None and record.gone is None)


def status_now(record: UnitRecord) -> UnitStatus:
    """The status of a known unit that the source has (again)."""
    return record.gone or record.status


# ---------------------------------------------------------------- recorded batches without their values


class _Lacking(Struct):
    """A batch at its position in this reading, with those of its members' values that have come."""

    seq: int
    index: int
    key: str
    members: list[str]
    values: dict[str, Row] = field(default_factory=dict)

    def whole(self) -> Units:
        value = [self.values[key] for key in self.members]
        return Units([self.seq], [self.index], [self.key], [value], [self.members])  # type: ignore[list-item]


class LackingBatches:
    """Those of one step, put together from the items of a reading: what workers made of them outlived a crash, and nothing else did."""

    def __init__(self, store: Store, step: int) -> None:
        self._store, self._step = store, step
        self._found: dict[int, list[str]] = {}  # the members of those that lack their values; none, where one does not
        self._of: dict[str, _Lacking] = {}

    def meet(self, record: UnitRecord, index: int) -> None:
        """The reading has this batch, which has ended."""
        if record.doubts and self.lacks(record):
            members = self._found[record.seq]
            self._of.update(dict.fromkeys(members, _Lacking(record.seq, index, record.key, members)))

    def lacks(self, record: UnitRecord) -> bool:
        """Whether its value is not stored."""
        if record.seq not in self._found:
            views = self._store.units(self._step, key=record.key)
            stored = [view.record for view in views if view.record.seq == record.seq and view.record.value is None]
            members = decode((stored[0].members if stored else None) or "[]")
            self._found[record.seq] = [str(key) for key in members]  # type: ignore[union-attr]  # a list
        return bool(self._found[record.seq])

    def complete(self, units: Units) -> Iterator[Units]:
        """The batches that have all their values with the items of these."""
        if not self._of or units.members is None:
            return
        batches: Sequence[Row] = units.values
        for keys, values in zip(units.members, batches, strict=True):
            if isinstance(values, BadRow):
                continue
            for key, value in zip(keys, values, strict=True):  # type: ignore[arg-type]  # batches are lists
                if (lacking := self._of.pop(key, None)) is not None:
                    lacking.values[key] = value
                    if len(lacking.values) == len(lacking.members):
                        yield lacking.whole()
