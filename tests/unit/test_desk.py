"""The desk that drives an executor, and the lanes behind it: what a call costs does not grow with the lanes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from batchwork.censor import NoCensor
from batchwork.engine.step.desk import Desk
from batchwork.engine.step.lanes import Lanes
from batchwork.model import Call, Report, Units
from batchwork.ports import Pager, Program, Running, Staffing


class Counted(dict[int, None]):
    """A bucket that counts how often its lanes are looked at."""

    looks = 0

    def __iter__(self):
        for lane in super().__iter__():
            Counted.looks += 1
            yield lane

    def popitem(self) -> tuple[int, None]:
        Counted.looks += 1
        return super().popitem()

    def __delitem__(self, lane: int) -> None:
        Counted.looks += 1
        super().__delitem__(lane)


class Scripted:
    """An executor that does what a test says, and counts what it is asked."""

    width, latency_s = 1, 0.0

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.is_ready = [True] * lanes
        self.submitted: list[tuple[int, int]] = []
        self.said: list[str] = []
        self.reports: list[Report] = []

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        pass

    def warm(self, lanes: int) -> None:
        self.said.append(f"warm {lanes}")

    def ready(self) -> Sequence[bool]:
        return self.is_ready

    def load(self) -> Sequence[int]:
        raise AssertionError("nobody needs it")

    def submit(self, lane: int, call: Call) -> None:
        self.submitted.append((call.id, lane))

    def poll(self, timeout_s: float | None) -> list[Report]:
        reports, self.reports = self.reports, []
        return reports

    def running(self) -> Sequence[Running]:
        return ()

    def wake(self) -> None:
        self.said.append("wake")

    def recall(self) -> None:
        self.said.append("recall")

    def cancel(self) -> None:
        self.said.append("cancel")

    def kill(self) -> None:
        self.said.append("kill")

    def close(self) -> None:
        self.said.append("close")


def call(number: int, count: int = 1) -> Call:
    seqs = list(range(count))
    return Call(number, 1, Units(seqs, seqs, [str(seq) for seq in seqs], seqs), seqs)


def test_calls_go_to_the_lane_with_the_fewest():
    executor = Scripted(3)
    desk = Desk(executor, NoCensor())
    for number in range(4):
        desk.submit(call(number))
    assert [lane for _, lane in executor.submitted] == [0, 1, 2, 2]
    executor.reports = [Report(1, done=[0], results=["1"], durations_us=[1])]
    desk.hear(0.0)
    desk.submit(call(4))
    assert executor.submitted[-1] == (4, 1)
    assert desk.calls == 4


def test_a_lane_takes_as_many_calls_as_are_let_into_it():
    desk = Desk(Scripted(2), NoCensor())
    desk.submit(call(1))
    assert desk.takes(1)
    desk.submit(call(2))
    assert not desk.takes(1)
    assert desk.takes(2)


def test_a_call_is_over_with_its_last_unit():
    executor = Scripted(1)
    desk = Desk(executor, NoCensor())
    desk.submit(call(1, count=3))
    executor.reports = [Report(1, done=[0], results=["1"], durations_us=[1]), Report(1, returned=[2])]
    desk.hear(0.0)
    assert not desk.takes(1)
    executor.reports = [Report(1, lost=[1]), Report(99, done=[0])]
    desk.hear(0.0)
    assert desk.takes(1)
    desk.submit(call(1))  # what came back may be handed out again
    assert desk.calls == 1


def test_workers_are_asked_for_until_they_are_ready():
    """One that dies before it is ready changes nothing of what is ready, and is to be started anew all the same."""
    executor = Scripted(2)
    executor.is_ready = [False, False]
    desk = Desk(executor, NoCensor())
    desk.warm(1)
    desk.hear(0.0)
    desk.warm(1)
    assert executor.said == ["warm 1", "warm 1"]
    executor.is_ready = [True, False]
    desk.hear(0.0)
    desk.warm(1)
    desk.hear(0.0)
    desk.warm(1)
    assert executor.said == ["warm 1", "warm 1"]


def test_lanes_that_are_not_ready_take_nothing_but_what_must_be_handed_over():
    executor = Scripted(2)
    executor.is_ready = [False, True]
    desk = Desk(executor, NoCensor())
    desk.submit(call(1))
    assert executor.submitted == [(1, 1)]
    assert not desk.takes(1)
    executor.is_ready = [False, False]
    desk.hear(0.0)
    assert (desk.ready, desk.held) == (0, 1)
    assert not desk.takes(1)
    desk.submit(call(2))
    assert executor.submitted[-1] == (2, 0)
    executor.is_ready = [True, True]
    executor.reports = [Report(1, done=[0], results=["1"], durations_us=[1])]
    desk.hear(0.0)
    desk.submit(call(3))
    assert executor.submitted[-1] == (3, 1)


def test_a_wide_lane_takes_any_number():
    executor = Scripted(1)
    executor.width = 64
    desk = Desk(executor, NoCensor())
    for number in range(100):
        assert desk.takes(1)
        desk.submit(call(number))
    assert {lane for _, lane in executor.submitted} == {0}


def test_a_stop_is_passed_on_once_and_workers_are_warmed_once():
    executor = Scripted(4)
    desk = Desk(executor, NoCensor())
    for units in (2, 2, None, None, 9):
        desk.warm(units)
    for level in (0, 1, 2, 2, 3, 3, 1):
        desk.obey(level)
    desk.recall()
    desk.wake()
    desk.close()
    assert executor.said == ["warm 2", "warm 4", "cancel", "kill", "recall", "wake", "close"]
    executor.is_ready = [True] * 3 + [False]  # a worker has died
    desk.hear(0.0)
    desk.warm(None)
    assert executor.said[-1] == "warm 4"


@pytest.mark.parametrize("count", [4, 64, 4096])
def test_handing_calls_out_looks_at_no_lane_but_the_ones_they_go_to(count: int):
    lanes = Lanes(count)
    lanes.see([True] * count)
    lanes._buckets = [Counted(bucket) for bucket in lanes._buckets] + [Counted(), Counted()]
    Counted.looks = 0
    handed = 0
    for _ in range(3):
        taken = [lanes.take() for _ in range(2 * count)]
        assert not lanes.takes(2)
        for lane in taken:
            lanes.over(lane)
        handed += len(taken)
    assert Counted.looks == 2 * handed


def test_what_is_ready_is_looked_at_only_when_it_has_changed():
    lanes = Lanes(3)
    assert lanes.see([True, False, True])
    assert not lanes.see([True, False, True])
    assert lanes.see([True, True, True])
    assert lanes.count_ready == 3
