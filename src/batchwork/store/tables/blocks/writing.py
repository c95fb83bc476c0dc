"""Records units that succeeded, as blocks where that can be and as rows else, and turns blocks into rows. The caller holds the transaction.

Blocks are for what is new: units that have no row yet, in a step whose units stand where they were first read. What a block
has is final, and nothing changes it: so whoever must change or find units by their keys first makes rows of the blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import TypeVar

from msgspec.structs import replace

from batchwork.model import Successes
from batchwork.store.tables.blocks import codec, reading
from batchwork.store.tables.rows import Row, first_id, integer_in
from batchwork.store.tables.session import Session
from batchwork.text.jsontexts import picked

T = TypeVar("T")


def succeed_in_blocks(session: Session, part: Successes, step: int) -> None:
    """Record units of a step that may have blocks."""
    first = first_id(step)
    blocks = _packed(part, _free(session, part, codec.runs(part), first), first)
    session.many("block_add", blocks.values())
    if sum(map(len, blocks)) < len(part.seqs):
        there = {*chain.from_iterable(blocks)}
        succeed_in_rows(session, chosen(part, [at for at in range(len(part.seqs)) if at not in there]), first, 0)


def _free(session: Session, part: Successes, runs: Sequence[range], first: int) -> Sequence[range]:
    """The runs of units of which nothing is recorded yet. Mostly that is all of them, which one look tells."""

    def is_free(start: int, last: int) -> bool:
        bounds = (first | part.seqs[start], (first | part.seqs[last]) + 1)
        return not session.value("taken", bounds)

    if not runs or is_free(runs[0].start, runs[-1][-1]):
        return runs
    return [run for whole in runs for run in codec.closed(part, whole) if is_free(run.start, run[-1])]


def _packed(part: Successes, runs: Sequence[range], first: int) -> dict[range, Row]:
    """Blocks of runs, without those whose texts forbid it."""
    found = {}
    for run in runs:
        with suppress(codec.UnfitError):
            found[run] = codec.packed(part, run, first)
    return found


def succeed_in_rows(session: Session, part: Successes, first: int, reading_number: int) -> None:
    """Record units as rows; those that are in blocks stay there."""
    if there := reading.covered(session, first, part.seqs):
        part = chosen(part, [at for at, seq in enumerate(part.seqs) if seq not in there])
    _insert(session, part, first, reading_number)


def chosen(part: Successes, offsets: Sequence[int]) -> Successes:
    """Some of the units."""

    def column(cells: Sequence[T]) -> Sequence[T]:
        return picked(cells, offsets)

    return replace(
        part,
        seqs=column(part.seqs),
        indexes=column(part.indexes),
        keys=column(part.keys),
        values=column(part.values),
        results=column(part.results),
        durations_us=column(part.durations_us),
        members=part.members and column(part.members),
    )


def _insert(session: Session, part: Successes, first: int, reading_number: int) -> None:
    total = len(part.seqs)
    shared = (part.attempt, reading_number, part.started_ms, part.worker)
    columns = (
        [first | seq for seq in part.seqs],
        part.keys,
        part.indexes,
        part.durations_us,
        part.members or repeat(None, total),
        part.values,
        part.results,
    )
    session.succeed(shared, columns)


# ---------------------------------------------------------------- blocks into rows


def unpack_all(session: Session, step: int) -> None:
    """Make rows of all blocks of a step."""
    _unpack(session, step, first_id(step), first_id(step + 1))


def unpack_some(session: Session, step: int, seqs: Iterable[int]) -> None:
    """Make rows of the blocks that have one of these units."""
    first = first_id(step)
    for seq in reading.covered(session, first, [*seqs]):
        _unpack(session, step, first | seq, (first | seq) + 1)


def _unpack(session: Session, step: int, start: int, stop: int) -> None:
    for span in [*session.blocks("block_spans", (start, stop))]:
        number = integer_in(span[0])
        (row,) = session.blocks("blocks", (number, number + 1))
        session.run("block_drop", (number,))
        _insert(session, codec.unpacked(row, first_id(step)), first_id(step), 0)
