"""Pages of units for those who go through a step: rows and blocks in one order, column by column. Nothing is written."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

from batchwork.ports import UnitPage
from batchwork.store.tables.blocks.codec import gaps, keys_of, seqs_of
from batchwork.store.tables.rows import FIRST_FINAL, STATUSES, SUCCEEDED, Row, first_id
from batchwork.store.tables.session import Session
from batchwork.text.numerals import Numerals


class _Columns(NamedTuple):
    """Those of `unit_page.sql`, but with seqs instead of ids."""

    seqs: Sequence[int] = ()
    keys: Sequence[str] = ()
    places: Sequence[int | None] = ()
    codes: Sequence[int] = ()
    attempts: Sequence[int] = ()
    bases: Sequence[int] = ()
    doubts: Sequence[int] = ()
    dues: Sequence[int] = ()

    def cut(self, start: int, stop: int) -> _Columns:
        columns: tuple[Any, ...] = self
        return _Columns(*(column[start:stop] for column in columns))


def unit_page(session: Session, step: int, after_seq: int, limit: int) -> UnitPage:
    """Units with seq > `after_seq`, in order of seq, `limit` at most."""
    first = first_id(step)
    blocks = _of_blocks(session, first, after_seq, limit)
    enough = sum(len(block.seqs) for block in blocks) >= limit
    last = first + blocks[-1].seqs[-1] if enough else first_id(step + 1)
    rows = _of_rows(session.rows("unit_page", (first + after_seq, last, limit)), first)
    columns = _joined([*_in_order(rows, blocks)]).cut(0, limit)
    return UnitPage(
        seqs=columns.seqs,
        keys=columns.keys,
        indexes=columns.places,
        statuses=[*map(STATUSES.__getitem__, columns.codes)],
        attempts=columns.attempts,
        bases=columns.bases,
        doubts=columns.doubts,
        dues=columns.dues,
        all_final=min(columns.codes, default=FIRST_FINAL) >= FIRST_FINAL,
    )


def _of_rows(rows: list[Row], first: int) -> _Columns:
    if not rows:
        return _Columns()
    ids, *columns = zip(*rows, strict=True)
    return _Columns([number - first for number in ids], *columns)


def _of_blocks(session: Session, first: int, after_seq: int, limit: int) -> list[_Columns]:
    """Blocks with enough units, or all that there are, cut where units are missing: these may be rows."""
    found, count = list[_Columns](), 0
    for row in session.blocks("block_keys", (first + after_seq + 1, first + first_id(1))):
        seqs = seqs_of(row[:3], first)
        nought = [0] * len(seqs)
        keys = keys_of(row[3:], seqs)
        columns = _Columns(seqs, keys, seqs, [SUCCEEDED] * len(seqs), [1] * len(seqs), nought, nought, nought)
        edges = sorted({bisect_right(seqs, after_seq), *gaps(seqs), len(seqs)})
        parts = [columns.cut(start, stop) for start, stop in pairwise(edges) if seqs[start] > after_seq]
        found += parts
        count += sum(len(part.seqs) for part in parts)
        if count >= limit:
            break
    return found


def _in_order(rows: _Columns, blocks: list[_Columns]) -> Iterator[_Columns]:
    """Pieces of both."""
    given = 0
    for block in blocks:
        before = bisect_left(rows.seqs, block.seqs[0])
        yield rows.cut(given, before)
        yield block
        given = before
    yield rows.cut(given, len(rows.seqs))


def _joined(pieces: list[_Columns]) -> _Columns:
    pieces = [piece for piece in pieces if piece.seqs]
    if len(pieces) == 1:
        return pieces[0]
    return _Columns(*(_chained(column) for column in zip(*pieces, strict=True))) if pieces else _Columns()


def _chained(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """One after another; ranges that go on stay a range, and so do their numerals."""
    if {*map(type, parts)} == {Numerals}:
        numbers = _chained([part.numbers for part in parts])  # type: ignore[attr-defined]
        return Numerals(numbers)
    if {*map(type, parts)} == {range}:
        whole = range(parts[0][0], parts[-1][-1] + 1)
        if len(whole) == sum(map(len, parts)):
            return whole
    return [*chain.from_iterable(parts)]
