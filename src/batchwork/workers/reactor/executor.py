"""The coordinator's side of a reactor: commands and requests behind the Executor port. How they run is batchwork.workers.reactor.program.main's."""

from __future__ import annotations

import errno
import json
import mmap
import os
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batchwork import proctree
from batchwork.clock import Clock
from batchwork.errors import WorkerError
from batchwork.model import Call, Failure, Report
from batchwork.ports import Program, Staffing
from batchwork.text.jsontext import Json
from batchwork.workers import frames
from batchwork.workers.link import Link, Links
from batchwork.workers.nameless_file import nameless_file

_PAUSE_S = 0.05
_PAUSE_MAX_S = 0.5
_PATIENCE_S = 60.0
"""How long the system may lack room for a process before the step fails."""
_FOR_A_WHILE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_DEATHS_MAX = 5
"""Deaths in a row, without an outcome between them, after which the step fails."""
_END_S = 3.0
_COUNT = struct.Struct("=Q")
_FIELDS = ("type", "message", "traceback", "exit_code", "status_code", "retry_after_s", "retryable", "result")


class _Open:
    """A call that is not reported in full. `before` is how many units had been sent to its reactor before it."""

    __slots__ = ("before", "call", "left")

    def __init__(self, call: Call, before: int) -> None:
        self.call = call
        self.before = before
        self.left = dict.fromkeys(range(len(call.payloads)))


