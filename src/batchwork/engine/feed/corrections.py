"""What a reading of the source changes of units that are known: their positions, and values that they lacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from batchwork.engine.feed.in_doubt import commit_and_wait
from batchwork.engine.feed.regroup import status_now
from batchwork.engine.unit.stored_value import member_texts, value_texts
from batchwork.model import FINAL, Checkpoint, Counts, UnitRecord, Units, UnitStatus
from batchwork.ports import Store
from batchwork.text.wording import plural

LOST_MANY: Final = 100
LOST_SHARE: Final = 10
"""Units that a reading lacks and the one before had: so many, or one for so many that are there, are worth a warning."""


class Swept(Struct, frozen=True):
    """Units that are `gone` from the source, `lost` those that had succeeded and were there in the reading before."""

    gone: int = 0
    lost: int = 0


class Corrections(Struct):
    """Changes of one step, written many at a time. `keys` are units that are found in the store once they are written.

    `back` is what changes in the counts because units that were gone are there again. `urgent`: one of these is to run,
    and what it gives can be recorded only once it is not gone any more; or its value is needed at once.
    """

    store: Store
    step: int
    back: Counts = field(default_factory=Counts)
    swept: Swept = Swept()
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

    def fill(self, units: Units, offset: int) -> str | None:
        """Give the unit at `offset` the value that a process did not live to record; its JSON text."""
        unit = units.pick([offset])
        (value,) = value_texts(unit, True)
        (members,) = member_texts(unit) or [None]
        self._values.append((units.seqs[offset], value, members))
        return value

    def sweep(self, below: int) -> int:
        """Mark the units from number `below` on that the last reading has not had as gone; how many these are."""
        before = self.store.count(self.step).succeeded
        gone = self.store.sweep(self.step, below)
        self.swept = Swept(gone, before - self.store.count(self.step).succeeded)
        return gone

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


def lost_units(lost: int, there: int) -> list[str]:
    """What is said where so many units have left at once that the source may have been cut short; `there` are in it."""
    if not lost or (lost < LOST_MANY and lost * LOST_SHARE <= there):
        return []
    them = plural(lost, "unit that had succeeded is", "units that had succeeded are")
    return [
        f"{them} no longer in the source, and left the results; if that was not meant, put the source back and start anew"
    ]
