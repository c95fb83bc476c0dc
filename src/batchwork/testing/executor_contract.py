"""What every Executor must do, as tests to be inherited: `class TestMine(ExecutorContract)` with `start` and `payload`.

Processes are real, and waiting is for facts, with a deadline.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal
from unittest import SkipTest

import msgspec

from batchwork import proctree
from batchwork.clock import SystemClock
from batchwork.model import Call, Report, Units
from batchwork.ports import Executor, Staffing
from batchwork.text.jsontext import Json

Deed = Literal["give", "fail", "sleep", "overlap", "child", "die", "print"]

DEADLINE_S = 30.0


class Tally:
    """What became of units, by their numbers. Handing out a unit again after `returned` is the caller's affair."""

    def __init__(self) -> None:
        self.done: dict[int, str] = {}
        self.failed: dict[int, str] = {}
        self.cancelled: list[int] = []
        self.returned: list[int] = []
        self.lost: list[int] = []
        self.logs: dict[int, str] = {}
        self.reported: list[int] = []

    def add(self, call: Call, report: Report) -> None:
        seqs = call.units.seqs
        assert len(report.done) == len(report.results) == len(report.durations_us)
        self.done.update({seqs[offset]: text for offset, text in zip(report.done, report.results, strict=True)})
        self.failed.update({seqs[offset]: failure.type for offset, failure, _ in report.failures})
        self.cancelled += [seqs[offset] for offset in report.cancelled]
        self.returned += [seqs[offset] for offset in report.returned]
        self.lost += [seqs[offset] for offset in report.lost]
        self.logs.update({seqs[offset]: text for offset, text in report.logs.items()})
        failures = [offset for offset, _, _ in report.failures]
        for offsets in (report.done, failures, report.cancelled, report.returned, report.lost):
            self.reported += [seqs[offset] for offset in offsets]


