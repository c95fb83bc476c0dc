"""Units that come one by one and go out together."""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.engine.unit.attempt import Piece, joined, together
from batchwork.model import BatchView, Units


def piece(number: int, attempt: int = 2, base: int = 1, view: BatchView | None = None) -> Piece:
    views = None if view is None else [view]
    return Piece(attempt, base, Units([number], [number + 10], [f"k{number}"], [{"n": number}], None, views))


def test_neighbours_of_one_attempt_are_one_piece() -> None:
    found = [*together(map(piece, range(5)), 100)]
    assert found == [
        Piece(
            2,
            1,
            Units([0, 1, 2, 3, 4], [10, 11, 12, 13, 14], ["k0", "k1", "k2", "k3", "k4"], [{"n": n} for n in range(5)]),
        )
    ]


def test_order_and_attempts_stay() -> None:
    pieces = [piece(0), piece(1), piece(2, attempt=3), piece(3), piece(4, base=0), piece(5, base=0)]
    found = [(each.attempt, each.base, [*each.units.seqs]) for each in together(pieces, 100)]
    assert found == [(2, 1, [0, 1]), (3, 1, [2]), (2, 1, [3]), (2, 0, [4, 5])]


def test_not_more_than_asked_for_stand_in_one_piece_and_no_more_are_read_for_it() -> None:
    read = []

    def source() -> Iterator[Piece]:
        for number in range(7):
            read.append(number)
            yield piece(number)

    pieces = together(source(), 3)
    assert len(next(pieces).units) == 3
    assert read == [0, 1, 2]
    assert [len(each.units) for each in pieces] == [3, 1]


def test_nothing_becomes_nothing() -> None:
    assert [*together([], 3)] == []


def test_units_keep_the_batch_that_they_belong_to() -> None:
    first, second = BatchView(0, ["a", "b"], 3), BatchView(1, ["c"], 3)
    both = joined([piece(0, view=first), piece(1, view=first), piece(2, view=second)])
    assert both.units.batches == [first, first, second]
    assert both.units.members is None


def test_units_with_and_without_a_batch_stay_apart() -> None:
    assert len([*together([piece(0), piece(1, view=BatchView(0, [], 1))], 9)]) == 2
