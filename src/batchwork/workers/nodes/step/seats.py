"""Which lane of a step is which lane of which node. Pure: lanes are bound as nodes come, and unbound as they go.

Every node has its fair part of the lanes, in proportion to what it offers; where one comes later, others give up lanes as
these become free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from batchwork.workers.nodes.hub.members import Node


class Seat(Struct, eq=False):
    """A lane of a node that a lane of the step is bound to. `leaving`: it gets no more calls, and is given up once it is free.

    `silent`: the node cannot be told anything, and may go on with what it has.
    """

    node: int
    lane: int
    ready: bool = False
    leaving: bool = False
    silent: bool = False


class Seats:
    """The lanes of one step."""

    def __init__(self, lanes: int) -> None:
        self.lanes: list[Seat | None] = [None] * lanes
        self._offers: dict[int, int] = {}

    def grow(self, lanes: int) -> None:
        """There are this many lanes now, if there were fewer."""
        self.lanes += [None] * (lanes - len(self.lanes))

    def silence(self, node: int) -> None:
        """The node takes no more calls. Its lanes stay with it, for it may still be at work in them."""
        for seat in self.lanes:
            if seat is not None and seat.node == node:
                seat.ready, seat.silent = False, True

    def join(self, node: Node, free: Sequence[bool]) -> list[int]:
        """A node is there. `free`: which lanes have no work. Returns the lanes that have a new seat."""
        self._offers[node.number] = node.slots
        return self._deal(free)

    def leave(self, node: int, free: Sequence[bool]) -> list[int]:
        """A node is gone. Returns the lanes that have a new seat."""
        self._offers.pop(node, None)
        for lane in self.of_node(node).values():
            self.lanes[lane] = None
        return self._deal(free)

    def retire(self, node: int, free: Sequence[bool]) -> list[int]:
        """A node takes no more calls, and ends those that it has. Returns the lanes that have a new seat."""
        self._offers.pop(node, None)
        return self._deal(free)

    @property
    def offered(self) -> int:
        """Attempts at once that all nodes together offer."""
        return sum(self._offers.values())

    def freed(self, free: Sequence[bool]) -> list[int]:
        """Some lanes may have become free: those that are leaving get other seats."""
        if not any(seat is not None and seat.leaving for seat in self.lanes):
            return []
        return self._deal(free)

    def is_leaving(self, lane: int) -> bool:
        """Whether the lane gives up its seat once it is free."""
        seat = self.lanes[lane]
        return seat is not None and seat.leaving

    def of_node(self, node: int) -> dict[int, int]:
        """Lanes of the step by lanes of the node."""
        return {seat.lane: lane for lane, seat in enumerate(self.lanes) if seat is not None and seat.node == node}

    def see(self, node: int, ready: Sequence[bool]) -> None:
        """Which lanes of a node are ready."""
        for seat in self.lanes:
            if seat is not None and seat.node == node and seat.lane < len(ready):
                seat.ready = ready[seat.lane]

    def ready(self) -> list[bool]:
        return [seat is not None and seat.ready and not seat.leaving for seat in self.lanes]

    def wanted(self, lanes: int) -> dict[int, int]:
        """How many lanes each node must have ready, if so many of the step shall be."""
        found: dict[int, int] = {}
        for seat in self.lanes[:lanes]:
            if seat is not None:
                found[seat.node] = max(found.get(seat.node, 0), seat.lane + 1)
        return found

    def _deal(self, free: Sequence[bool]) -> list[int]:
        """Give every node its part, as far as lanes are free."""
        parts = fair_parts(len(self.lanes), self._offers)
        for node, lanes in self._by_node().items():
            self._cut_down(lanes, parts.get(node, 0), free)
        held = self._by_node()
        missing = {node: part - len(held.get(node, {})) for node, part in parts.items()}
        dealt = []
        empty = [lane for lane, seat in enumerate(self.lanes) if seat is None]
        for node, lane in zip(_in_turns(missing), empty, strict=False):
            own = held.setdefault(node, {})
            seat = Seat(node, next(number for number in range(len(own) + 1) if number not in own))
            own[seat.lane] = lane
            self.lanes[lane] = seat
            dealt.append(lane)
        return dealt

    def _by_node(self) -> dict[int, dict[int, int]]:
        """For each node, lanes of the step by lanes of the node."""
        found: dict[int, dict[int, int]] = {}
        for lane, seat in enumerate(self.lanes):
            if seat is not None:
                found.setdefault(seat.node, {})[seat.lane] = lane
        return found

    def _cut_down(self, lanes: Mapping[int, int], part: int, free: Sequence[bool]) -> None:
        """See that a node has, or soon will have, no more lanes than its part: it gives up those that are free, its last ones first."""
        held = sorted((lane for _, lane in sorted(lanes.items(), reverse=True)), key=lambda lane: not free[lane])
        for lane in held:
            self._stay(lane)
        for lane in held[: max(0, len(held) - part)]:
            self._give_up(lane, free[lane])

    def _stay(self, lane: int) -> None:
        if (seat := self.lanes[lane]) is not None:
            seat.leaving = False

    def _give_up(self, lane: int, free: bool) -> None:
        if free:
            self.lanes[lane] = None
        elif (seat := self.lanes[lane]) is not None:
            seat.leaving = True


def fair_parts(total: int, offers: dict[int, int]) -> dict[int, int]:
    """So many lanes for each node, in proportion to what it offers and never more."""
    offered = sum(offers.values())
    total = min(total, offered)
    parts = {node: total * offer // offered for node, offer in offers.items()}
    rest = total - sum(parts.values())
    for node in sorted(offers, key=lambda node: (parts[node] - total * offers[node] / offered, node))[:rest]:
        parts[node] += 1
    return parts


def _in_turns(counts: dict[int, int]) -> list[int]:
    """Each node as often as it counts, one after another in turns."""
    turns: list[int] = []
    for turn in range(max(counts.values(), default=0)):
        turns += [node for node, count in counts.items() if turn < count]
    return turns
