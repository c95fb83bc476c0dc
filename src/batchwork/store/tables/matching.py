"""Stored units found by keys: by their own, and batches by those of their members. Nothing of the database is changed here."""

from __future__ import annotations

from collections.abc import Sequence

from batchwork.model import UnitRecord
from batchwork.store.tables.blocks import reading as blocks
from batchwork.store.tables.rows import Row, first_id, unit_of
from batchwork.store.tables.session import Session
from batchwork.text import jsontext

FEW = 8
"""At most so many keys are looked for by going through all units of a step; for more an index is made, which finds each at once."""
SCANS = 64
"""All units of a step are gone through at most so many times, which takes as long as making the index."""


def scanned(session: Session, step: int, keys: Sequence[str], scans: dict[int, int]) -> dict[str, UnitRecord] | None:
    """The first unit of each key, by going through all units of the step; None where an index is worth it.

    `scans` counts how often that has been done, by step.
    """
    if session.indexed("key", step) or len(keys) > FEW or scans.get(step, 0) >= SCANS:
        return None
    scans[step] = scans.get(step, 0) + 1
    return by_scan(session, step, keys)


def by_scan(session: Session, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
    """The first unit of each of a few keys, without values and results."""
    first, last = first_id(step), first_id(step + 1)
    cells = (first, last, session.among([jsontext.wash(key) for key in keys]))
    rows = session.rows("unit_scan", cells)
    found = [unit_of(first, row) for row in rows]  # type: ignore[arg-type]
    return _first_of_each(
        keys, sorted([*found, *blocks.matching(session, first, [*map(jsontext.wash, keys)])], key=_seq)
    )


def by_key(session: Session, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
    """The first unit of each key, without values and results, by the step's index."""
    first = first_id(step)
    among = session.among([jsontext.wash(key) for key in keys])
    rows = session.rows("unit_match", (among,), first=first, last=first_id(step + 1))
    return _first_of_each(keys, [unit_of(first, row) for row in rows])  # type: ignore[arg-type]


def _seq(record: UnitRecord) -> int:
    return record.seq


def _first_of_each(keys: Sequence[str], records: Sequence[UnitRecord]) -> dict[str, UnitRecord]:
    known = {jsontext.wash(key): key for key in keys}
    found: dict[str, UnitRecord] = {}
    for record in records:
        found.setdefault(known[record.key], record)
    return found


def batches_found(step: int, keys: Sequence[str], rows: Sequence[Row]) -> dict[str, UnitRecord]:
    """The batch of each of some items, from rows of `member_match`: the first one, and rather one that is not gone."""
    known = {jsontext.wash(key): key for key in keys}
    found: dict[str, UnitRecord] = {}
    for member, *row in rows:
        batch = unit_of(first_id(step), tuple(row))  # type: ignore[arg-type]
        before = found.get(known[str(member)])
        if before is None or (before.index is None and batch.index is not None):
            found[known[str(member)]] = batch
    return found
