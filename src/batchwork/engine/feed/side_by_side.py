"""Source and store compared a page at a time, as long as both have the same units in the same places."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from batchwork.model import UnitRecord, Units
from batchwork.ports import Store, UnitPage

BEYOND_AT_ONCE = 5_000
"""Stored units that are looked through one by one; where there are more, the store makes an index."""


def stored_between(store: Store, step: int, first: int, last: int) -> UnitPage | None:
    """What is stored under the numbers `first` to `last`; None where nothing is from `first` on."""
    page = store.page(step, first - 1, last - first + 1)
    if not page.seqs:
        return None
    if page.seqs[-1] <= last:
        return page
    within = bisect_right(page.seqs, last)
    return UnitPage(
        page.seqs[:within],
        page.keys[:within],
        page.indexes[:within],
        page.statuses[:within],
        page.attempts[:within],
        page.bases[:within],
        page.doubts[:within],
        page.dues[:within],
    )


def by_number(page: UnitPage) -> dict[int, tuple[str, int, int, int, int]]:
    """Status, attempts, attempts before fresh ones were given, doubts, and when it is due, of each unit of a page."""
    rows = zip(page.statuses, page.attempts, page.bases, page.doubts, page.dues, strict=True)
    return dict(zip(page.seqs, rows, strict=True))


def in_place(page: UnitPage, units: Units, duplicates: Sequence[UnitRecord]) -> int | None:
    """How many of the units are stored, each in its place; None where source and store do not match."""
    if not _same(page.seqs, page.indexes):
        return None  # an earlier reading moved them, or they are gone
    if not duplicates and len(page.seqs) == len(units) and _same(page.seqs, units.seqs):
        return len(units) if _same(page.keys, units.keys) else None
    expected = dict(zip(units.seqs, units.keys, strict=True))
    skipped = {record.seq: record.key for record in duplicates}
    count = 0
    for seq, key in zip(page.seqs, page.keys, strict=True):
        if expected.get(seq) == key:
            count += 1
        elif skipped.get(seq) != key:
            return None
    return count


def _same(column: Sequence[object], other: Sequence[object]) -> bool:
    """Whether both hold the same, whatever kind of sequences they are."""
    return column is other or column == other or list(column) == list(other)


def missing_keys(page: UnitPage, units: Units, duplicates: Sequence[UnitRecord]) -> list[str]:
    """The keys of the units and duplicates that `page` lacks; where units are batches, those of their members."""
    if len(page.keys) == len(units) + len(duplicates):
        return []
    there = {*page.keys}
    missing = [offset for offset, key in enumerate(units.keys) if key not in there]
    if units.members is not None:
        return [key for offset in missing for key in units.members[offset]]
    return [units.keys[offset] for offset in missing] + [record.key for record in duplicates if record.key not in there]


def is_beyond(store: Store, step: int, keys: Sequence[str], last: int, batches: bool) -> bool:
    """Whether some of these are stored beyond number `last`: what stood behind what was never recorded has moved up.

    Usually hardly anything is stored there, since what is missing was among the last to be claimed.
    """
    beyond = store.page(step, last, BEYOND_AT_ONCE) if keys else None
    if beyond is None or not beyond.seqs:
        return False
    if batches:
        return any(record.seq > last for record in store.members(step, keys).values())
    if len(beyond.seqs) < BEYOND_AT_ONCE:
        return not {*beyond.keys}.isdisjoint(keys)
    return any(record.seq > last for record in store.match(step, keys).values())
