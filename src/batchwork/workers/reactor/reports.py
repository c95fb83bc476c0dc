"""What becomes of the calls that a reactor was given: reports of the outcomes that it sends, or of its death."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from batchwork.model import Call, Failure, Report
from batchwork.ports import Running
from batchwork.ports.journals import Noted
from batchwork.workers.journals.journal import WorkerJournal


class _Open:
    """A call that is not reported in full."""

    __slots__ = ("call", "left")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.left = dict.fromkeys(range(len(call.payloads)))


class Ledger:
    """Calls that are not reported in full: with the reactor that lives, or waiting for one."""

    def __init__(self) -> None:
        self.waiting: deque[Call] = deque()
        self._open: dict[int, _Open] = {}
        self._journal: WorkerJournal | None = None
        self._running: list[Running] = []
        self._running_at = 0.0
        self.load = 0
        """Units of calls that came, and are in no report that was taken."""

    def arrived(self, call: Call) -> None:
        self.load += len(call.payloads)

    def taken(self, reports: Iterable[Report]) -> None:
        self.load -= sum(report.count for report in reports)

    def new_reactor(self, journal: WorkerJournal) -> None:
        """Units are noted in this journal from now on."""
        self.close()
        self._journal = journal

    def sent(self, call: Call) -> None:
        """A call is with the reactor now."""
        self._open[call.id] = _Open(call)

    def report(self, body: bytes, worker: str) -> Report:
        """The report of an outcomes frame; with nothing but its receipt where its call is not known any more."""
        recorded = None if self._journal is None else self._journal.receipt()
        head, *results = body.decode().split("\n")
        header = json.loads(head)
        opened = self._open.get(header["id"])
        if opened is None:
            return Report(header["id"], recorded=recorded)
        done = [offset for start, stop in header.get("done", ()) for offset in range(start, stop)]
        failures = [(offset, Failure(**fields), us) for offset, fields, us in header.get("failures", ())]
        cancelled, returned = header.get("cancelled", ()), header.get("returned", ())
        for offset in (*done, *(offset for offset, _, _ in failures), *cancelled, *returned):
            del opened.left[offset]
        if not opened.left:
            del self._open[opened.call.id]
        logs = _logs(header.get("logs", {}))
        return Report(
            header["id"],
            done,
            results,
            header.get("us", ()),
            failures,
            cancelled,
            returned,
            logs=logs,
            worker=worker,
            recorded=recorded,
        )

    def now_running(self, body: bytes, worker: str, now: float) -> None:
        """What a reactor says of units that have been running for a while."""
        told = json.loads(body)
        self._running_at = now
        self._running = [
            Running(call, offset, for_s, worker, stdout, stderr)
            for for_s, (call, offset, stdout, stderr) in zip(told["for_s"], told["units"], strict=True)
        ]

    def running(self, now: float) -> list[Running]:
        """The same, without what has been reported since."""
        passed = now - self._running_at
        return [
            replace(unit, for_s=unit.for_s + passed)
            for unit in self._running
            if unit.call in self._open and unit.offset in self._open[unit.call].left
        ]

    def died(self, *, wanted: bool) -> Iterator[Report]:
        """The reactor is dead. What it noted is recovered; what it only began is lost (cancelled, if it was killed on our word).

        The rest has not run.
        """
        assert self._journal is not None
        opened, self._open = self._open, {}
        noted = self._journal.noted(opened)
        for call, one in opened.items():
            report = what_it_left(call, [*one.left], noted.get(call, Noted()), wanted=wanted)
            yield replace(report, recorded=self._journal.receipt())
        self.close()

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def unsent(self) -> Iterator[Report]:
        """What waits for a reactor goes back."""
        while self.waiting:
            call = self.waiting.popleft()
            yield Report(call.id, returned=range(len(call.payloads)))


def what_it_left(call: int, offsets: Sequence[int], noted: Noted, *, wanted: bool) -> Report:
    """What became of these units of a call whose reactor is dead."""
    fates: dict[str, list[int]] = {"done": [], "failed": [], "started": [], "returned": []}
    for offset in offsets:
        fates[_fate(offset, noted)].append(offset)
    done, failed, ran, returned = fates.values()
    lost, cancelled = ([], ran) if wanted else (ran, [])
    return Report(
        call,
        done,
        [noted.done[offset][1] for offset in done],
        [noted.done[offset][0] for offset in done],
        [(offset, noted.failed[offset][2], noted.failed[offset][0]) for offset in failed],
        cancelled,
        returned,
        lost,
        {offset: text for offset, text in noted.logs.items() if offset in offsets},
    )


def _fate(offset: int, noted: Noted) -> str:
    if offset in noted.done:
        return "done"
    if offset in noted.failed:
        return "failed"
    return "started" if offset in noted.started else "returned"


def _logs(texts: Mapping[str, Any]) -> dict[int, str]:
    return {int(offset): text for offset, text in texts.items()}
