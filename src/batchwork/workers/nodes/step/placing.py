"""Which node gets which units: for workers that run one unit at a time by seats, for those that run many by shares. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from batchwork.model import Call
from batchwork.workers.nodes.hub.members import Node
from batchwork.workers.nodes.step.seats import Seats, fair_parts


class Waiting(Struct, eq=False):
    """A call of which the units from `start` on are with no node."""

    lane: int
    call: Call
    start: int = 0

    @property
    def left(self) -> int:
        return len(self.call.payloads) - self.start


class Order(NamedTuple):
    """The units from, to of a call, for a lane of a node."""

    node: int
    lane: int
    waiting: Waiting
    part: tuple[int, int]


class Placing(Protocol):
    """The nodes of one step and what they may be given. `width` is as in ports.Executor; `at_once`: attempts at once in a lane of a node."""

    width: int
    at_once: int

    @property
    def lanes(self) -> int: ...

    def join(self, node: Node) -> int:
        """A node is there. How many attempts at once it is told that it may have."""
        ...

    def silence(self, node: int) -> None:
        """It cannot be told anything any more, but may go on with what it has."""
        ...

    def retire(self, node: int) -> None:
        """It takes no more calls, and ends those that it has."""
        ...

    def leave(self, node: int) -> None:
        """It is gone, and has nothing any more."""
        ...

    def see(self, node: int, ready: Sequence[bool]) -> None:
        """Which of its lanes are ready."""
        ...

    def ready(self) -> list[bool]: ...

    def wanted(self, lanes: int) -> dict[int, int]:
        """How many lanes each node must have ready, so that this many are."""
        ...

    def reported(self, node: int, count: int) -> None:
        """So many units are with the node no more."""
        ...

    def unloaded(self, lane: int, left: int) -> None:
        """So many units of a lane are still with nodes."""
        ...

    def orders(self, waiting: deque[Waiting]) -> Iterator[Order]:
        """What can be given to nodes now, taken out of what waits."""
        ...


class InSeats:
    """Each lane is a lane of a node. There are as many as slots; with more room, as many as nodes offer."""

    width = at_once = 1

    def __init__(self, slots: int, room: int) -> None:
        self._room = room
        self._seats = Seats(slots)
        self._busy = [False] * slots

    @property
    def lanes(self) -> int:
        return len(self._seats.lanes)

    def join(self, node: Node) -> int:
        if self._room > self.lanes:
            self._seats.grow(min(self._seats.offered + node.slots, self._room))
            self._busy += [False] * (self.lanes - len(self._busy))
        self._seats.join(node, self._free())
        return min(node.slots, self.lanes)

    def silence(self, node: int) -> None:
        self._seats.silence(node)

    def retire(self, node: int) -> None:
        self._seats.retire(node, self._free())

    def leave(self, node: int) -> None:
        self._seats.leave(node, self._free())

    def see(self, node: int, ready: Sequence[bool]) -> None:
        self._seats.see(node, ready)

    def ready(self) -> list[bool]:
        return self._seats.ready()

    def wanted(self, lanes: int) -> dict[int, int]:
        return self._seats.wanted(lanes)

    def reported(self, node: int, count: int) -> None:
        """A node's lanes say it."""

    def unloaded(self, lane: int, left: int) -> None:
        self._busy[lane] = left > 0
        if not left and self._seats.is_leaving(lane):
            self._seats.freed(self._free())

    def _free(self) -> list[bool]:
        return [not busy for busy in self._busy]

    def orders(self, waiting: deque[Waiting]) -> Iterator[Order]:
        for _ in range(len(waiting)):
            one = waiting.popleft()
            seat = self._seats.lanes[one.lane]
            if seat is None or seat.silent:
                waiting.append(one)
                continue
            self._busy[one.lane] = True
            yield Order(seat.node, seat.lane, one, (0, len(one.call.payloads)))


class InShares:
    """One lane for all nodes. A node has as many units as its share is, and no more: so all together have at most the slots."""

    def __init__(self, slots: int) -> None:
        self.width = self.at_once = slots
        self._offers: dict[int, int] = {}
        self._shares: dict[int, int] = {}
        self._held: dict[int, int] = {}
        self._ready: set[int] = set()

    @property
    def lanes(self) -> int:
        return 1

    def join(self, node: Node) -> int:
        self._offers[node.number] = node.slots
        self._share_out()
        return self.width

    def silence(self, node: int) -> None:
        self._ready.discard(node)

    def retire(self, node: int) -> None:
        self.leave(node)

    def leave(self, node: int) -> None:
        self._offers.pop(node, None)
        self._ready.discard(node)
        self._share_out()

    def _share_out(self) -> None:
        """Each node's part of the slots, in proportion to what it offers; it may be more, for what waits costs a machine little."""
        most = max(self.width, 1)
        self._shares = fair_parts(self.width, {node: offer * most for node, offer in self._offers.items()})

    def see(self, node: int, ready: Sequence[bool]) -> None:
        if any(ready) and node in self._offers:
            self._ready.add(node)
        else:
            self._ready.discard(node)

    def ready(self) -> list[bool]:
        return [bool(self._ready)]

    def wanted(self, lanes: int) -> dict[int, int]:
        return dict.fromkeys(self._offers, min(lanes, 1))

    def unloaded(self, lane: int, left: int) -> None:
        """There is one lane."""

    def reported(self, node: int, count: int) -> None:
        left = self._held.get(node, 0) - count
        self._held[node] = left
        if left <= 0:
            del self._held[node]

    def orders(self, waiting: deque[Waiting]) -> Iterator[Order]:
        while waiting and (room := self._room()) is not None:
            node, most, total = room
            one = waiting[0]
            count = min(one.left, most)
            if self._stays_whole(one):
                count = one.left
            if count > total:
                return
            part = one.start, one.start + count
            one.start += count
            if not one.left:
                waiting.popleft()
            self._held[node] = self._held.get(node, 0) + count
            yield Order(node, 0, one, part)

    def _stays_whole(self, one: Waiting) -> bool:
        """A call that failures may end goes to one node, which counts them, though that is more than its share."""
        return one.call.ends_after is not None and len(one.call.payloads) <= self.width

    def _room(self) -> tuple[int, int, int] | None:
        """The ready node with the most room, how much that is, and how much there is in all.

        Nobody has more units at once than its share, and all together not more than there are slots.
        """
        total = self.width - sum(self._held.values())
        rooms = {node: self._shares[node] - self._held.get(node, 0) for node in self._ready}
        node = max(rooms, key=lambda node: rooms[node], default=None)
        if node is None or total <= 0 or rooms[node] <= 0:
            return None
        return node, min(rooms[node], total), total
