"""Batches of a source that has changed: recorded ones keep their members, the other items are grouped anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from batchwork.engine.feed.renewal import Renewal
from batchwork.items.grouping import Grouping, Keyed
from batchwork.model import FINAL, UnitRecord, Units, UnitStatus
from batchwork.ports import BadRow, Row

Found: TypeAlias = "tuple[int, UnitRecord] | Units"
"""A recorded batch with its position in this reading, or batches that were grouped anew (their numbers mean nothing)."""


class Regrouping:
    """Takes the batches of a reading apart and puts the items where they belong; holds less than one batch of them.

    `first` is the position of the first batch, `reading` the number of this reading. A recorded batch is there if one of
    its members is. One that is to run and whose value may hold a masked secret cannot be run as recorded: its items count
    as not recorded.
    """

    def __init__(self, renewal: Renewal, grouping: Grouping, first: int, reading: int) -> None:
        self._renewal = renewal
        self._recorded: Mapping[str, UnitRecord] = {}
        self._first, self._reading = first, reading
        self._grouping = grouping
        self._grouping.batch = first
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
        return not order.reread and (not order.censor.hides or (record.note is None and record.gone is None))


def status_now(record: UnitRecord) -> UnitStatus:
    """The status of a known unit that the source has (again)."""
    return record.gone or record.status
