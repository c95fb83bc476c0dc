"""Which node gets which units: never more at once than slots over all nodes, and each unit once."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.model import Call, Units
from batchwork.text.numerals import Numerals
from batchwork.workers.nodes.hub.members import Node
from batchwork.workers.nodes.step.placing import InSeats, InShares, Waiting


def node(number: int, slots: int) -> Node:
    return Node(number, "host", slots, 1)


def call(number: int, size: int, ends_after: int | None = None) -> Call:
    units = range(size)
    return Call(number, 1, Units(units, units, Numerals(units), units), units, ends_after)


class Shares:
    """Shares under random events: what waits, and what each node has."""

    def __init__(self, slots: int) -> None:
        self.placing = InShares(slots)
        self.waiting: deque[Waiting] = deque()
        self.held: dict[int, list[tuple[int, int]]] = {}
        self.given: Counter[tuple[int, int]] = Counter()
        self.lost: Counter[tuple[int, int]] = Counter()
        self.whole: set[int] = set()
        self.calls = self.nodes = self.units = 0

    def come(self, slots: int) -> None:
        self.nodes += 1
        self.held[self.nodes] = []
        self.placing.join(node(self.nodes, slots))
        self.placing.see(self.nodes, [True])
        self.give()

    def go(self, at: int) -> None:
        if self.held:
            number = sorted(self.held)[at % len(self.held)]
            left = self.held.pop(number)
            self.placing.leave(number)
            if left:
                self.placing.reported(number, len(left))
            self.lost.update(left)
            self.give()

    def call(self, size: int) -> None:
        self._call(size, None)

    def fragile(self, size: int) -> None:
        self._call(size, 1)

    def _call(self, size: int, ends_after: int | None) -> None:
        self.calls += 1
        self.units += size
        if ends_after is not None and size <= self.placing.width:
            self.whole.add(self.calls)
        self.waiting.append(Waiting(0, call(self.calls, size, ends_after)))
        self.give()

    def end(self, at: int) -> None:
        busy = sorted(number for number, units in self.held.items() if units)
        if busy:
            number = busy[at % len(busy)]
            self.held[number].pop(at % len(self.held[number]))
            self.placing.reported(number, 1)
            self.give()

    def give(self) -> None:
        for order in self.placing.orders(self.waiting):
            units = [(order.waiting.call.id, at) for at in range(*order.part)]
            assert units
            if order.waiting.call.id in self.whole:
                assert len(units) == len(order.waiting.call.payloads), "one node counts its failures"
            self.held[order.node] += units
            self.given.update(units)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["come", "go", "call", "fragile", "end", "end", "end"]), st.integers(1, 9)), max_size=60
)


@given(st.integers(1, 8), EVENTS)
def test_shares_are_never_more_at_once_than_slots_and_each_unit_goes_once(slots: int, events: list[Any]):
    shares = Shares(slots)
    for what, number in events:
        getattr(shares, what)(number)
        assert sum(map(len, shares.held.values())) <= slots
    assert not shares.given or max(shares.given.values()) == 1
    shares.come(3)
    while any(shares.held.values()):
        shares.end(0)
    assert not shares.waiting and sum(shares.given.values()) == shares.units, "nothing stays behind"


def test_shares_follow_what_nodes_offer():
    placing, waiting = InShares(8), deque([Waiting(0, call(1, 100))])
    for number, slots in ((1, 1), (2, 3)):
        placing.join(node(number, slots))
        placing.see(number, [True])
    given_to: Counter[int] = Counter()
    for order in placing.orders(waiting):
        given_to[order.node] += order.part[1] - order.part[0]
    assert given_to == {1: 2, 2: 6}


def test_a_silent_node_is_given_nothing_and_what_it_has_counts():
    placing, waiting = InShares(4), deque([Waiting(0, call(1, 100))])
    for number in (1, 2):
        placing.join(node(number, 2))
        placing.see(number, [True])
    assert sum(stop - start for _, _, _, (start, stop) in placing.orders(waiting)) == 4
    placing.silence(1)
    placing.reported(2, 2)
    assert {order.node for order in placing.orders(waiting)} == {2}
    assert list(placing.orders(waiting)) == []


@pytest.mark.parametrize("room", [2, 8])
def test_lanes_are_as_many_as_slots_or_as_nodes_offer_where_there_is_room(room: int):
    placing = InSeats(2, room)
    placing.join(node(1, 3))
    placing.join(node(2, 3))
    assert placing.lanes == min(6, room)


def test_a_node_that_comes_and_goes_makes_no_lanes():
    placing = InSeats(2, 1000)
    for number in range(1, 50):
        placing.join(node(number, 4))
        placing.leave(number)
    assert placing.lanes == 4


def test_a_call_waits_while_its_lane_is_with_no_node_or_with_a_silent_one():
    placing = InSeats(1, 1)
    waiting = deque([Waiting(0, call(1, 5))])
    assert list(placing.orders(waiting)) == []
    placing.join(node(1, 1))
    placing.silence(1)
    assert list(placing.orders(waiting)) == []
    placing.leave(1)
    placing.join(node(2, 1))
    assert [(order.node, order.part) for order in placing.orders(waiting)] == [(2, (0, 5))]
    assert not waiting


def test_a_lane_that_is_to_move_moves_once_it_is_free():
    placing = InSeats(2, 2)
    placing.join(node(1, 2))
    placing.see(1, [True, True])
    waiting = deque([Waiting(0, call(1, 5)), Waiting(1, call(2, 5))])
    assert [order.node for order in placing.orders(waiting)] == [1, 1]
    placing.join(node(2, 2))
    placing.see(2, [True, True])
    assert placing.ready().count(True) == 1, "one lane waits for its call to end"
    moving = placing.ready().index(False)
    placing.unloaded(1 - moving, 0)
    placing.unloaded(moving, 3)
    assert not placing.ready()[moving]
    placing.unloaded(moving, 0)
    placing.see(2, [True, True])
    again = deque([Waiting(moving, call(3, 1))])
    assert [order.node for order in placing.orders(again)] == [2]
