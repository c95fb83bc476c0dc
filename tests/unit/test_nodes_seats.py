"""Which lane of a step is which lane of which node: fair parts, and lanes that move as nodes come and go."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchwork.workers.nodes.hub.members import Node
from batchwork.workers.nodes.step.seats import Seats, fair_parts

OFFERS = st.dictionaries(st.integers(1, 9), st.integers(1, 40), max_size=6)


def node(number: int, slots: int) -> Node:
    return Node(number, "host", slots, 1)


@given(st.integers(0, 60), OFFERS)
def test_parts_are_fair(total: int, offers: dict[int, int]):
    parts = fair_parts(total, offers)
    offered = sum(offers.values())
    assert set(parts) == set(offers)
    assert sum(parts.values()) == min(total, offered)
    for number, part in parts.items():
        assert part <= offers[number]
        assert abs(part - min(total, offered) * offers[number] / offered) < 1


@given(st.integers(0, 60), OFFERS)
def test_who_offers_more_has_no_smaller_part(total: int, offers: dict[int, int]):
    parts = fair_parts(total, offers)
    ordered = sorted(offers, key=lambda number: offers[number])
    assert all(parts[less] <= parts[more] + (offers[less] == offers[more]) for less, more in pairwise(ordered))


def test_a_node_that_comes_late_gets_lanes_as_they_become_free():
    seats = Seats(4)
    assert seats.join(node(1, 4), [True] * 4) == [0, 1, 2, 3]
    seats.see(1, [True] * 4)
    busy = [False, False, False, True]
    assert seats.join(node(2, 4), busy) == [3]
    assert seats.ready() == [True, True, True, False] or seats.ready().count(True) == 2
    seats.freed([True] * 4)
    assert Counter(seat.node for seat in seats.lanes if seat) == {1: 2, 2: 2}


def test_a_node_that_cannot_do_the_step_gives_up_its_lanes_as_they_become_free():
    seats = Seats(4)
    seats.join(node(1, 2), [True] * 4)
    seats.join(node(2, 4), [True] * 4)
    mine = seats.of_node(1)
    free = [lane != mine[0] for lane in range(4)]
    seats.retire(1, free)
    assert set(seats.of_node(1)) == {0}
    assert len(seats.of_node(2)) == 3
    seats.freed([True] * 4)
    assert Counter(seat.node for seat in seats.lanes if seat) == {2: 4}


def test_lanes_of_a_silent_node_stay_with_it_until_it_is_gone():
    seats = Seats(2)
    seats.join(node(1, 1), [True] * 2)
    seats.join(node(2, 2), [True] * 2)
    seats.see(1, [True])
    seats.silence(1)
    assert seats.of_node(1) and not any(seats.ready())
    seats.leave(1, [True] * 2)
    assert len(seats.of_node(2)) == 2


class House:
    """Seats under random events, with what runs on each node's lanes."""

    def __init__(self, lanes: int) -> None:
        self.seats = Seats(lanes)
        self.offers: dict[int, int] = {}
        self.retired: set[int] = set()
        self.running: dict[int, tuple[int, int]] = {}
        self.numbers = 0

    @property
    def free(self) -> list[bool]:
        return [lane not in self.running for lane in range(len(self.seats.lanes))]

    def come(self, slots: int) -> None:
        self.numbers += 1
        self.offers[self.numbers] = slots
        self.seats.join(node(self.numbers, slots), self.free)
        self.seats.see(self.numbers, [True] * slots)

    def go(self, at: int) -> None:
        if self.offers or self.retired:
            gone = sorted({*self.offers, *self.retired})[at % len({*self.offers, *self.retired})]
            self.offers.pop(gone, None)
            self.retired.discard(gone)
            self.running = {lane: where for lane, where in self.running.items() if where[0] != gone}
            self.seats.leave(gone, self.free)

    def retire(self, at: int) -> None:
        if self.offers:
            number = sorted(self.offers)[at % len(self.offers)]
            del self.offers[number]
            self.retired.add(number)
            self.seats.retire(number, self.free)

    def work(self, at: int) -> None:
        ready = [lane for lane, is_ready in enumerate(self.seats.ready()) if is_ready and lane not in self.running]
        if ready:
            lane = ready[at % len(ready)]
            seat = self.seats.lanes[lane]
            assert seat is not None and seat.node in self.offers
            assert (seat.node, seat.lane) not in self.running.values(), "a lane of a node that has work already"
            self.running[lane] = (seat.node, seat.lane)

    def end(self, at: int) -> None:
        if self.running:
            del self.running[sorted(self.running)[at % len(self.running)]]
            self.seats.freed(self.free)
        for number, slots in self.offers.items():
            self.seats.see(number, [True] * slots)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["come", "go", "retire", "work", "work", "work", "end", "end"]), st.integers(1, 8)),
    max_size=60,
)


@given(st.integers(1, 12), EVENTS)
def test_whatever_comes_and_goes_no_lane_has_two_seats_and_no_node_too_much(lanes: int, events: list[Any]):
    house = House(lanes)
    for what, number in events:
        getattr(house, what)(number)
        taken = [(seat.node, seat.lane) for seat in house.seats.lanes if seat is not None]
        assert len(taken) == len(set(taken))
        for lane, (node_number, node_lane) in house.running.items():
            seat = house.seats.lanes[lane]
            assert seat is not None and (seat.node, seat.lane) == (node_number, node_lane), "work stays where it is"
        on_nodes = Counter(where[0] for where in house.running.values())
        assert all(on_nodes[number] <= slots for number, slots in house.offers.items())
        assert len(house.running) <= lanes
    house.running.clear()
    house.seats.freed(house.free)
    held = Counter(seat.node for seat in house.seats.lanes if seat is not None)
    assert held == Counter(fair_parts(lanes, house.offers)), "once all are free, each has its part"
