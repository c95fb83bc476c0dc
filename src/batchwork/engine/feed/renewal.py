"""What a reading of the source means for units that are recorded and are to run: which value they get, and which others are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from batchwork.engine.unit.brief import Start, StepBrief
from batchwork.engine.unit.stored_value import can_run_again
from batchwork.model import FINAL, UnitNote, UnitRecord, Units, UnitStatus
from batchwork.ports import Store
from batchwork.text.jsontext import decode
from batchwork.text.wording import plural

PAGE: Final = 1_000


class Renewal:
    """Without `--reread` a unit keeps the value that is recorded. After a retry with it, nothing but what is recorded is taken.

    Except for bad rows: for them, every row whose key is not recorded is taken.
    """

    def __init__(self, store: Store, order: StepBrief) -> None:
        self.store, self.order, self.number = store, order, order.number
        self.narrow = order.start is Start.RENEWED and not self._any_bad_row()
        self._taken = 0
        self._kept = 0
        self._passed = 0

    def taken(self, units: Units, known: Mapping[str, UnitRecord]) -> Units:
        """Those of the units that are taken, numbered by their positions among these."""
        if not self.narrow or units.members is not None:
            return units
        self._passed += len(units)
        units = units.pick([offset for offset, key in enumerate(units.keys) if key in known])
        self._passed -= len(units)
        first, self._taken = self._taken, self._taken + len(units)
        return replace(units, indexes=range(first, self._taken))

    def valued(self, units: Units, offsets: Sequence[int]) -> Units:
        """The units, those at `offsets` with the values that are recorded of them, unless the source's are wanted."""
        if self.order.reread or not self.order.written_key or not offsets:
            return units  # without a written key the key is the value
        known = self.store.match(self.number, [units.keys[offset] for offset in offsets])
        stored = [offset for offset in offsets if can_run_again(known[units.keys[offset]])]
        values = list(units.values)
        texts = self.store.values(self.number, [known[units.keys[offset]].seq for offset in stored])
        for offset, text in zip(stored, texts, strict=True):
            value = decode(text)
            self._kept += value != values[offset]
            values[offset] = value
        return replace(units, values=values)

    def remarks(self, gone: int) -> list[str]:
        """What is said at the end: that the source has other values by now; that of what was to run `gone` are not in it."""
        said = []
        if self._kept:
            ran = plural(self._kept, "unit")
            said.append(
                f"{ran} ran with the value that is recorded, though the source has another now; `--reread` takes that"
            )
        if gone and self._passed:
            said.append(_left(gone, self._passed, self.order.written_key))
        return said

    def _any_bad_row(self) -> bool:
        start = 0
        while page := self.store.units(self.number, UnitStatus.PENDING, start, PAGE):
            if any(view.record.note is UnitNote.BAD_ROW for view in page):
                return True
            start += len(page)
        return False


def _left(gone: int, passed: int, written_key: bool) -> str:
    """What was mended has another key now, most likely."""
    them = plural(gone, "unit that was to run is", "units that were to run are")
    text = f"{them} no longer in the source, which has {plural(passed, 'other', 'others')} that a retry does not take"
    if written_key:
        return f"{text}; if their keys were changed, put those back, or run the workflow anew"
    return (
        f"{text}: without a `key` an item is known by its whole value, so one that was mended is another item; "
        'say what stays the same, such as `key: "{{ item.id }}"`, and run the workflow anew'
    )


def begun(units: Units, stored: Mapping[int, Sequence[object]]) -> list[int]:
    """The offsets of those units that are stored, by number, with a status first, and have not ended."""
    return [at for at, seq in enumerate(units.seqs) if seq in stored and UnitStatus(str(stored[seq][0])) not in FINAL]
