"""Workers that die, hang, answer late or twice, give work back; each start and each outcome is told to the auditor.

`Python` workers run the units of a call one after another, each worker for itself; a `reactor` runs as many at once as there are slots.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec
from fibers import World

from batchwork.errors import WorkerError
from batchwork.model import Call, Failure, Report
from batchwork.ports import Compiled, Pager, Program, Running, Scope, Setting, Staffing, Written
from batchwork.text.jsontext import Json, encode

if TYPE_CHECKING:
    from audit import Audit

HANG_S = 1e9
GATHER_S = 0.05
"""A worker tells so late at most what it has done."""


def result_of(value: Json) -> Json:
    """The result of a unit with this value."""
    return ["of", value]


@dataclass(frozen=True)
class Outcome:
    """What comes of one attempt: `kind` is done, failed, died, hangs."""

    kind: str
    duration_s: float
    failure: Failure | None = None


@dataclass(frozen=True)
class Temper:
    """How workers behave in one execution; shares from 0 to 1."""

    kind: str = "python"
    latency_s: float = 0.0
    deaths: float = 0.0
    hangs: float = 0.0
    late: float = 0.0
    twice: float = 0.0
    gives_back: float = 0.0
    cannot_start_at: int | None = None


class Nature(Protocol):
    """What units do: an outcome for each attempt."""

    def __call__(self, role: str, key: str, value: Json) -> Outcome: ...


class SimProgram(msgspec.Struct):
    """A program for these workers; `role` is unit or hook."""

    role: str
    step: str
    worker: str = "inline"
    prepare: Mapping[str, Any] = msgspec.field(default_factory=dict)
    takes_item: bool = False
    says: bool = False
    uses: frozenset[str] = frozenset()

    def bind(self, scope: Scope) -> Json:
        return {"key": scope["key"], "item": scope.get("item"), "attempt": scope["attempt"]}


class SimTask(msgspec.Struct, frozen=True):
    """A task for these workers."""

    role: str = "unit"
    says: bool = False
    views: bool = False

    name: ClassVar[str] = "callable"
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = True
    default_parallel: ClassVar[int | None] = 2

    class Fields(msgspec.Struct):
        """It has none."""

    def compile(self, task: Written) -> Compiled:
        uses = frozenset({"batch"}) if self.views else frozenset()
        return Compiled(program=lambda setting: self._program(setting, uses))

    def _program(self, setting: Setting, uses: frozenset[str]) -> SimProgram:
        return SimProgram(self.role, setting.step, says=self.says, uses=uses)


@dataclass
class Job:
    """A call in a lane: what has not started, what runs, what has come of the others."""

    call: Call
    waiting: deque[int]
    running: dict[int, float] = field(default_factory=dict)  # since when
    done: list[tuple[int, str, int]] = field(default_factory=list)  # not told yet: offset, result, duration
    failures: int = 0

    @property
    def finished(self) -> bool:
        return not self.waiting and not self.running


class Crew:
    """Implements ports.Executor."""

    def __init__(
        self, world: World, audit: Audit, nature: Nature, temper: Temper, program: SimProgram, staffing: Staffing
    ) -> None:
        self._world, self._audit, self._nature, self._temper = world, audit, nature, temper
        self._program, self._staffing = program, staffing
        self._several = temper.kind == "reactor"
        self.lanes = 1 if self._several else staffing.slots
        self.width = staffing.slots if self._several else 1
        self.latency_s = temper.latency_s
        self._jobs: list[deque[Job]] = [deque() for _ in range(self.lanes)]
        self._up = [False] * self.lanes
        self._starting: set[int] = set()
        self._mail: deque[Report] = deque()
        self._post: list[Report] = []  # outcomes that a worker has not told yet
        self._rung = False
        self._closed = False
        self._polls = 0
        self._level = 0
        self.error: WorkerError | None = None

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        """It has begun already."""

    # ------------------------------------------------------------ the port

    def warm(self, lanes: int) -> None:
        self._world.op("warm")
        for lane in range(min(lanes, self.lanes)):
            self._raise_worker(lane)

    def ready(self) -> Sequence[bool]:
        return list(self._up)

    def running(self) -> Sequence[Running]:
        now = self._world.now
        return [
            Running(job.call.id, offset, now - began, f"w{lane}")
            for lane, jobs in enumerate(self._jobs)
            for job in jobs
            for offset, began in job.running.items()
            if now - began >= 1
        ]

    def load(self) -> Sequence[int]:
        return [sum(len(job.waiting) + len(job.running) for job in jobs) for jobs in self._jobs]

    def submit(self, lane: int, call: Call) -> None:
        self._world.op("hand out")
        self._audit.handed_out(self._program, call)
        self._jobs[lane].append(Job(call, deque(range(len(call.units)))))
        self._raise_worker(lane)
        self._world.later(self._temper.latency_s * self._world.random.random(), lambda: self._go_on(lane))

    def poll(self, timeout_s: float | None) -> list[Report]:
        self._world.op("poll")
        self._polls += 1
        if self._polls == self._temper.cannot_start_at:
            self._up = [False] * self.lanes
            raise WorkerError("workers cannot be started")
        self._world.wait(lambda: self._rung or bool(self._mail), timeout_s)
        self._rung = False
        reports = list(self._mail)
        self._mail.clear()
        self._audit.heard(self._program, reports)
        return reports

    def wake(self) -> None:
        self._rung = True

    def recall(self) -> None:
        self._level = max(self._level, 1)
        for jobs in self._jobs:
            for job in list(jobs):
                self._give_back(job)
            self._sweep(jobs)

    def cancel(self) -> None:
        self.recall()
        self._world.later(self._staffing.grace_s * self._world.random.random(), self._end_all)

    def kill(self) -> None:
        self.recall()
        self._end_all()

    def close(self) -> None:
        self._closed = True

    # ------------------------------------------------------------ workers

    def _raise_worker(self, lane: int) -> None:
        if self._up[lane] or lane in self._starting or self._closed:
            return
        self._starting.add(lane)
        self._world.later(0.2 * self._world.random.random() ** 3, lambda: self._is_up(lane))

    def _is_up(self, lane: int) -> None:
        self._starting.discard(lane)
        if self._temper.cannot_start_at is not None and self._polls >= self._temper.cannot_start_at:
            return
        self._up[lane] = True
        self._rung = True
        self._go_on(lane)

    def _go_on(self, lane: int) -> None:
        """Start what may start in a lane."""
        if self._closed or not self._up[lane]:
            return
        running = sum(len(job.running) for job in self._jobs[lane])
        for job in self._jobs[lane]:
            while job.waiting and running < self.width:
                self._begin(lane, job, job.waiting.popleft())
                running += 1

    def _begin(self, lane: int, job: Job, offset: int) -> None:
        key, value = job.call.units.keys[offset], job.call.units.values[offset]
        job.running[offset] = self._world.now
        self._audit.began(self._program, job.call, offset)
        outcome = self._nature(self._program.role, key, value)
        duration_s, limit_s = outcome.duration_s, self._staffing.timeout_s
        if limit_s is not None and duration_s > limit_s:
            outcome, duration_s = Outcome("failed", limit_s, Failure("timeout", f"longer than {limit_s:g} s")), limit_s
        if duration_s < HANG_S:
            self._world.later(duration_s, lambda: self._end(lane, job, offset, outcome))
        if job.waiting and self._chance(self._temper.gives_back):
            self._world.later(duration_s * self._world.random.random() * 0.9, lambda: self._give_back(job))

    def _end(self, lane: int, job: Job, offset: int, outcome: Outcome) -> None:
        if offset not in job.running or self._closed:
            return
        began = job.running.pop(offset)
        self._audit.over(self._program, job.call, offset)
        call, duration_us = job.call.id, max(1, round(outcome.duration_s * 1e6))
        if self._chance(self._temper.deaths) or outcome.kind == "died":
            self._die(lane, job, offset, began, duration_us)
        elif outcome.failure is not None:
            self._tell(job, Report(call, failures=[(offset, outcome.failure, duration_us)], worker=f"w{lane}"))
            job.failures += not (job.call.forgives and outcome.failure.retryable)
            if job.call.ends_after is not None and job.failures >= job.call.ends_after:
                self._give_back(job)
        else:
            self._audit.done(self._program, job.call, offset)
            job.done.append((offset, encode(result_of(job.call.units.values[offset])), duration_us))
            if job.finished or self._chance(0.5):
                self._tell_done(job)
            else:
                self._world.later(GATHER_S, lambda: self._tell_done(job))
        self._sweep(self._jobs[lane])
        self._go_on(lane)

    def _die(self, lane: int, job: Job, offset: int, began: float, duration_us: int) -> None:
        """The worker dies: a Python worker's unit has failed, a reactor's units are lost."""
        self._world.say(f"worker {lane} of {self._program.step} dies")
        self._up[lane] = False
        if self._several:
            job.running[offset] = began
            for other in list(self._jobs[lane]):
                self._tell(other, Report(other.call.id, lost=sorted(other.running)))
                other.running.clear()
        else:
            failure = Failure("worker died", "it died")
            self._tell(job, Report(job.call.id, failures=[(offset, failure, duration_us)], worker=f"w{lane}"))
        for other in list(self._jobs[lane]):
            if self._several or other.call.ends_after is not None or self._chance(0.5):
                self._give_back(other)
        self._sweep(self._jobs[lane])
        if any(self._jobs[lane]):
            self._raise_worker(lane)
        self._rung = True

    def _give_back(self, job: Job) -> None:
        if job.waiting:
            returned = list(job.waiting)
            job.waiting.clear()
            self._tell(job, Report(job.call.id, returned=returned))
        for jobs in self._jobs:
            self._sweep(jobs)

    def _end_all(self) -> None:
        for jobs in self._jobs:
            for job in list(jobs):
                if job.running:
                    cancelled, job.running = sorted(job.running), {}
                    self._tell(job, Report(job.call.id, cancelled=cancelled))
            self._sweep(jobs)

    def _sweep(self, jobs: deque[Job]) -> None:
        for job in [job for job in jobs if job.finished]:
            jobs.remove(job)

    # ------------------------------------------------------------ reports

    def _tell_done(self, job: Job) -> None:
        """What has succeeded in a call is told together."""
        done = sorted(job.done)
        job.done.clear()
        if done and not self._closed:
            offsets, results, durations = zip(*done, strict=True)
            self._tell(job, Report(job.call.id, done=offsets, results=results, durations_us=durations, worker="w"))

    def _tell(self, job: Job, report: Report) -> None:
        if not report.count:
            return
        if job.finished and not report.done:
            self._tell_done(job)
        delay_s = 0.0
        if self._chance(self._temper.late):
            delay_s = 0.1 * self._world.random.random()
        self._world.later(delay_s, lambda: self._arrive(report))
        self._audit.told(self._program, job.call, report)
        if job.finished and self._program.role == "unit" and self._chance(self._temper.twice):
            # After all else of this call, so that it can be known for a repetition.
            self._world.later(delay_s + 0.2, lambda: self._arrive(report))

    def _arrive(self, report: Report) -> None:
        if not self._closed:
            self._mail.append(report)

    def _chance(self, share: float) -> bool:
        return share > 0 and self._world.random.random() < share


Factory = Callable[..., Crew]
