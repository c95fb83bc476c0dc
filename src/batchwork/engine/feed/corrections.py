"""What a reading of the source changes of units that are known: their positions, and values that they lacked."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from batchwork.engine.feed.in_doubt import commit_and_wait
from batchwork.engine.feed.regroup import status_now
from batchwork.engine.unit.stored_value import member_texts, value_texts
from batchwork.model import FINAL, Checkpoint, Counts, UnitRecord, Units, UnitStatus
from batchwork.ports import Store


class Corrections(Struct):
    """Changes of one step, written many at a time. `keys` are units that are found in the store once they are written.

    `back` is what changes in the counts because units that were gone are there again. `urgent`: one of these is to run,
    and what it gives can be recorded only once it is not gone any more.
    """

    store: Store
    step: int
    back: Counts = field(default_factory=Counts)
    gone: int = 0
    urgent: bool = False
    keys: list[str] = field(default_factory=list)
    _positions: list[tuple[int, int]] = field(default_factory=list)
    _values: list[tuple[int, str | None, str | None]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._positions) + len(self._values)

    def move(self, record: UnitRecord, index: int) -> None:
        """The unit stands at this position now."""
        self._positions.append((record.seq, index))
        self.keys.append(record.key)
        if record.gone is None:
            return
        status = status_now(record)
        self.back = self.back.add(
            succeeded=int(status is UnitStatus.SUCCEEDED),
            failed=int(status is UnitStatus.FAILED),
            skipped=int(status is UnitStatus.SKIPPED) - 1,
        )
        self.urgent = self.urgent or status not in FINAL

    def fill(self, units: Units, offset: int) -> None:
        """Give the unit at `offset` the value that a process did not live to record."""
        unit = units.pick([offset])
        members = member_texts(unit)
        self._values.append(
            (units.seqs[offset], value_texts(unit, True)[0], members[0] if members is not None else None)
        )

    def sweep(self, below: int) -> int:
        """Mark the units from number `below` on that the last reading has not had as gone; how many these are."""
        self.gone = self.store.sweep(self.step, below)
        return self.gone

    def take_back(self) -> Counts:
        """What changes in the counts, once."""
        back, self.back = self.back, Counts()
        return back

    def write(self) -> Sequence[str]:
        """Write the changes and wait until they are on disk; the keys that are found there now. Raises StoreError."""
        commit_and_wait(self.store, Checkpoint(self.step, values=self._values, moves=self._positions))
        keys, self.keys = self.keys, []
        self._positions, self._values, self.urgent = [], [], False
        return keys