class ReactorExecutor:
    """One reactor process, which gets ready while the first items are read. If it dies, what it may have begun is lost, the rest returned."""

    lanes = 1

    def __init__(self, clock: Clock) -> None:
        self.width = 1
        self._clock = clock
        self._links = Links()
        self._link: Link | None = None
        self._open: dict[int, _Open] = {}
        self._unsent: list[Call] = []
        self._ready = False
        self._wanted = False  # whether there is to be a reactor
        self._sent = 0
        self._load = 0
        self._counter: mmap.mmap | None = None
        self._deaths = 0
        self._failing_since = 0.0  # when it could not be started for the first time, 0 if it could
        self._start_at = 0.0
        self._kill_at: float | None = None  # set once all is to end: when the reactor has had its time for it
        self._broken: WorkerError | None = None
        self._told = False
        self._closed = False
        self._reports: list[Report] = []
        self._prepare = b""

    def start(self, program: Program, staffing: Staffing) -> None:
        self._staffing = staffing
        self.width = staffing.slots
        proctree.become_subreaper()  # what a dead reactor leaves becomes ours, not init's
        runtime = {
            "environ": dict(staffing.environ),
            "cwd": staffing.cwd,
            "timeout_s": staffing.timeout_s,
            "slots": staffing.slots,
            "strict": staffing.strict,
            "grace_s": staffing.grace_s,
            "cookie": staffing.cookie,
        }
        self._prepare = _encode({"program": dict(program.prepare), "runtime": runtime})

    def warm(self, lanes: int) -> None:
        if lanes and not self._wanted and self._broken is None:
            self._wanted = True
            self._launch_if_due()

    def ready(self) -> Sequence[bool]:
        return (self._ready,)

    def load(self) -> Sequence[int]:
        return (self._load,)

    def submit(self, lane: int, call: Call) -> None:
        assert lane == 0
        self._load += len(call.payloads)
        self._wanted = True
        if self._link is None:
            self._unsent.append(call)
            self._launch_if_due()
        else:
            self._send(call)

    def _send(self, call: Call) -> None:
        assert self._link is not None
        self._open[call.id] = _Open(call, self._sent)
        self._sent += len(call.payloads)
        units: Json = list(call.payloads)
        self._link.send(frames.CALL, _encode({"id": call.id, "attempt": call.attempt, "units": units}))

    # ------------------------------------------------------------ reports

    def poll(self, timeout_s: float | None) -> list[Report]:
        if not self._reports:
            if self._broken is not None and self._link is None and not self._told:
                self._told = True
                raise self._broken
            self._listen(self._patience(timeout_s))
        reports, self._reports = self._reports, []
        self._load -= sum(map(_units, reports))
        return reports

    def _patience(self, timeout_s: float | None) -> float | None:
        """Do what is due by the clock; how long may be waited for the rest."""
        now = self._clock.now()
        due = []
        self._launch_if_due()
        if self._link is None and self._wanted:
            due.append(self._start_at - now)
        if self._link is not None and self._kill_at is not None and self._load:
            if now >= self._kill_at:
                self._link.kill_tree()
            else:
                due.append(self._kill_at - now)
        if timeout_s is not None:
            due.append(timeout_s)
        return max(0.0, min(due)) if due else None

    def _listen(self, timeout_s: float | None) -> None:
        for link in self._links.poll(0.0 if self._reports else timeout_s):
            for tag, body in link.take():
                if tag == frames.OUTCOMES:
                    self._report(body)
                elif tag == frames.READY:
                    self._ready = True
                elif tag == frames.BROKEN:
                    broken = json.loads(body)
                    self._broken = WorkerError(f"the reactor cannot be prepared: {broken['type']}: {broken['message']}")
            if link.status is not None:
                self._died(link, link.status)

    def _report(self, body: bytes) -> None:
        self._deaths = 0
        head, *results = body.decode().split("\n")
        header = json.loads(head)
        opened = self._open.get(header["id"])
        if opened is None:
            return
        clean = self._staffing.clean
        done = [offset for start, stop in header.get("done", ()) for offset in range(start, stop)]
        failures = [(offset, _failure(fields, clean), us) for offset, fields, us in header.get("failures", ())]
        logs = {int(offset): text for offset, text in header.get("logs", {}).items()}
        if clean is not None:
            results = list(map(clean, results))
            logs = {offset: clean(text) for offset, text in logs.items()}
        cancelled, returned = header.get("cancelled", ()), header.get("returned", ())
        for offset in (*done, *(offset for offset, _, _ in failures), *cancelled, *returned):
            del opened.left[offset]
        if not opened.left:
            del self._open[opened.call.id]
        us = header.get("us", ())
        worker = f"reactor-{self._link.pid}" if self._link is not None else "reactor"
        self._reports.append(
            Report(opened.call.id, done, results, us, failures, cancelled, returned, logs=logs, worker=worker)
        )

    # ------------------------------------------------------------ life and death

    def _launch_if_due(self) -> None:
        """Start a reactor if one is wanted, none is there, and the last trouble is long enough ago."""
        if self._link is not None or not self._wanted or self._broken or self._clock.now() < self._start_at:
            return
        try:
            self._link = self._make_link()
        except OSError as error:
            self._not_started(error)
            return
        self._sent = 0
        self._failing_since = 0.0
        self._links.add(self._link)
        self._link.send(frames.PREPARE, self._prepare)
        unsent, self._unsent = self._unsent, []
        for call in unsent:
            self._send(call)

    def _make_link(self) -> Link:
        counter = nameless_file("batchwork-counter")
        try:
            os.ftruncate(counter, _COUNT.size)
            self._counter = mmap.mmap(counter, _COUNT.size)
            program = [sys.executable, "-P", "-m", "batchwork.workers.reactor.program.main"]
            return Link(
                lambda read, write: [*program, str(read), str(write), str(counter)],
                environ=os.environ,
                cwd=self._staffing.cwd,
                cookie=self._staffing.cookie,
                inherit=(counter,),
            )
        finally:
            os.close(counter)

    def _not_started(self, error: OSError) -> None:
        """Try again for a while where the system only lacks room."""
        now = self._clock.now()
        self._failing_since = self._failing_since or now
        if error.errno not in _FOR_A_WHILE or now - self._failing_since > _PATIENCE_S:
            self._break(f"cannot be started: {error.strerror or error}")
        self._start_at = now + _PAUSE_MAX_S

    def _break(self, why: str) -> None:
        self._broken = WorkerError(f"the reactor, which runs commands and requests, {why}")
        self._return_unsent()

    def _died(self, link: Link, status: int) -> None:
        """What it may have begun is lost (cancelled, if it was killed on our word), the rest has not run."""
        self._links.remove(link)
        link.close()
        link.sweep()
        self._link = None
        self._ready = False
        self._wanted = bool(self._unsent)
        begun = _COUNT.unpack_from(self._counter)[0] if self._counter is not None else self._sent
        opened, self._open = self._open, {}
        for one in opened.values():
            ran = [offset for offset in one.left if one.before + offset < begun]
            rest = [offset for offset in one.left if one.before + offset >= begun]
            self._reports.append(
                Report(one.call.id, cancelled=ran, returned=rest)
                if self._kill_at is not None
                else Report(one.call.id, lost=ran, returned=rest)
            )
        if self._broken is not None:
            self._return_unsent()
        elif self._kill_at is None:
            self._deaths += 1
            if self._deaths > _DEATHS_MAX:
                self._break(f"dies again and again ({_ended(status)})")
            self._start_at = self._clock.now() + min(_PAUSE_S * 2**self._deaths, _PAUSE_MAX_S)

    # ------------------------------------------------------------ stopping

    def wake(self) -> None:
        self._links.wake()

    def recall(self) -> None:
        self._return_unsent()
        if self._link is not None:
            self._link.send(frames.RECALL, b"{}")

    def cancel(self) -> None:
        self._end(self._staffing.grace_s)

    def kill(self) -> None:
        self._kill_at = self._clock.now() + _END_S
        self._end(0)

    def _end(self, grace_s: float) -> None:
        self._return_unsent()
        if self._link is not None:
            self._link.send(frames.CANCEL, _encode({"grace_s": grace_s}))

    def _return_unsent(self) -> None:
        self._wanted = False
        for call in self._unsent:
            self._reports.append(Report(call.id, returned=range(len(call.payloads))))
        self._unsent.clear()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            self._links.remove(link)
            link.finish()
            if not link.wait(_END_S):
                link.kill_tree()
                link.wait(_END_S)
            if link.status != 0:
                link.sweep()
            link.close()
        if self._counter is not None:
            self._counter.close()
            self._counter = None
        self._links.close()


def _units(report: Report) -> int:
    return sum(map(len, (report.done, report.failures, report.cancelled, report.returned, report.lost)))


def _failure(fields: Mapping[str, Any], clean: Callable[[str], str] | None) -> Failure:
    failure = {name: fields[name] for name in _FIELDS if name in fields}
    if clean is not None:
        for name in ("message", "traceback", "result"):
            if failure.get(name):
                failure[name] = clean(failure[name])
    return Failure(**failure)


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _ended(status: int) -> str:
    return f"exit code {status}" if status >= 0 else f"signal {-status}"
