"""The parts of a feed: units compared with the store, collected into pieces, moved; pages read ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from batchwork.engine.feed.corrections import Corrections, Swept, lost_units
from batchwork.engine.feed.feed import Feed, FreshUnits
from batchwork.engine.feed.in_doubt import StartingPoint
from batchwork.engine.feed.runs import Runs
from batchwork.engine.feed.side_by_side import in_place, stored_between
from batchwork.engine.feed.source.read_ahead import ITEMS_AT_ONCE, READ_AHEAD, SourcePages
from batchwork.engine.feed.stream import SingleStream
from batchwork.model import Counts, UnitRecord, Units, UnitStatus
from batchwork.ports import Reading, UnitPage
from batchwork.text.jsontext import Json


def units(*seqs: int) -> Units:
    return Units(seqs, seqs, [f"k{seq}" for seq in seqs], [*seqs])


def page(*seqs: int, indexes: Sequence[int] | None = None, keys: Sequence[str] | None = None) -> UnitPage:
    count = len(seqs)
    keys = keys or [f"k{seq}" for seq in seqs]
    return UnitPage(
        seqs, keys, indexes or seqs, ["pending"] * count, [0] * count, [0] * count, [0] * count, [0] * count
    )


def record(seq: int, **changes: Any) -> UnitRecord:
    return UnitRecord(seq, seq, f"k{seq}", UnitStatus.SKIPPED, 0, **changes)


# ---------------------------------------------------------------- side by side


@pytest.mark.parametrize(
    ("stored", "duplicates", "count"),
    [
        (page(0, 1, 2), [], 3),
        (page(0, 1), [], 2),
        (page(0, 1, 2, keys=["k0", "x", "k2"]), [], None),
        (page(0, 1, 2, indexes=[0, 2, 1]), [], None),
        (page(0, 1, 2, 3), [], None),
        (page(0, 1, 2, 3), [record(3)], 3),
        (page(0, 2), [], 2),
    ],
)
def test_units_are_in_place_or_source_and_store_do_not_match(
    stored: UnitPage, duplicates: list[UnitRecord], count: int | None
) -> None:
    assert in_place(stored, units(0, 1, 2), duplicates) == count


def test_what_is_stored_ends_with_the_last_number() -> None:
    pages = {3: page(4, 5, 9), 9: page()}
    store: Any = SimpleNamespace(page=lambda step, after, limit: pages[after])
    found = stored_between(store, 1, 4, 8)
    assert found is not None and [*found.seqs] == [4, 5] and [*found.keys] == ["k4", "k5"]
    assert stored_between(store, 1, 4, 9) == page(4, 5, 9)
    assert stored_between(store, 1, 10, 12) is None


# ---------------------------------------------------------------- runs


def test_consecutive_units_with_the_same_next_attempt_go_together() -> None:
    runs = Runs(units(0, 1, 2, 3, 4))
    for offset, attempts in [(0, 0), (1, 0), (3, 0), (4, 2)]:
        runs.add(offset, attempts, attempts // 2)
    found = [(piece.attempt, piece.base, [*piece.units.seqs]) for piece in runs.pieces()]
    assert found == [(1, 0, [0, 1, 3]), (3, 1, [4])]


# ---------------------------------------------------------------- moves


def test_moves_are_written_at_once_and_say_what_is_found_then() -> None:
    written: list[Any] = []

    def submit(checkpoint: Any, done: Any) -> None:
        written.append(checkpoint)
        done(None)

    succeeded = iter([2, 1])
    store: Any = SimpleNamespace(
        submit=submit, sweep=lambda step, below: 2, count=lambda step: Counts(succeeded=next(succeeded))
    )
    corrections = Corrections(store, 7)
    corrections.move(record(3), 5)
    corrections.fill(units(8, 9), 1)
    assert len(corrections) == 2
    assert corrections.write() == ["k3"]
    assert (written[0].step, written[0].moves, written[0].values) == (7, [(3, 5)], [(9, "9", None)])
    assert len(corrections) == 0 and corrections.write() == []
    assert (corrections.sweep(0), corrections.swept) == (2, Swept(gone=2, lost=1))


@pytest.mark.parametrize(
    ("lost", "there", "told"),
    [(0, 0, False), (1, 0, True), (1, 9, True), (1, 10, False), (5, 49, True), (99, 990, False), (100, 10**6, True)],
)
def test_units_that_leave_at_once_are_told(lost: int, there: int, told: bool) -> None:
    assert bool(lost_units(lost, there)) is told


def test_the_count_of_a_unit_that_was_gone_comes_back_once(gone_note: dict[str, Any]) -> None:
    store: Any = SimpleNamespace()
    corrections = Corrections(store, 0)
    corrections.move(record(0, **gone_note), 0)
    assert not corrections.urgent
    assert corrections.take_back() == Counts(succeeded=1, skipped=-1)
    assert corrections.take_back() == Counts()


@pytest.fixture
def gone_note() -> dict[str, Any]:
    return {"gone": UnitStatus.SUCCEEDED}


# ---------------------------------------------------------------- pages


class Source:
    def __init__(self, may_block: bool) -> None:
        self.may_block = may_block
        self.asked: list[int] = []
        self.closed = False

    def reading(self) -> Reading:
        return Reading("", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        self.asked.append(size)
        yield from ([1], [2])

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("queue_size", "size", "ahead"),
    [(None, ITEMS_AT_ONCE, READ_AHEAD), (1, 1, 1), (10, 5, 2), (100_000, ITEMS_AT_ONCE, 4)],
)
def test_pages_leave_room_in_the_queue(queue_size: int | None, size: int, ahead: int) -> None:
    source, batch = Source(may_block=False), SimpleNamespace(queue_size=queue_size, batch_size=1)
    assert [*SourcePages(source, batch, lambda: None)] == [[1], [2]]  # type: ignore[arg-type]
    assert source.asked == [size]


def test_a_source_that_may_block_is_read_by_a_thread() -> None:
    source, woken = Source(may_block=True), Event()
    pages = SourcePages(source, SimpleNamespace(queue_size=None, batch_size=1), woken.set)  # type: ignore[arg-type]
    found = []
    for each in pages:
        if each is None:
            assert woken.wait(30)
            woken.clear()
        else:
            found.append(each)
    assert found == [[1], [2]]
    pages.close()
    assert source.closed


# ---------------------------------------------------------------- the feed


def test_a_piece_that_is_too_large_is_taken_in_parts() -> None:
    class Stream(SingleStream):
        length = 3

        def units(self) -> Iterator[Units | None]:
            yield None
            yield units(0, 1, 2)

    feed = Feed(StartingPoint(Counts()), FreshUnits(Stream()))
    assert feed.with_length(Counts()) == Counts(total=3)
    assert feed.take(2) is None and not feed.ended()
    taken = [feed.take(2), feed.take(2)]
    assert [[*piece.units.seqs] for piece in taken if piece] == [[0, 1], [2]]
    assert feed.left() == 0
    assert feed.take(2) is None and feed.ended()
    assert feed.with_total(Counts(succeeded=1)) == Counts(total=3, succeeded=1)


def test_a_feed_with_units_in_doubt_that_are_refused_gives_none() -> None:
    feed = Feed(StartingPoint(Counts(), refused=["k"]), FreshUnits(SingleStream()))
    assert feed.take(1) is None and feed.ended()
