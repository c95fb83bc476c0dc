"""Items that a reading skipped because others before them have the same key."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from batchwork.model import UnitRecord


class Duplicates(Struct):
    """Items that reading skipped: `waiting` for the units before them, and `fresh` ones that are to be recorded."""

    waiting: list[UnitRecord] = field(default_factory=list)
    fresh: list[UnitRecord] = field(default_factory=list)

    def due(self, skipped: Sequence[UnitRecord], last: int | None) -> list[UnitRecord]:
        """Those up to position `last`, None for all; more were `skipped` meanwhile."""
        self.waiting += skipped
        due = [record for record in self.waiting if last is None or record.seq <= last]
        del self.waiting[: len(due)]
        return due
