"""What is in blocks: which units, their keys, values and results, as pages and listings need them. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

from msgspec.structs import replace

from batchwork.model import Successes, UnitRecord, UnitStatus
from batchwork.store.tables.blocks.codec import keys_of, seqs_of, texts_of, unpacked, values_of
from batchwork.store.tables.rows import Cell, Row, first_id, integer_in
from batchwork.store.tables.session import Session


def covered(session: Session, first: int, seqs: Sequence[int]) -> set[int]:
    """Those of these units that are in blocks; `first` is the id of seq 0."""
    if not seqs:
        return set()
    rows = _between(session, "block_spans", first, (min(seqs), max(seqs) + 1))
    return {*chain.from_iterable(seqs_of(row[:3], first) for row in rows)}.intersection(seqs) if rows else set()


def count(session: Session, bounds: tuple[int, int]) -> int:
    """How many units there are with ids within bounds that are those of steps."""
    return integer_in(session.value("block_count", bounds))


def last(session: Session, bounds: tuple[int, int]) -> int | None:
    """The last id of a unit."""
    found: int | None = session.value("block_last", bounds)
    return found


def records(session: Session, first: int, within: tuple[int, int], key: str | None) -> Iterator[UnitRecord]:
    """Units with seqs `within`, of this key where one is given."""
    for row in session.blocks("blocks", _ids(first, within)):
        if key is None or key in keys_of(row[5:8], seqs_of(row[:3], first)):
            part = unpacked(row, first)
            yield from (record for record in _records(part) if record.seq >= within[0] and key in (None, record.key))


def _records(part: Successes) -> Iterator[UnitRecord]:
    columns = (part.seqs, part.indexes, part.keys, repeat(UnitStatus.SUCCEEDED), repeat(1), part.values)
    more = (repeat(None), part.results, repeat(None), part.durations_us, repeat(part.started_ms), repeat(part.worker))
    return map(UnitRecord, *columns, *more)


def results(session: Session, first: int, within: tuple[int, int]) -> Iterator[tuple[int, str]]:
    """Seqs and results of units with seqs `within`."""
    for row in session.blocks("block_results", _ids(first, within)):
        seqs = seqs_of(row[:3], first)
        units = zip(seqs, texts_of(row[3], len(seqs)), strict=True)
        yield from (unit for unit in units if within[0] <= unit[0] < within[1])


def values(session: Session, first: int, seqs: Sequence[int]) -> dict[int, str]:
    """The values of these units, or the keys where they are the values, as far as they are in blocks."""
    wanted, found = set(seqs), dict[int, str]()
    for row in _between(session, "block_inputs", first, (min(seqs), max(seqs) + 1)):
        seqs = seqs_of(row[:3], first)
        units = zip(seqs, keys_of(row[3:6], seqs), values_of(row[6], len(seqs)), strict=True)
        found.update((seq, key if value is None else value) for seq, key, value in units if seq in wanted)
    return found


def _between(session: Session, name: str, first: int, within: tuple[int, int]) -> list[Row]:
    return [*session.blocks(name, _ids(first, within))]


def matching(session: Session, first: int, keys: Sequence[str]) -> Iterator[UnitRecord]:
    """Units of a step with one of a few keys, without values and results."""
    for row in session.blocks("block_keys", _ids(first, (0, first_id(1)))):
        if _may_have(row[5], keys):
            seqs = seqs_of(row[:3], first)
            for seq in [seq for seq, key in zip(seqs, keys_of(row[3:], seqs), strict=True) if key in keys]:
                record = next(records(session, first, (seq, seq + 1), None))
                yield replace(record, value=None, result=None)


def _may_have(texts: Cell, keys: Sequence[str]) -> bool:
    """Whether a block with these keys in lines, or with keys that are numbers, can have one of a few keys."""
    if isinstance(texts, str):
        return any(key in texts for key in keys)
    return any(key[-1:].isdecimal() for key in keys)


def _ids(first: int, within: tuple[int, int]) -> tuple[int, int]:
    return first + within[0], first + within[1]
