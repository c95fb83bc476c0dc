"""Calls that are with nodes and not reported in full: what a node's report means for its call, and what a node that is gone leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from batchwork.model import Call, Report
from batchwork.ports import Running
from batchwork.workers.nodes.net.wire import BadFrame, Outcomes
from batchwork.workers.nodes.step.placing import Waiting


class Part(Struct, eq=False):
    """Some units of a call, from `start` on, which are with one node under a number of their own. `told` marks those that are reported."""

    number: int
    node: int
    lane: int
    call: int
    start: int
    told: bytearray
    running: Sequence[int] = ()

    @property
    def open(self) -> list[int]:
        """Units that are not reported, as offsets in the part."""
        return [offset for offset, told in enumerate(self.told) if not told]

    def tell(self, ranges: Iterable[tuple[int, int]]) -> None:
        """The units from, to are reported: all of them or, where that cannot be, none. Raises BadFrame."""
        told = self.told[:]
        for start, stop in ranges:
            if not 0 <= start <= stop <= len(told) or told.find(1, start, stop) >= 0:
                raise BadFrame("units that were not sent, or were reported before")
            told[start:stop] = b"\1" * (stop - start)
        self.told = told


class Ledger:
    """Calls that wait for nodes, and parts of calls that are with one, by their numbers."""

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        self._load: dict[int, int] = {}
        self._parts: dict[int, Part] = {}
        self._numbers = 0

    def load(self, lanes: int) -> list[int]:
        """Units that are not reported, for each lane of the step."""
        load = [self._load.get(lane, 0) for lane in range(lanes)]
        for one in self.waiting:
            load[one.lane] += one.left
        return load

    def left(self, lane: int) -> int:
        """Units of a lane that are with nodes."""
        return self._load.get(lane, 0)

    def lane(self, number: int) -> int:
        """The lane of the step of what was sent under a number; the first one where that is reported in full."""
        part = self._parts.get(number)
        return 0 if part is None else part.lane

    def returned(self) -> Iterator[Report]:
        """What waits goes back."""
        while self.waiting:
            one = self.waiting.popleft()
            yield Report(one.call.id, returned=range(one.start, one.start + one.left))

    def sent(self, node: int, lane: int, call: Call, part: tuple[int, int]) -> int:
        """The number under which a part of a call goes to a node."""
        start, stop = part
        self._numbers += 1
        self._parts[self._numbers] = Part(self._numbers, node, lane, call.id, start, bytearray(stop - start))
        self._load[lane] = self._load.get(lane, 0) + stop - start
        return self._numbers

    # ------------------------------------------------------------ reports

    def report(self, node: int, worker: str, outcomes: Outcomes) -> Report | None:
        """The report of a node, None for what it has not any more. Raises BadFrame."""
        part = self._parts.get(outcomes.call)
        if part is None or part.node != node:
            return None
        done = sum(stop - start for start, stop in outcomes.done)
        if not len(outcomes.results) == len(outcomes.durations_us) == done:
            raise BadFrame("another number of results than of units")
        if any(not 0 <= offset < len(part.told) for offset in outcomes.logs):
            raise BadFrame("logs of units that were not sent")
        failed = [offset for offset, _, _ in outcomes.failures]
        single = (*failed, *outcomes.cancelled, *outcomes.returned, *outcomes.lost, *outcomes.adrift)
        part.tell([*outcomes.done, *((offset, offset + 1) for offset in single)])
        report = _whole(part, outcomes, worker)
        self._count(part, report)
        return report

    def _count(self, part: Part, report: Report) -> None:
        self._load[part.lane] -= report.count
        if not self._load[part.lane]:
            del self._load[part.lane]
        if 0 not in part.told:
            del self._parts[part.number]

    def running(self, node: int, units: Sequence[Running], host: str) -> list[Running]:
        """What a node says of units that have been running for a while, with their offsets in the whole calls."""
        found = []
        begun: dict[int, list[int]] = {}
        for unit in units:
            part = self._parts.get(unit.call)
            if (
                part is not None
                and part.node == node
                and 0 <= unit.offset < len(part.told)
                and not part.told[unit.offset]
            ):
                begun.setdefault(unit.call, []).append(unit.offset)
                found.append(
                    replace(unit, call=part.call, offset=part.start + unit.offset, worker=named(host, unit.worker))
                )
        for part in self._of(node):
            part.running = begun.get(part.number, ())
        return found

    # ------------------------------------------------------------ what a node leaves

    def gone(self, node: int, at_once: int, *, wanted: bool) -> Iterator[Report]:
        """Nothing of the node lives any more. What it had is lost; cancelled, if it was to end it anyway.

        Only what it was at counts against a unit: with `at_once` attempts at once in a lane, the first so many that are open.
        """
        heads: dict[int, int] = {}
        for part in self._of(node):
            offsets = part.open
            begun = {*part.running, *offsets[: max(0, at_once - heads.get(part.lane, 0))]}
            heads[part.lane] = heads.get(part.lane, 0) + len(begun)
            lost = [part.start + offset for offset in offsets if offset in begun]
            adrift = [part.start + offset for offset in offsets if offset not in begun]
            report = Report(part.call, lost=lost, adrift=adrift)
            if wanted:
                report = Report(part.call, cancelled=[part.start + offset for offset in offsets])
            part.told[:] = b"\1" * len(part.told)
            self._count(part, report)
            yield report

    def _of(self, node: int) -> list[Part]:
        return [part for part in self._parts.values() if part.node == node]


def named(host: str, worker: str) -> str:
    """A worker, with the node that it is on."""
    return f"{host}:{worker}"


def _whole(part: Part, outcomes: Outcomes, worker: str) -> Report:
    """Outcomes of a part as the report on the whole call."""
    start = part.start

    def moved(offsets: list[int]) -> list[int]:
        return [start + offset for offset in offsets] if start else offsets

    return Report(
        part.call,
        done_of(outcomes.done, start),
        outcomes.results,
        outcomes.durations_us,
        [(start + offset, failure, us) for offset, failure, us in outcomes.failures],
        moved(outcomes.cancelled),
        moved(outcomes.returned),
        moved(outcomes.lost),
        {start + offset: text for offset, text in outcomes.logs.items()},
        worker,
        setup=outcomes.setup,
        adrift=moved(outcomes.adrift),
    )


def done_of(ranges: list[tuple[int, int]], start: int) -> Sequence[int]:
    """The offsets of ranges."""
    if len(ranges) == 1:
        return range(start + ranges[0][0], start + ranges[0][1])
    return [start + offset for first, stop in ranges for offset in range(first, stop)]
