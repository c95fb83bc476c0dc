"""From a Python worker's outcomes (a frame, or the journal of a dead worker) to Reports, each unit exactly once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.model import Call, Failure, Report
from batchwork.ports.journals import Noted

NOBODY = -1
"""In place of the offset of a unit: which one printed is not known."""


class Sent(Struct):
    """A call that was submitted, with what has been reported of it. `number` counts the calls of a worker's lane."""

    call: Call
    number: int
    reported: bytearray = field(default_factory=bytearray)
    left: int = 0
    sent: bool = False
    heard: int = 0  # units that the worker itself has spoken of
    early: bool = False  # something was reported before it did

    def __post_init__(self) -> None:
        self.left = len(self.call.payloads)
        self.reported = bytearray(self.left)

    def mark(self, start: int, stop: int) -> None:
        """Units from `start` up to `stop` are reported."""
        self.left -= (stop - start) - self.reported.count(1, start, stop)
        self.reported[start:stop] = b"\1" * (stop - start)

    @property
    def over(self) -> bool:
        """Whether the worker has nothing more to say of it."""
        return self.heard >= len(self.reported)

    def open_offsets(self) -> list[int]:
        """What is not reported yet."""
        return [offset for offset, done in enumerate(self.reported) if not done]

    def returned(self, worker: str = "") -> Report:
        """Everything that is left goes back."""
        self.early = True
        offsets = self.open_offsets()
        self.mark(0, len(self.reported))
        return Report(self.call.id, returned=offsets, worker=worker)


def failure_from(fields: Mapping[str, Any]) -> Failure:
    """A failure as a worker describes it."""
    kind, message, traceback = (str(fields.get(name, "")) for name in ("type", "message", "traceback"))
    kinds = [str(name) for name in fields.get("kinds", ())]
    return Failure(kind, message, traceback, retryable=fields.get("retryable", True) is not False, kinds=kinds)


def report_of(sent: Sent, body: bytes, worker: str, recorded: Callable[[], None] | None = None) -> Report:
    """The report of an outcomes frame. Raises ValueError, KeyError or TypeError where it is not one."""
    end = body.find(b"\n")
    if end < 0:
        end = len(body)
    header = json.loads(body[:end])
    told = bytes(sent.reported) if sent.early else b""
    done = _offsets(sent, header.get("done", ()))
    results = _results(str(memoryview(body)[end + 1 :], "ascii"), len(done))  # no copy between: it may be 64 MiB
    failures = [(offset, failure_from(fields), us) for offset, fields, us in header.get("failures", ())]
    cancelled, returned = header.get("cancelled", ()), header.get("returned", ())
    for offset in (*(offset for offset, _, _ in failures), *cancelled, *returned):
        sent.mark(offset, offset + 1)
    logs = {int(offset): str(log) for offset, log in header.get("logs", {}).items()}
    report = Report(
        sent.call.id,
        done,
        results,
        _durations(header),
        failures,
        cancelled,
        returned,
        (),
        logs,
        worker,
        recorded,
        logs.pop(NOBODY, ""),
    )
    sent.heard += report.count
    return _news(report, told) if sent.early else report


def _news(report: Report, told: bytes) -> Report:
    """Without what was reported before."""

    def fresh(offsets: Sequence[int]) -> list[int]:
        return [offset for offset in offsets if not told[offset]]

    new = [not told[offset] for offset in report.done]
    return replace(
        report,
        done=fresh(report.done),
        results=[*compress(report.results, new)],
        durations_us=[*compress(report.durations_us, new)],
        failures=[failure for failure in report.failures if not told[failure[0]]],
        cancelled=fresh(report.cancelled),
        returned=fresh(report.returned),
        logs={offset: log for offset, log in report.logs.items() if not told[offset]},
    )


def report_so_far(sent: Sent, noted: Noted, running: int, worker: str, gives: bool) -> Report:
    """What a worker has done of a call before the unit that it runs; with `gives` what comes after it goes back."""
    sent.early = True
    report = _recovered(sent, noted)
    rest = [offset for offset in sent.open_offsets() if gives and offset > running]
    for offset in rest:
        sent.mark(offset, offset + 1)
    return replace(report, returned=rest, worker=worker)


def _durations(header: Mapping[str, Any]) -> list[int]:
    """Microseconds of what is done: short ones as digits, longer ones by their places."""
    durations = [*bytes.fromhex(header.get("us", ""))]
    for place, us in header.get("long", {}).items():
        durations[int(place)] = us
    return durations


def _results(lines: str, count: int) -> list[str]:
    """One result a line. Raises ValueError where there are not as many as units."""
    if count == 1:
        return [lines]
    results = lines.split("\n") if count else []
    if len(results) != count:
        raise ValueError("an outcomes frame has another number of results than of units")
    return results


def _offsets(sent: Sent, ranges: Sequence[Sequence[int]]) -> Sequence[int]:
    for start, stop in ranges:
        sent.mark(start, stop)
    if len(ranges) == 1:
        return range(ranges[0][0], ranges[0][1])
    return [offset for start, stop in ranges for offset in range(start, stop)]


class Death(Struct, frozen=True):
    """How a worker ended while it had calls. `running` is the offset that it ran, `blame` what that unit gets."""

    running: int | None
    blame: Failure | None  # None: it was cancelled
    us: int
    log: str


def report_of_death(sent: Sent, noted: Noted, death: Death, worker: str) -> Report:
    """What became of the call that a dead worker was at: recovered outcomes, one to blame, the rest goes back."""
    recovered = _recovered(sent, noted)
    cancelled, failures, logs = [*recovered.cancelled], [*recovered.failures], {**recovered.logs}
    running = death.running
    if running is not None and not sent.reported[running]:
        sent.mark(running, running + 1)
        if death.blame is None:
            cancelled.append(running)
        else:
            failures.append((running, death.blame, death.us))
        if death.log:
            logs[running] = death.log
    rest = sent.returned().returned
    return replace(recovered, failures=failures, cancelled=cancelled, returned=rest, logs=logs, worker=worker)


def _recovered(sent: Sent, noted: Noted) -> Report:
    """What was noted and has not been reported; reported with it."""

    def fresh(offsets: Iterable[int]) -> list[int]:
        found = sorted(offset for offset in offsets if not sent.reported[offset])
        for offset in found:
            sent.mark(offset, offset + 1)
        return found

    logs = {offset: text for offset, text in noted.logs.items() if not sent.reported[offset]}
    done, failed, cancelled = fresh(noted.done), fresh(noted.failed), fresh(noted.cancelled)
    return Report(
        sent.call.id,
        done,
        [noted.done[offset][1] for offset in done],
        [noted.done[offset][0] for offset in done],
        [(offset, noted.failed[offset][2], noted.failed[offset][0]) for offset in failed],
        cancelled,
        logs=logs,
    )
