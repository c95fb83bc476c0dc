"""A reactor for tests: units go in, what became of each comes out. No test is here."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchwork.censor import Censor, NoCensor
from batchwork.clock import SystemClock
from batchwork.model import Call, Failure, Report, Units
from batchwork.ports import Scope, Staffing, WorkerKind
from batchwork.text.jsontext import Json
from batchwork.workers.reactor.executor import ReactorExecutor


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program that is only a prepared part."""

    prepare: Mapping[str, Json]
    worker: WorkerKind = "reactor"
    takes_item: bool = False
    says: bool = False
    uses: frozenset[str] = frozenset()

    def bind(self, scope: Scope) -> Json:
        raise LookupError(f"payloads are ready-made: {scope}")


@dataclass(slots=True)
class Ends:
    """What became of the units of one call, by offset."""

    results: dict[int, Any] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    returned: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    logs: dict[int, str] = field(default_factory=dict)

    def take(self, report: Report) -> None:
        results = map(json.loads, report.results)
        for offset, result, us in zip(report.done, results, report.durations_us, strict=True):
            self.results[offset] = result
            self.seconds[offset] = us / 1e6
        for offset, failure, us in report.failures:
            self.failures[offset] = failure
            self.seconds[offset] = us / 1e6
        for mine, theirs in (
            (self.cancelled, report.cancelled),
            (self.returned, report.returned),
            (self.lost, report.lost),
        ):
            assert not mine & set(theirs)
            mine |= set(theirs)
        self.logs |= report.logs

    def __len__(self) -> int:
        parts = (self.results, self.failures, self.cancelled, self.returned, self.lost)
        return sum(map(len, parts))


class Reactor:
    """A reactor executor and what it has reported."""

    def __init__(
        self,
        prepare: Mapping[str, Json],
        *,
        slots: int = 8,
        timeout_s: float | None = None,
        grace_s: float = 5.0,
        environ: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self.cookie = f"test-{os.getpid()}-{time.monotonic_ns()}"
        self.executor = ReactorExecutor(SystemClock())
        self.ends: dict[int, Ends] = {}
        self.censor: Censor = NoCensor()
        self._count = 0
        environ = {**os.environ, **(environ or {})}
        staffing = Staffing(slots, timeout_s, self.cookie, environ, cwd or os.getcwd(), grace_s)
        self.executor.start(Prepared(prepare), staffing)

    def submit(self, payloads: Sequence[Json], ends: tuple[int | None, bool] = (None, False)) -> Ends:
        count, self._count = self._count, self._count + 1
        seqs = range(len(payloads))
        call = Call(count, 1, Units(seqs, seqs, [str(seq) for seq in seqs], [None] * len(payloads)), payloads, *ends)
        self.ends[count] = Ends()
        self.executor.submit(0, call)
        return self.ends[count]

    def poll(self, timeout_s: float = 0.05) -> None:
        for report in map(self.censor.report, self.executor.poll(timeout_s)):
            self.ends[report.call].take(report)

    def until(self, fact: Callable[[], object], within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while not fact():
            assert time.monotonic() < deadline, f"waited in vain: {self.ends}"
            self.poll()

    def finish(self) -> None:
        self.until(lambda: self.executor.load()[0] == 0)

    def run(self, payloads: Sequence[Json], ends_at: tuple[int | None, bool] = (None, False)) -> Ends:
        """Submit, wait for all, and return what became of them."""
        ends = self.submit(payloads, ends_at)
        self.finish()
        assert len(ends) == len(payloads)
        return ends

    @property
    def pid(self) -> int:
        link = self.executor._link
        assert link is not None
        return link.pid


def sh(text: str, **fields: Json) -> dict[str, Json]:
    """The payload of a shell command."""
    return {"argv": ["/bin/sh", "-c", text], "env": {}, "cwd": os.getcwd(), "stdin": None, **fields}


def get(url: str, method: str = "GET", **fields: Json) -> dict[str, Json]:
    """The payload of a request."""
    plain: dict[str, Json] = {"headers": [], "body": None, "auth": None, "idempotent": False}
    return {"method": method, "url": url, **plain, **fields}
