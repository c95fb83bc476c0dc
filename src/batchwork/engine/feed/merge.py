"""A reading of a step's source laid over what is stored: which units are new, known and unfinished, done, gone. By key, never by position.

Source and store are read in the same order as long as they match, a page at a time, which costs list comparisons and
no index. From the first page that does not match, each key is looked up, and batches are grouped anew. If that had to be
done before, each key is looked up from the very first: units stand anywhere then, and a missing number means nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.engine.feed.in_doubt import commit
from batchwork.engine.feed.regroup import Regrouping, status_now
from batchwork.engine.feed.stream import Stream
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.brief import StepBrief
from batchwork.engine.unit.stored_value import member_texts, value_texts
from batchwork.items.grouping import NO_UNITS
from batchwork.model import FINAL, BatchView, Checkpoint, Counts, UnitRecord, Units, UnitStatus
from batchwork.ports import Store, UnitPage
from batchwork.text.jsontext import decode

CHANGES_MOST = 2_000


class Merge(Struct):
    """Turns the units of a reading (numbered by position) into pieces that are to be run.

    After `finish` `total` is the number of units, those that are gone included. `fresh` are duplicates that reading
    skipped and that are to be recorded. `lacking` are the numbers of units that are recorded without their values.
    """

    store: Store
    order: StepBrief
    stream: Stream
    doubts: dict[int, int]
    lacking: Collection[int] = ()
    fresh: list[UnitRecord] = field(default_factory=list)
    total: int = 0
    gone: int = 0
    back: Counts = field(default_factory=Counts)
    """What changes in the counts because units that were gone are there again."""
    _moves: list[tuple[int, int]] = field(default_factory=list)
    _values: list[tuple[int, str | None, str | None]] = field(default_factory=list)
    _recorded: list[str] = field(default_factory=list)  # keys that `known` answers for once the moves are written
    _skipped: list[UnitRecord] = field(default_factory=list)
    _seen_below: int | None = None  # where source and store stopped matching
    _beyond: bool = False  # nothing is stored from here on
    _next_seq: int = 0
    _reading: int = 0
    _position: int = 0  # of the first unit that has not been laid over
    _revived: bool = (
        False  # a unit that was gone is to run: what it gives is recorded only once it is not gone any more
    )
    _regrouping: Regrouping | None = None

    def pieces(self) -> Iterator[Piece | None]:
        """The pieces, None where the source has nothing for now."""
        if self.store.was_reread(self.order.number):
            self._part_ways()
        for units in self.stream.units():
            if units is None:
                yield None
            elif self._regrouping is not None:
                yield from self._regrouped(self._regrouping, units)
            else:
                yield from self._laid_over(units, self._duplicates(units.indexes[-1]))
            self._write(CHANGES_MOST)
        if self._regrouping is not None:
            yield from self._looked_up(self._regrouping.end())
        elif left := self._duplicates(None):
            yield from self._laid_over(NO_UNITS, left)

    def finish(self) -> None:
        """The reading has ended: what it did not have is gone."""
        self._write(1)
        if self._beyond and self._seen_below is None:
            return
        if self._seen_below is None:
            if not self.store.page(self.order.number, self._position - 1, 1).seqs:
                return
            self._part_ways()
        self.gone = self.store.sweep(self.order.number, self._seen_below or 0)
        self.total += self.gone

    def known(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Which of these keys this reading has had and are recorded, with their positions."""
        found = {}
        for key, record in self.store.match(self.order.number, keys).items():
            side_by_side = self._seen_below is None or record.seq < self._seen_below
            seen = record.seq < self._position if side_by_side else record.reading == self._reading
            if seen:
                found[key] = record.index if record.index is not None else record.seq
        return found

    def _write(self, least: int) -> None:
        """Write what has changed of known units (positions, and values that they lacked), if it is so much."""
        if len(self._moves) + len(self._values) < least:
            return
        self._revived = False
        commit(self.store, Checkpoint(self.order.number, values=self._values, moves=self._moves))
        self.stream.release(self._recorded)
        self._moves, self._values, self._recorded = [], [], []
        if self._regrouping is not None:
            self._regrouping.met.clear()

    # ------------------------------------------------------------ one page

    def _duplicates(self, last: int | None) -> list[UnitRecord]:
        """The duplicates that reading skipped up to position `last`, None for all that there are."""
        self._skipped += self.stream.skipped()
        due = [record for record in self._skipped if last is None or record.seq <= last]
        if due:
            self._skipped = self._skipped[len(due) :]
        return due

    def _laid_over(self, units: Units, duplicates: Sequence[UnitRecord]) -> Iterator[Piece]:
        last = max([*units.indexes[-1:], *(record.seq for record in duplicates[-1:])])
        if self._seen_below is None and not self._beyond:
            stored = self._stored(last)
            if stored is None:
                self._beyond = True
            elif (known := self._side_by_side(stored, units, duplicates)) is not None:
                self.total += len(units) + len(duplicates)
                there = {*stored.seqs} if duplicates else ()
                self.fresh += [record for record in duplicates if record.seq not in there]
                yield from self._unfinished(stored, units, whole=known == len(units))
                self._position = last + 1
                return
            else:
                self._part_ways()
        if self._seen_below is not None and units.members is not None:
            self._regrouping = self._to_regroup()
            yield from self._regrouped(self._regrouping, units)
            return
        if self._beyond:
            self.total += len(units) + len(duplicates)
            self.fresh += duplicates
            if len(units):
                yield Piece(1, 0, units)
        else:
            self._place(duplicates)
            yield from self._looked_up(units)
        self._position = last + 1

    def _part_ways(self) -> None:
        self._seen_below = self._position
        self._next_seq = self.store.next_seq(self.order.number)
        self._reading = self.store.reading(self.order.number)

    def _number(self) -> int:
        """The number of a new unit, from where source and store stop matching; its position before."""
        self._next_seq += 1
        return self._next_seq - 1

    def _move(self, record: UnitRecord, index: int) -> None:
        self._moves.append((record.seq, index))
        if record.gone is not None:
            status = status_now(record)
            self.back = self.back.add(
                succeeded=int(status is UnitStatus.SUCCEEDED),
                failed=int(status is UnitStatus.FAILED),
                skipped=int(status is UnitStatus.SKIPPED) - 1,
            )
            self._revived |= status not in FINAL

    # ------------------------------------------------------------ side by side

    def _stored(self, last: int) -> UnitPage | None:
        """What is stored up to number `last` where the reading stands; None where nothing is stored from there on."""
        page = self.store.page(self.order.number, self._position - 1, last - self._position + 1)
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
        )

    @staticmethod
    def _side_by_side(page: UnitPage, units: Units, duplicates: Sequence[UnitRecord]) -> int | None:
        """How many of the units are stored, each in its place; None where source and store do not match."""
        if list(page.seqs) != list(page.indexes):
            return None  # an earlier reading moved them, or they are gone
        if not duplicates and len(page.seqs) == len(units) and list(page.seqs) == list(units.seqs):
            return len(units) if list(page.keys) == list(units.keys) else None
        expected = dict(zip(units.seqs, units.keys, strict=True))
        skipped = {record.seq: record.key for record in duplicates}
        count = 0
        for seq, key in zip(page.seqs, page.keys, strict=True):
            if expected.get(seq) == key:
                count += 1
            elif skipped.get(seq) != key:
                return None
        return count

    def _unfinished(self, page: UnitPage, units: Units, whole: bool) -> Iterator[Piece]:
        if self.lacking:
            self._fill(units, units.seqs)
        if whole and page.all_final:
            self.stream.release(units.keys)
            return
        stored = {
            seq: (status, attempts, base, doubts)
            for seq, status, attempts, base, doubts in zip(
                page.seqs, page.statuses, page.attempts, page.bases, page.doubts, strict=True
            )
        }
        runs, final = _Runs(units), list[str]()
        for offset, seq in enumerate(units.seqs):
            known = stored.get(seq)
            if known is None:
                runs.add(offset, 1, 0)
            elif UnitStatus(known[0]) in FINAL:
                final.append(units.keys[offset])
            else:
                runs.add(offset, known[1] + 1, known[2])
                if known[3]:
                    self.doubts[seq] = known[3]
        self.stream.release(final)
        yield from runs.pieces()

    # ------------------------------------------------------------ one by one

    def _place(self, duplicates: Sequence[UnitRecord]) -> None:
        self.total += len(duplicates)
        known = self.store.match(self.order.number, [record.key for record in duplicates]) if duplicates else {}
        for record in duplicates:
            if record.key in known:
                self._move(known[record.key], record.seq)
                self._recorded.append(record.key)
            else:
                self.fresh.append(replace(record, seq=self._number()))

    def _looked_up(self, units: Units) -> Iterator[Piece]:
        if not len(units):
            return
        self.total += len(units)
        known = self.store.match(self.order.number, units.keys)
        seqs: list[int] = []
        for index, key in zip(units.indexes, units.keys, strict=True):
            record = known.get(key)
            if record is None:
                seqs.append(self._number())
            else:
                seqs.append(record.seq)
                self._move(record, index)
                self._recorded.append(key)
        placed = Units(seqs, units.indexes, units.keys, units.values, units.members, units.batches)
        if self.lacking:
            self._fill(placed, seqs)
        runs = _Runs(placed)
        for offset, key in enumerate(units.keys):
            record = known.get(key)
            if record is None:
                runs.add(offset, 1, 0)
            elif status_now(record) not in FINAL:
                self._again(runs, offset, record)
        if self._revived:
            self._write(1)
        yield from runs.pieces()

    def _again(self, runs: _Runs, offset: int, record: UnitRecord) -> None:
        runs.add(offset, record.attempts + 1, record.base)
        if record.doubts:
            self.doubts[record.seq] = record.doubts

    def _fill(self, units: Units, seqs: Sequence[int]) -> None:
        """Give units the values that a process did not live to record."""
        for offset in [offset for offset, seq in enumerate(seqs) if seq in self.lacking]:
            unit = units.pick([offset])
            members = member_texts(unit)
            value = value_texts(unit, True)[0]
            self._values.append((seqs[offset], value, members[0] if members is not None else None))

    # ------------------------------------------------------------ batches

    def _to_regroup(self) -> Regrouping:
        batch = self.order.plan.batch
        assert batch is not None
        return Regrouping(
            self.store,
            self.order.number,
            batch.batch_size,
            self.stream.views,
            self.stream.items,
            self._position,
            self._reading,
            self.order.censor.hides,
        )

    def _regrouped(self, regrouping: Regrouping, units: Units) -> Iterator[Piece]:
        for found in regrouping.add(units):
            if isinstance(found, Units):
                yield from self._looked_up(found)
                continue
            index, record = found
            self.total += 1
            self._move(record, index)
            if status_now(record) not in FINAL:
                if self._revived:
                    self._write(1)
                yield self._as_recorded(record, index)

    def _as_recorded(self, record: UnitRecord, index: int) -> Piece:
        """A recorded batch that is not finished, with the members that it has."""
        value = decode(self.store.values(self.order.number, [record.seq])[0])
        assert isinstance(value, list)
        views = [BatchView(index, value, self.stream.items)] if self.stream.views else None
        if record.doubts:
            self.doubts[record.seq] = record.doubts
        return Piece(record.attempts + 1, record.base, Units([record.seq], [index], [record.key], [value], None, views))


class _Runs:
    """Offsets collected into pieces: consecutive ones whose next attempt has the same number."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._runs: list[tuple[int, int, list[int]]] = []

    def add(self, offset: int, attempt: int, base: int) -> None:
        if self._runs and self._runs[-1][:2] == (attempt, base):
            self._runs[-1][2].append(offset)
        else:
            self._runs.append((attempt, base, [offset]))

    def pieces(self) -> Iterator[Piece]:
        for attempt, base, offsets in self._runs:
            first, last = offsets[0], offsets[-1]
            whole = last - first + 1 == len(offsets)
            yield Piece(attempt, base, self._units.cut(first, last + 1) if whole else self._units.pick(offsets))
