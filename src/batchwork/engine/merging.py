"""A reading of a step's source laid over what is stored: which units are new, known and unfinished, done, gone. By key, never by position.

Source and store are read in the same order as long as they match, a page at a time, which costs list comparisons and
no index. From the first page that does not match, each key is looked up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from batchwork.engine.stream import Stream
from batchwork.engine.window import Piece
from batchwork.frozen import dataclass
from batchwork.model import FINAL, UnitRecord, Units, UnitStatus
from batchwork.ports import Store, UnitPage

GONE = "gone:"
"""Note of a unit that an earlier reading had and the last one had not, with its former status."""


@dataclass(slots=True)
class Merge:
    """Turns the units of a reading (numbered by position) into pieces that are to be run.

    After the last piece `total` is the number of units, those that are gone included. `moves` are known units whose
    position is to be written; they must be on disk before `finish`.
    """

    store: Store
    step: int
    stream: Stream
    doubts: dict[int, int]
    moves: list[tuple[int, int]] = field(default_factory=list)
    moved_keys: list[str] = field(default_factory=list)
    total: int = 0
    gone: int = 0
    _seen_below: int | None = None  # where source and store stopped matching
    _beyond: bool = False  # nothing is stored from here on
    _next_seq: int = 0
    _reading: int = 0
    _position: int = 0  # of the first unit that has not been laid over

    def pieces(self) -> Iterator[Piece | None]:
        """The pieces, None where the source has nothing for now."""
        for units in self.stream.units():
            if units is None:
                yield None
                continue
            self.total += len(units)
            yield from self._laid_over(units)
            self._position = units.indexes[-1] + 1

    def finish(self) -> None:
        """The reading has ended: what it did not have is gone."""
        if self._beyond and self._seen_below is None:
            return
        if self._seen_below is None:
            self._part_ways(self._position)
        self.gone = self.store.sweep(self.step, self._seen_below or 0)
        self.total += self.gone

    def known(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Which of these keys this reading has had and are recorded, with their positions."""
        found = {}
        for key, record in self.store.match(self.step, keys).items():
            side_by_side = self._seen_below is None or record.seq < self._seen_below
            seen = record.seq < self._position if side_by_side else record.reading == self._reading
            if seen:
                found[key] = record.index if record.index is not None else record.seq
        return found

    def new_only(self, skipped: Sequence[UnitRecord]) -> list[UnitRecord]:
        """Of the duplicates that this reading skipped those that are not recorded; the others are moved."""
        if not skipped or self._beyond:
            self.total += len(skipped)
            return list(skipped)
        known = self.store.match(self.step, [record.key for record in skipped])
        self.total += len(skipped)
        fresh = []
        for record in skipped:
            if record.key in known:
                self._move(known[record.key].seq, record.index or 0, record.key)
            else:
                fresh.append(replace(record, seq=self._number(record.seq)))
        return fresh

    def _laid_over(self, units: Units) -> Iterator[Piece]:
        if self._seen_below is None and not self._beyond:
            stored = self._stored(units)
            if stored is None:
                self._beyond = True
            elif (known := self._side_by_side(stored, units)) is not None:
                if known != len(units) or not stored.all_final:
                    yield from self._unfinished(stored, units)
                else:
                    self.stream.release(units.keys)
                return
            else:
                self._part_ways(units.indexes[0])
        if self._beyond:
            yield Piece(1, 0, units)
        else:
            yield from self._looked_up(units)

    def _part_ways(self, below: int) -> None:
        self._seen_below = below
        self._next_seq = self.store.next_seq(self.step)
        self._reading = self.store.reading(self.step)

    def _number(self, seq: int) -> int:
        """The number of a new unit: its position, until source and store stop matching."""
        if self._seen_below is None:
            return seq
        self._next_seq += 1
        return self._next_seq - 1

    def _move(self, seq: int, index: int, key: str) -> None:
        if self._seen_below is not None:
            self.moves.append((seq, index))
            self.moved_keys.append(key)

    # ------------------------------------------------------------ side by side

    def _stored(self, units: Units) -> UnitPage | None:
        """What is stored where these units would stand; None where nothing is stored from there on."""
        first, last = units.seqs[0], units.seqs[-1]
        page = self.store.page(self.step, first - 1, last - first + 1)
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
    def _side_by_side(page: UnitPage, units: Units) -> int | None:
        """How many of the units are stored, each in its place; None where source and store do not match."""
        if list(page.seqs) != list(page.indexes):
            return None  # an earlier reading moved them, or they are gone
        if len(page.seqs) == len(units) and list(page.seqs) == list(units.seqs):
            return len(units) if list(page.keys) == list(units.keys) else None
        expected = dict(zip(units.seqs, units.keys, strict=True))
        count = 0
        for seq, key, status in zip(page.seqs, page.keys, page.statuses, strict=True):
            if seq in expected:
                if expected[seq] != key:
                    return None
                count += 1
            elif status != UnitStatus.SKIPPED:  # a duplicate that was skipped is not among the units
                return None
        return count

    def _unfinished(self, page: UnitPage, units: Units) -> Iterator[Piece]:
        stored = {
            seq: (status, attempts, base, doubts)
            for seq, status, attempts, base, doubts in zip(
                page.seqs, page.statuses, page.attempts, page.bases, page.doubts, strict=True
            )
        }
        runs = _Runs(units)
        for offset, seq in enumerate(units.seqs):
            known = stored.get(seq)
            if known is None:
                runs.add(offset, 1, 0)
            elif UnitStatus(known[0]) not in FINAL:
                runs.add(offset, known[1] + 1, known[2])
                if known[3]:
                    self.doubts[seq] = known[3]
        yield from runs.pieces()

    # ------------------------------------------------------------ one by one

    def _looked_up(self, units: Units) -> Iterator[Piece]:
        known = self.store.match(self.step, units.keys)
        seqs: list[int] = []
        for offset, key in enumerate(units.keys):
            record = known.get(key)
            if record is None:
                seqs.append(self._number(units.seqs[offset]))
            else:
                seqs.append(record.seq)
                self._move(record.seq, units.indexes[offset], key)
        placed = Units(seqs, units.indexes, units.keys, units.values, units.members, units.batches)
        runs = _Runs(placed)
        for offset, key in enumerate(units.keys):
            record = known.get(key)
            if record is None:
                runs.add(offset, 1, 0)
            elif status_now(record) not in FINAL:
                runs.add(offset, record.attempts + 1, record.base)
                if record.doubts:
                    self.doubts[record.seq] = record.doubts
        yield from runs.pieces()


def status_now(record: UnitRecord) -> UnitStatus:
    """The status of a known unit that the source has (again)."""
    if record.note.startswith(GONE):
        return UnitStatus(record.note.removeprefix(GONE))
    return record.status


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
