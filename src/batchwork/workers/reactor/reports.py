"""What becomes of the calls that a reactor was given: reports of the outcomes that it sends, or of its death."""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from batchwork.model import Call, Failure, Report
from batchwork.ports import Running

_COUNT = struct.Struct("=Q")


class _Open:
    """A call that is not reported in full. `before` is how many units had been sent to its reactor before it."""

    __slots__ = ("before", "call", "left")

    def __init__(self, call: Call, before: int) -> None:
        self.call = call
        self.before = before
        self.left = dict.fromkeys(range(len(call.payloads)))


class Ledger:
    """Calls that are not reported in full: with the reactor that lives, or waiting for one."""

    def __init__(self) -> None:
        self.waiting: deque[Call] = deque()
        self._open: dict[int, _Open] = {}
        self._sent = 0
        self._begun: mmap.mmap | None = None
        self._running: list[Running] = []
        self._running_at = 0.0
        self.load = 0
        """Units of calls that came, and are in no report that was taken."""

    def arrived(self, call: Call) -> None:
        self.load += len(call.payloads)

    def taken(self, reports: Iterable[Report]) -> None:
        self.load -= sum(map(count_of, reports))

    def new_reactor(self, counter: int) -> None:
        """Units are counted anew: those sent here, those begun by the reactor, in the file `counter`."""
        self.close()
        self._sent = 0
        os.ftruncate(counter, _COUNT.size)
        self._begun = mmap.mmap(counter, _COUNT.size)

    def sent(self, call: Call) -> None:
        """A call is with the reactor now."""
        self._open[call.id] = _Open(call, self._sent)
        self._sent += len(call.payloads)

    def report(self, body: bytes, worker: str) -> Report | None:
        """The report of an outcomes frame; None where its call is not known any more."""
        head, *results = body.decode().split("\n")
        header = json.loads(head)
        opened = self._open.get(header["id"])
        if opened is None:
            return None
        done = [offset for start, stop in header.get("done", ()) for offset in range(start, stop)]
        failures = [(offset, Failure(**fields), us) for offset, fields, us in header.get("failures", ())]
        cancelled, returned = header.get("cancelled", ()), header.get("returned", ())
        for offset in (*done, *(offset for offset, _, _ in failures), *cancelled, *returned):
            del opened.left[offset]
        if not opened.left:
            del self._open[opened.call.id]
        logs = _logs(header.get("logs", {}))
        return Report(
            header["id"], done, results, header.get("us", ()), failures, cancelled, returned, logs=logs, worker=worker
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
        """The reactor is dead: units that had begun are lost (cancelled, if it was killed on our word), the rest has not run."""
        assert self._begun is not None
        begun = _COUNT.unpack_from(self._begun)[0]
        opened, self._open = self._open, {}
        for one in opened.values():
            first = begun - one.before
            ran = [offset for offset in one.left if offset < first]
            rest = [offset for offset in one.left if offset >= first]
            if wanted:
                yield Report(one.call.id, cancelled=ran, returned=rest)
            else:
                yield Report(one.call.id, lost=ran, returned=rest)

    def close(self) -> None:
        if self._begun is not None:
            self._begun.close()
            self._begun = None

    def unsent(self) -> Iterator[Report]:
        """What waits for a reactor goes back."""
        while self.waiting:
            call = self.waiting.popleft()
            yield Report(call.id, returned=range(len(call.payloads)))


def _logs(texts: Mapping[str, Any]) -> dict[int, str]:
    return {int(offset): text for offset, text in texts.items()}


def count_of(report: Report) -> int:
    """How many units a report is about."""
    return sum(map(len, (report.done, report.failures, report.cancelled, report.returned, report.lost)))