class Drive:
    """Hands calls to an executor and collects what comes back."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.tally = Tally()
        self._calls: dict[int, Call] = {}
        self._out = 0
        self._clock = SystemClock()

    def hand(self, lane: int, payloads: Sequence[Json], first: int = 0, attempt: int = 1) -> None:
        """Submit a call of units numbered from `first` on."""
        numbers = range(first, first + len(payloads))
        units = Units(numbers, numbers, [str(number) for number in numbers], list(payloads))
        call = Call(len(self._calls) + 1, attempt, units, list(payloads))
        self._calls[call.id] = call
        self._out += len(payloads)
        self.executor.submit(lane, call)

    def collect(self, until: Callable[[], object] | None = None) -> Tally:
        """Poll until the fact holds (without one: until everything is reported)."""
        deadline = self._clock.now() + DEADLINE_S
        fact = until or (lambda: len(self.tally.reported) >= self._out)
        while not fact():
            assert self._clock.now() < deadline, f"waited in vain; reported so far: {sorted(self.tally.reported)}"
            for report in self.executor.poll(0.05):
                self.tally.add(self._calls[report.call], report)
        return self.tally

    def collect_again(self, payload: Callable[[int], Json]) -> Tally:
        """Poll until everything is reported, handing out again what was handed back unstarted."""
        tally = self.collect()
        while tally.returned:
            number = tally.returned.pop()
            tally.reported.remove(number)
            self._out -= 1
            self.hand(0, [payload(number)], number)
            self.collect()
        return tally


class ExecutorContract(ABC):
    """Inherit it, and say how an executor is started and what its payloads are."""

    can_die: ClassVar[bool] = True
    """Whether a unit can end its worker (`die`)."""
    blames: ClassVar[bool] = True
    """Whether the unit that ran when a worker died has failed; else all that ran are `lost`."""

    on_this_machine: ClassVar[bool] = True
    """Whether units run as processes of this machine, and share its files; else tests that look at these are skipped."""

    @abstractmethod
    def start(self, staffing: Staffing) -> Executor:
        """An executor that has been started."""

    @abstractmethod
    def payload(self, deed: Deed, argument: Any = None) -> Json:
        """What a unit is to do.

        - give: a result in which `argument` (a text) stands
        - fail, sleep (`argument` seconds), print (`argument`), die (end the worker)
        - overlap: append "+" and a line feed to the file `argument`, wait 50 ms, append "-"
        - child: start a process in a session of its own that sleeps for minutes, write its number into the file
          `argument`, sleep
        """

    def _look_at_processes(self) -> None:
        if not self.on_this_machine:
            raise SkipTest("what it runs cannot be looked at from here")

    def staffing(self, **changes: Any) -> Staffing:
        usual: dict[str, Any] = {
            "slots": 2,
            "timeout_s": None,
            "cookie": uuid.uuid4().hex,
            "environ": dict(os.environ),
            "cwd": tempfile.gettempdir(),
            "grace_s": 1.0,
        }
        return Staffing(**{**usual, **changes})

    # ------------------------------------------------------------ what holds

    def test_each_unit_is_reported_exactly_once_with_its_own_result(self) -> None:
        with running(self, self.staffing()) as drive:
            for call in range(6):
                numbers = range(call * 7, call * 7 + 7)
                drive.hand(call % drive.executor.lanes, [self.payload("give", f"n{n}.") for n in numbers], numbers[0])
            tally = drive.collect_again(lambda number: self.payload("give", f"n{number}."))
        assert sorted(tally.reported) == list(range(42))
        assert all(f"n{number}." in json.dumps(json.loads(text)) for number, text in tally.done.items())
        assert len(tally.done) == 42
        assert sum(drive.executor.load()) == 0

    def test_a_failure_is_its_own_units_only(self) -> None:
        with running(self, self.staffing(slots=1)) as drive:
            drive.hand(0, [self.payload("give", "a"), self.payload("fail"), self.payload("give", "b")])
            tally = drive.collect()
        assert set(tally.failed) == {1}
        assert set(tally.done) | set(tally.returned) == {0, 2}

    def test_never_more_at_once_than_slots(self) -> None:
        self._look_at_processes()
        with tempfile.TemporaryDirectory() as folder, running(self, self.staffing(slots=3)) as drive:
            file = os.path.join(folder, "marks")
            for number in range(12):
                drive.hand(number % drive.executor.lanes, [self.payload("overlap", file)], number)
            tally = drive.collect_again(lambda _: self.payload("overlap", file))
            assert len(tally.done) == 12
            assert 2 <= most_at_once(Path(file).read_text(encoding="utf-8")) <= 3

    def test_a_lost_worker_costs_only_what_ran(self) -> None:
        if not self.can_die:
            raise SkipTest("no unit of it can end its worker")
        with running(self, self.staffing(slots=1)) as drive:
            drive.hand(0, [self.payload("give", "a")])
            drive.collect()
            drive.hand(0, [self.payload("die"), self.payload("give", "b")], 1)
            tally = drive.collect()
            assert 1 in (tally.failed if self.blames else tally.lost)
            assert 2 in {*tally.returned, *tally.done, *tally.lost}
            drive.hand(0, [self.payload("give", "c")], 3)
            tally = drive.collect()
        assert {0, 3} <= set(tally.done)

    def test_what_has_not_started_can_be_recalled(self) -> None:
        with running(self, self.staffing(slots=1)) as drive:
            drive.hand(0, [self.payload("give", "a")])
            drive.collect()
            drive.hand(0, [self.payload("sleep", 0.3), *[self.payload("sleep", 5)] * 20], 1)
            drive.hand(0, [self.payload("sleep", 5)], 30)
            drive.executor.recall()
            tally = drive.collect()
        assert len(tally.returned) >= 20
        assert not tally.failed

    def test_what_runs_can_be_cancelled(self) -> None:
        with running(self, self.staffing(slots=1)) as drive:
            drive.hand(0, [self.payload("give", "a")])
            drive.collect()
            drive.hand(0, [self.payload("sleep", 60)], 1)
            drive.executor.poll(0.3)
            drive.executor.cancel()
            tally = drive.collect()
        assert {*tally.cancelled, *tally.returned} == {1}

    def test_cancelling_reports_and_leaves_no_process(self) -> None:
        self._ends_all("cancel")

    def test_killing_reports_and_leaves_no_process(self) -> None:
        self._ends_all("kill")

    def _ends_all(self, how: Literal["cancel", "kill"]) -> None:
        self._look_at_processes()
        staffing = self.staffing(slots=1)
        with tempfile.TemporaryDirectory() as folder, running(self, staffing) as drive:
            file = Path(folder, "pid")
            drive.hand(0, [self.payload("child", str(file))])
            drive.collect(until=lambda: file.exists() and file.read_text(encoding="utf-8").strip())
            child = int(file.read_text(encoding="utf-8"))
            assert proctree.look(child) is not None
            drive.executor.cancel() if how == "cancel" else drive.executor.kill()
            tally = drive.collect()
            assert tally.cancelled == [0]
            drive.executor.close()
            assert proctree.look(child) is None
        assert proctree.with_cookie(staffing.cookie) == []

    def test_what_is_over_its_time_fails(self) -> None:
        with running(self, self.staffing(slots=1, timeout_s=0.5)) as drive:
            drive.hand(0, [self.payload("sleep", 60)])
            assert drive.collect().failed == {0: "timeout"}

    def test_what_is_over_its_time_fails_and_its_tree_is_gone(self) -> None:
        self._look_at_processes()
        staffing = self.staffing(slots=1, timeout_s=1.0)
        with tempfile.TemporaryDirectory() as folder, running(self, staffing) as drive:
            file = Path(folder, "pid")
            drive.hand(0, [self.payload("child", str(file))])
            tally = drive.collect()
            assert tally.failed == {0: "timeout"}
            child = int(file.read_text(encoding="utf-8"))
            drive.collect(until=lambda: proctree.look(child) is None)
            drive.hand(0, [self.payload("give", "again")], 1)
            assert 1 in drive.collect().done

    def test_closing_leaves_no_process(self) -> None:
        self._look_at_processes()
        staffing = self.staffing()
        with running(self, staffing) as drive:
            for lane in range(drive.executor.lanes):
                drive.hand(lane, [self.payload("sleep", 60)], lane)
            drive.executor.poll(0.3)
        assert proctree.with_cookie(staffing.cookie) == []

    def test_waking_ends_the_wait(self) -> None:
        with running(self, self.staffing()) as drive:
            drive.executor.wake()
            began = SystemClock().now()
            assert drive.executor.poll(DEADLINE_S) == []
            assert SystemClock().now() - began < DEADLINE_S / 2

    def test_what_is_printed_is_told_as_it_is(self) -> None:
        with running(self, self.staffing(slots=1)) as drive:
            drive.hand(0, [self.payload("print", "this and more")])
            tally = drive.collect()
        assert "this and more" in json.dumps([tally.done, tally.logs])

    def test_a_staffing_can_be_sent(self) -> None:
        staffing = self.staffing()
        assert msgspec.json.decode(msgspec.json.encode(staffing), type=Staffing) == staffing


class running:  # noqa: N801  reads as a phrase: `with running(…)`
    """A started executor, closed at the end."""

    def __init__(self, contract: ExecutorContract, staffing: Staffing) -> None:
        self._executor = contract.start(staffing)

    def __enter__(self) -> Drive:
        return Drive(self._executor)

    def __exit__(self, *_: object) -> None:
        self._executor.close()


def most_at_once(marks: str) -> int:
    """The largest number of units between their "+" and their "-"."""

    def counts() -> Iterator[int]:
        now = 0
        for mark in marks.split():
            now += 1 if mark == "+" else -1
            yield now

    return max(counts(), default=0)
