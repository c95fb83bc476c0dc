"""A reading of a step's source laid over what is stored: which units are new, known and unfinished, done, gone. By key, never by position.

Source and store are read in the same order as long as they match, a page at a time, which costs list comparisons and
no index. From the first page that does not match, each key is looked up, and batches are grouped anew. If that had to be
done before, each key is looked up from the very first: units stand anywhere then, and a missing number means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from batchwork.engine.feed.corrections import Corrections, lost_units
from batchwork.engine.feed.duplicates import Duplicates
from batchwork.engine.feed.in_doubt import StartingPoint
from batchwork.engine.feed.regroup import Regrouping, status_now
from batchwork.engine.feed.renewal import Renewal, begun
from batchwork.engine.feed.runs import Runs
from batchwork.engine.feed.side_by_side import by_number, in_place, is_beyond, missing_keys, stored_between
from batchwork.engine.feed.stream import Stream
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.brief import StepBrief
from batchwork.items.grouping import NO_UNITS, Grouping
from batchwork.model import FINAL, BatchView, Counts, UnitRecord, Units, UnitStatus
from batchwork.ports import Store, UnitPage
from batchwork.text.jsontext import decode

CHANGES_MOST = 2_000


class Aligned(Struct, frozen=True):
    """All units up to `position` were found in their places; beside those that are laid over now, `page` is stored."""

    position: int = 0
    page: UnitPage | None = None
    whole: bool = False
    """All the units that are laid over now are in `page`."""


class Beyond(Struct, frozen=True):
    """All units up to `position` were found in their places, and nothing is stored from there on."""

    position: int


class Parted(Struct):
    """From number `below` on source and store do not match. New units get numbers from `next_seq` on."""

    below: int
    next_seq: int
    reading: int

    def number(self) -> int:
        """The number of a new unit."""
        self.next_seq += 1
        return self.next_seq - 1


class Regrouped(Struct):
    """As `parted`, with units that are batches: they are taken apart."""

    parted: Parted
    batches: Regrouping


Mode: TypeAlias = Aligned | Beyond | Parted | Regrouped
"""How the source stands to the store, from the unit on that is laid over next."""


class Merge:
    """Turns the units of a reading (numbered by position) into pieces that are to be run, and says how many there are."""

    def __init__(self, store: Store, order: StepBrief, stream: Stream, opening: StartingPoint) -> None:
        self._store, self._stream, self._opening = store, stream, opening
        self._corrections = Corrections(store, order.number)
        self._duplicates = Duplicates()
        self._mode: Mode = Aligned()
        self._total = 0
        self._renewal = Renewal(store, order)
        stream.known = self.known

    @property
    def length(self) -> int | None:
        """Not known once source and store do not match: units may be gone."""
        if isinstance(self._mode, Aligned | Beyond):
            return self._stream.length
        return None

    def left(self, taken: int) -> int | None:
        """Not known: there may be more in the store than are still to be run."""
        return None

    def pieces(self) -> Iterator[Piece | None]:
        """The pieces, None where the source has nothing for now."""
        if self._renewal.narrow or self._store.was_reread(self._renewal.number):
            self._mode = self._parted(0)
        for units in self._stream.units():
            if units is None:
                yield None
                continue
            yield from self._laid_over(units, self._duplicates.due(self._stream.skipped(), units.indexes[-1]))
            if len(self._corrections) >= CHANGES_MOST:
                self._write()
        if isinstance(self._mode, Regrouped):
            yield from self._looked_up(self._mode.batches.end(), self._mode.parted)
        elif left := self._duplicates.due(self._stream.skipped(), None):
            yield from self._laid_over(NO_UNITS, left)

    def finish(self) -> None:
        """The reading has ended: what it did not have is gone."""
        if len(self._corrections):
            self._write()
        mode = self._mode
        if isinstance(mode, Aligned) and self._store.page(self._renewal.number, mode.position - 1, 1).seqs:
            mode = self._parted(mode.position)
        match mode:
            case Aligned() | Beyond():
                pass  # all that is stored was read
            case Parted(below=below) | Regrouped(parted=Parted(below=below)):
                self._total += self._corrections.sweep(below)
            case _:
                assert_never(mode)

    def total(self, taken: int) -> int:
        """How many units there are, those that are gone included."""
        return self._total

    def found(self) -> tuple[Counts, list[UnitRecord]]:
        """What came to light since the last call: changes in the counts, and duplicates that are to be recorded."""
        fresh, self._duplicates.fresh = self._duplicates.fresh, []
        return self._corrections.take_back().add(skipped=len(fresh)), fresh

    def final(self, counts: Counts) -> Counts:
        """The counters at the end of the step: counted anew where units are gone, which no coordinator has settled."""
        if not self._corrections.swept.gone:
            return counts
        stored = self._store.count(self._renewal.number)
        return Counts(counts.total, stored.succeeded, stored.failed, stored.skipped, 0)

    def remarks(self) -> list[str]:
        swept = self._corrections.swept
        return [*lost_units(swept.lost, self._total - swept.gone), *self._renewal.remarks(swept.gone - swept.lost)]

    def release(self, keys: Sequence[str]) -> None:
        """These units are on disk now."""
        self._stream.release(keys)

    def close(self) -> None:
        """End the source."""
        self._stream.close()

    def known(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Which of these keys this reading has had and are recorded, with their positions."""
        found = {}
        for key, record in self._store.match(self._renewal.number, keys).items():
            if self._has_read(record):
                found[key] = record.index if record.index is not None else record.seq
        return found

    # ------------------------------------------------------------ modes

    def _has_read(self, record: UnitRecord) -> bool:
        match self._mode:
            case Aligned(position=position) | Beyond(position=position):
                return record.seq < position
            case Parted(below=below, reading=now) | Regrouped(parted=Parted(below=below, reading=now)):
                return record.seq < below or record.reading == now
            case _:
                assert_never(self._mode)

    def _parted(self, below: int) -> Parted:
        """Begin a reading of its own, by which its units are told from others."""
        step = self._renewal.number
        return Parted(below, self._store.next_seq(step), self._store.reading(step))

    def _next_mode(self, units: Units, duplicates: Sequence[UnitRecord], last: int) -> Mode:
        """The mode for these units, the last of which (or of the duplicates) stands at `last`."""
        mode = self._mode
        if isinstance(mode, Aligned):
            mode = self._compared(mode.position, units, duplicates, last)
        if isinstance(mode, Parted) and units.members is not None:
            return Regrouped(mode, self._regrouping(mode))
        return mode

    def _compared(self, position: int, units: Units, duplicates: Sequence[UnitRecord], last: int) -> Mode:
        page = stored_between(self._store, self._renewal.number, position, last)
        if page is None:
            return Beyond(position)
        count = in_place(page, units, duplicates)
        missing = missing_keys(page, units, duplicates)
        if count is None or is_beyond(self._store, self._renewal.number, missing, last, units.members is not None):
            return self._parted(position)
        return Aligned(position, page, whole=count == len(units))

    def _laid_over(self, units: Units, duplicates: Sequence[UnitRecord]) -> Iterator[Piece]:
        last = max([*units.indexes[-1:], *(record.seq for record in duplicates[-1:])])
        self._mode = mode = self._next_mode(units, duplicates, last)
        match mode:
            case Aligned():
                yield from self._aligned(mode, units, duplicates)
                self._mode = Aligned(last + 1)
            case Beyond():
                self._total += len(units) + len(duplicates)
                self._duplicates.fresh += duplicates
                if len(units):
                    yield Piece(1, 0, units)
                self._mode = Beyond(last + 1)
            case Parted():
                self._place(duplicates, mode)
                yield from self._looked_up(units, mode)
            case Regrouped():
                yield from self._regrouped(units, mode)
            case _:
                assert_never(mode)

    # ------------------------------------------------------------ side by side

    def _aligned(self, mode: Aligned, units: Units, duplicates: Sequence[UnitRecord]) -> Iterator[Piece]:
        page = mode.page
        assert page is not None
        self._total += len(units) + len(duplicates)
        there = duplicates and {*page.seqs}
        self._duplicates.fresh += [record for record in duplicates if record.seq not in there]
        if mode.whole and self._nothing_left(page):
            self._stream.release(units.keys)
            return
        stored = by_number(page)
        runs, final = Runs(self._renewal.valued(units, begun(units, stored))), list[str]()
        for offset, seq in enumerate(units.seqs):
            status, attempts, base, doubts, due_ms = stored.get(seq, _NEW)
            if UnitStatus(status) in FINAL:
                self._fill(units, offset, doubts)
                final.append(units.keys[offset])
                continue
            runs.add(offset, attempts, base)
            self._note(seq, doubts, due_ms)
        self._write_if_urgent()
        self._stream.release(final)
        yield from runs.pieces()

    def _nothing_left(self, page: UnitPage) -> bool:
        """Whether all units of a page have ended, and have their values."""
        return page.all_final and not any(page.doubts) and not self._opening.lacking

    # ------------------------------------------------------------ one by one

    def _place(self, duplicates: Sequence[UnitRecord], parted: Parted) -> None:
        self._total += len(duplicates)
        known = self._store.match(self._renewal.number, [record.key for record in duplicates]) if duplicates else {}
        for record in duplicates:
            if record.key in known:
                self._corrections.move(known[record.key], record.seq)
            else:
                self._duplicates.fresh.append(replace(record, seq=parted.number()))

    def _looked_up(self, units: Units, parted: Parted) -> Iterator[Piece]:
        known = self._store.match(self._renewal.number, units.keys) if len(units) else {}
        if not len(units := self._renewal.taken(units, known)):
            return
        self._total += len(units)
        seqs = [
            self._seq_at(index, known.get(key), parted) for index, key in zip(units.indexes, units.keys, strict=True)
        ]
        placed = Units(seqs, units.indexes, units.keys, units.values, units.members, units.batches)
        open_ones = [at for at, key in enumerate(units.keys) if key in known and status_now(known[key]) not in FINAL]
        runs = Runs(self._renewal.valued(placed, open_ones))
        for offset, key in enumerate(units.keys):
            record = known.get(key)
            if record is None:
                runs.add(offset, 0, 0)
            elif status_now(record) not in FINAL:
                runs.add(offset, record.attempts, record.base)
                self._note(record.seq, record.doubts, record.due_ms)
            else:
                self._fill(placed, offset, record.doubts)
        self._write_if_urgent()
        yield from runs.pieces()

    def _seq_at(self, index: int, record: UnitRecord | None, parted: Parted) -> int:
        """The number of the unit at a position: a new one, or that of the unit that moves there."""
        if record is None:
            return parted.number()
        self._corrections.move(record, index)
        return record.seq

    # ------------------------------------------------------------ batches

    def _regrouping(self, parted: Parted) -> Regrouping:
        batch = self._renewal.order.plan.batch
        assert batch is not None
        grouping = Grouping("batch", batch.batch_size, views=self._stream.views, total=self._stream.items)
        return Regrouping(self._renewal, grouping, parted.below, parted.reading)

    def _regrouped(self, units: Units, mode: Regrouped) -> Iterator[Piece]:
        for found in mode.batches.add(units):
            if isinstance(found, Units):
                yield from self._looked_up(found, mode.parted)
                continue
            index, record = found
            self._total += 1
            self._corrections.move(record, index)
            if status_now(record) in FINAL:
                mode.batches.lacking.meet(record, index)
                continue
            self._write_if_urgent()
            yield self._as_recorded(record, index)
        for whole in mode.batches.lacking.complete(units):
            self._fill(whole, 0, 1)

    def _as_recorded(self, record: UnitRecord, index: int) -> Piece:
        """A recorded batch that is not finished, with the members that it has."""
        value = decode(self._store.values(self._renewal.number, [record.seq])[0])
        assert isinstance(value, list)
        views = [BatchView(index, value, self._stream.items)] if self._stream.views else None
        self._note(record.seq, record.doubts, record.due_ms)
        return Piece(record.attempts + 1, record.base, Units([record.seq], [index], [record.key], [value], None, views))

    # ------------------------------------------------------------ what all modes do

    def _note(self, seq: int, doubts: int, due_ms: int) -> None:
        if doubts:
            self._opening.doubts[seq] = doubts
        if due_ms:
            self._opening.due[seq] = due_ms

    def _fill(self, units: Units, offset: int, doubts: int) -> None:
        """Give a unit that ended in doubt the value that a process did not live to record; one that has its value keeps it."""
        record = self._opening.lacking.pop(units.seqs[offset], None)
        if record is None and not doubts:
            return
        value = self._corrections.fill(units, offset)
        if record is not None and not record.handled:
            self._opening.filled.append(replace(record, index=units.indexes[offset], value=value))
            self._corrections.urgent = True

    def _write_if_urgent(self) -> None:
        if self._corrections.urgent:
            self._write()

    def _write(self) -> None:
        self._stream.release(self._corrections.write())
        if isinstance(self._mode, Regrouped):
            self._mode.batches.met.clear()


_NEW = (UnitStatus.PENDING, 0, 0, 0, 0)
