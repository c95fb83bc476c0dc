"""Pages of units and results in the order of positions, and what of the claims is not settled. Nothing is written.

A page begins where the last one of the same listing ended, without counting from the start again, so that a million
units are read in one pass.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from batchwork.model import Claim, RunningUnit, UnitNote, UnitRecord, UnitStatus
from batchwork.ports import UnitView
from batchwork.store.tables.blocks import reading as blocks
from batchwork.store.tables.rows import (
    CODES,
    UnitRow,
    failure_of,
    first_id,
    integer_in,
    text_in,
    unit_of,
    unless_null,
)
from batchwork.store.tables.session import Session

IN_DOUBT = "in_doubt"
RUNNING = "running"
BOOKMARKS = 32
ROWS_AT_ONCE = 250
"""No more rows are read than that, because those in blocks may come before them."""

FILTERS = {
    "all": "true",
    "succeeded": "status = 2",
    "other": "status <> 2 and status = :code",  # spelt so that the index unit_open is used
}
KEY_FILTER = " and key = :key"
"""What may stand for `{filter}` in a statement for a page of units."""

Spot: TypeAlias = tuple[bool, int, int]
"""Where a unit stands in a listing: (has no position, position or 0, seq)."""
START: Spot = (False, -1, -1)


class Listing(Struct, frozen=True):
    """What is listed: the units of a step, of this status and key where one is given. `ordered`: all positions are seqs."""

    step: int
    status: str | None
    key: str | None
    ordered: bool

    def query(self, placeless: bool) -> str:
        """The name of the statement for a page."""
        if placeless:
            return "units_placeless"
        if self.ordered:
            return "units_by_seq"
        return "units_by_place"

    def filter(self) -> str:
        """The condition of that statement."""
        status = {None: "all", "succeeded": "succeeded"}.get(self.status, "other")
        return FILTERS[status] + KEY_FILTER * (self.key is not None)


class Bookmark(Struct, frozen=True):
    """How far a listing has been read: `start` units, the last of them at `spot`; and what was in doubt then.

    `claimed` are those, or running ones, that the listing shows; rows of `hidden` seqs are not shown, because they are of them.
    """

    start: int = 0
    spot: Spot = START
    claimed: Sequence[tuple[Spot, UnitView]] = ()
    hidden: frozenset[int] = frozenset()


class Bookmarks:
    """The last place of each of the latest listings."""

    def __init__(self) -> None:
        self._marks: OrderedDict[Listing, Bookmark] = OrderedDict()
        self._guard = threading.Lock()

    def find(self, listing: Listing, start: int) -> Bookmark | None:
        """The bookmark from which to go on to `start`, if it does not lie after it."""
        with self._guard:
            mark = self._marks.get(listing)
        if mark is None or not 0 < mark.start <= start:
            return None
        return mark

    def put(self, listing: Listing, mark: Bookmark) -> None:
        with self._guard:
            self._marks[listing] = mark
            self._marks.move_to_end(listing)
            while len(self._marks) > BOOKMARKS:
                self._marks.popitem(last=False)


def spot_of(record: UnitRecord) -> Spot:
    return (record.index is None, record.index or 0, record.seq)


def begin(listing: Listing, claimed: Sequence[UnitView]) -> Bookmark:
    """The bookmark at the start of a listing, given what of its step is in doubt or running."""
    shown = [
        (spot_of(view.record), view)
        for view in claimed
        if listing.status in (None, view.status) and listing.key in (None, view.record.key)
    ]
    return Bookmark(0, START, sorted(shown, key=_spot), frozenset(view.record.seq for view in claimed))


def page(session: Session, listing: Listing, mark: Bookmark, start: int, limit: int) -> tuple[list[UnitView], Bookmark]:
    """The units `start` to `start + limit` of a listing, reading on from `mark`, and the bookmark after them."""
    size = min(start - mark.start + limit, ROWS_AT_ONCE)
    views = _stored(session, listing, mark, size)
    if listing.ordered and listing.status in (None, UnitStatus.SUCCEEDED):
        views = merge(views, _in_blocks(session, listing, mark), key=lambda view: spot_of(view.record))
    if mark.claimed:
        waiting = mark.claimed[bisect_right(mark.claimed, mark.spot, key=_spot) :]
        views = merge(views, (view for _, view in waiting), key=lambda view: spot_of(view.record))
    for _ in islice(views, start - mark.start):
        pass
    found = list(islice(views, limit))
    if not found:
        return [], mark
    return found, Bookmark(start + len(found), spot_of(found[-1].record), mark.claimed, mark.hidden)


def _spot(entry: tuple[Spot, UnitView]) -> Spot:
    return entry[0]


def _stored(session: Session, listing: Listing, mark: Bookmark, size: int) -> Iterator[UnitView]:
    """Rows of a listing after a bookmark, read `size` at a time, in order of spots."""
    if listing.status in (IN_DOUBT, RUNNING) or size <= 0:
        return
    first, hidden = first_id(listing.step), mark.hidden
    name = session.value("step_name", (listing.step,))
    after = mark.spot
    while True:
        rows = _rows(session, listing, after, size)
        for row in rows:
            record = unit_of(first, row)
            if record.seq not in hidden:
                failure = row[19]
                yield UnitView(name, record, record.status, failure_of(failure))
        if len(rows) == size:
            after = spot_of(unit_of(first, rows[-1]))
        elif after[0]:
            return
        else:
            after = (True, 0, -1)  # those without a position come last


def _in_blocks(session: Session, listing: Listing, mark: Bookmark) -> Iterator[UnitView]:
    """Units of a listing that are in blocks, after a bookmark."""
    placeless, place, _seq = mark.spot
    if placeless:
        return
    name = session.value("step_name", (listing.step,))
    first = first_id(listing.step)
    for record in blocks.records(session, first, (place + 1, first_id(1)), listing.key):
        yield UnitView(name, record, record.status)


def _rows(session: Session, listing: Listing, after: Spot, size: int) -> list[UnitRow]:
    step, (placeless, place, seq) = listing.step, after
    name, code = listing.query(placeless), unless_null(lambda status: CODES[UnitStatus(status)], listing.status)
    bounds = {"first": first_id(step), "last": first_id(step + 1)}
    hint = _hint(session, step, name != "units_by_place")
    cells = {"after": first_id(step) + seq, "place": place, "size": size, "code": code, "key": listing.key}
    return cast(list[UnitRow], session.rows(name, cells, **bounds, hint=hint, filter=listing.filter()))


def _hint(session: Session, step: int, ordered: bool) -> str:
    if ordered:
        return ""
    return session.hint("pos", step)


def doubtful(session: Session, step: int, name: str, claims: Sequence[Claim], ordered: bool) -> list[UnitView]:
    """The claimed and unsettled units of a step whose process died, as they are shown.

    One that has no row yet has no value here, and the note CLAIMED.
    """
    first = first_id(step)
    claimed = {
        seq: UnitRecord(
            seq, seq if ordered else None, key, UnitStatus.PENDING, attempts=claim.attempt - 1, note=UnitNote.CLAIMED
        )
        for claim in claims
        for seq, key in zip(claim.seqs, claim.keys, strict=True)
    }
    cells = (first, session.among([*claimed]))
    rows = cast(list[UnitRow], session.rows("units_some", cells))
    for row in rows:
        record = unit_of(first, row)
        claimed[record.seq] = record
    return [UnitView(name, record, IN_DOUBT) for record in claimed.values()]


def running_units(session: Session, step: int) -> list[RunningUnit]:
    """What was last known to run, and has not ended since."""
    rows = session.rows("running", (step, first_id(step)))
    units = [RunningUnit(*row) for row in rows]  # type: ignore[arg-type]
    ended = blocks.covered(session, first_id(step), [unit.seq for unit in units])
    return [unit for unit in units if unit.seq not in ended]


def running(session: Session, step: int, name: str, ordered: bool) -> list[UnitView]:
    """The same as units are shown: one that has no row yet has no value here, and the note CLAIMED."""
    found = {unit.seq: unit for unit in running_units(session, step)}
    cells = (first_id(step), session.among([*found]))
    rows = cast(list[UnitRow], session.rows("units_some", cells))
    known = {record.seq: record for record in (unit_of(first_id(step), row) for row in rows)}
    views = []
    for seq, unit in found.items():
        claimed = UnitRecord(seq, unit.index, unit.key, UnitStatus.PENDING, 0, note=UnitNote.CLAIMED)
        record = known.get(seq, claimed)
        record = replace(record, attempts=unit.attempt, started_ms=unit.started_ms, worker=unit.worker, duration_us=0)
        views.append(UnitView(name, record, RUNNING))
    return views


def results(session: Session, step: int, ordered: bool, start: int, limit: int) -> list[str | None]:
    """Results by position, None where there is none, for each position that is recorded or known to come."""
    first, last = first_id(step), first_id(step + 1)
    total = session.value("step_total", (step,))
    gone = session.value("unit_gone", (first, last))
    known = (total or gone) - gone  # gone units count in the total, but have no position
    end = min(start + limit, max(known, _places(session, step, ordered)))
    found: list[str | None] = [None] * max(0, end - start)
    if ordered:
        rows = session.rows("results_by_seq", (first, start, end))
    else:
        hint = session.hint("pos", step)
        rows = session.rows("results_by_place", (start, end), first=first, last=last, hint=hint)
    for place, result in rows:
        found[integer_in(place) - start] = unless_null(text_in, result)
    if ordered:
        for place, result in blocks.results(session, first, (start, end)):
            found[place - start] = result
    return found


def _places(session: Session, step: int, ordered: bool) -> int:
    """One more than the highest position that is recorded."""
    first, last = first_id(step), first_id(step + 1)
    name = {True: "place_last_by_seq", False: "place_last_by_place"}[ordered]
    hint = _hint(session, step, ordered)
    highest = session.value(name, (), first=first, last=last, hint=hint)
    packed = blocks.last(session, (first, last))
    places = [place for place in (highest, packed and packed - first) if place is not None]
    return max(places, default=-1) + 1
