"""The coordinator's side of a reactor: commands and requests behind the Executor port."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from batchwork import proctree
from batchwork.clock import Clock
from batchwork.errors import WorkerError
from batchwork.model import Call, Report
from batchwork.ports import Pager, Program, Running, Staffing
from batchwork.workers import frames
from batchwork.workers.journals.shelf import Shelf
from batchwork.workers.link import Link, Links
from batchwork.workers.reactor.orders import RECALL_ORDER, call_order, end_order, program_order
from batchwork.workers.reactor.reports import Ledger
from batchwork.workers.reactor.starts import ReactorStarts, cannot_run
from batchwork.workers.starts import Trouble

_END_S = 3.0
_PROGRAM = "from batchwork.workers.reactor.program.main import program; program()"
"""What `-m` would run, without the modules that it takes to find a program by its name."""


class ReactorExecutor:
    """One reactor process, which gets ready while the first items are read. If it dies, what it may have begun is lost, the rest returned."""

    lanes = width = 1
    latency_s = 0.0002

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._links = Links()
        self._link: Link | None = None
        self._ledger = Ledger()
        self._starts = ReactorStarts(Trouble())
        self._ready = False
        self._kill_at: float | None = None  # set once all is to end: when the reactor has had its time for it
        self._reports: list[Report] = []

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        self._staffing = staffing
        self._shelf = Shelf(staffing.journals)
        self.width = staffing.slots
        proctree.become_subreaper()  # what a dead reactor leaves becomes ours, not init's
        self._prepare = program_order(program, staffing)

    def warm(self, lanes: int) -> None:
        if lanes and not self._starts.wanted and self._starts.trouble.why is None:
            self._starts.wanted = True
            self._launch_if_due()

    def ready(self) -> Sequence[bool]:
        return (self._ready,)

    def load(self) -> Sequence[int]:
        return (self._ledger.load,)

    def submit(self, lane: int, call: Call) -> None:
        assert lane == 0
        self._ledger.arrived(call)
        self._starts.wanted = True
        if self._link is None:
            self._ledger.waiting.append(call)
            self._launch_if_due()
        else:
            self._send(self._link, call)

    def _send(self, link: Link, call: Call) -> None:
        self._ledger.sent(call)
        link.send(frames.CALL, call_order(call))

    # ------------------------------------------------------------ reports

    def poll(self, timeout_s: float | None) -> list[Report]:
        if not self._reports:
            patience_s = self._patience(timeout_s)
            if self._link is None and not self._reports:
                self._starts.trouble.tell()
            self._listen(patience_s)
        reports, self._reports = self._reports, []
        self._ledger.taken(reports)
        return reports

    def _patience(self, timeout_s: float | None) -> float | None:
        """Do what is due by the clock; how long may be waited for the rest."""
        self._launch_if_due()
        now = self._clock.now()
        if self._link is not None and self._kill_at is not None and self._ledger.load and now >= self._kill_at:
            self._link.kill_tree()
        due = list(self._due(now))
        if timeout_s is not None:
            due.append(timeout_s)
        return max(0.0, min(due)) if due else None

    def _due(self, now: float) -> Iterator[float]:
        """Seconds until a reactor is to be started, or to be killed."""
        if self._link is None:
            if self._starts.wanted:
                yield self._starts.at - now
        elif self._kill_at is not None and self._ledger.load and now < self._kill_at:
            yield self._kill_at - now

    def _listen(self, timeout_s: float | None) -> None:
        if self._reports:
            timeout_s = 0.0
        for link in self._links.poll(timeout_s):
            for tag, body in link.take():
                self._understand(link, tag, body)
            if link.status is not None:
                self._died(link, link.status)

    def _understand(self, link: Link, tag: int, body: bytes) -> None:
        if tag == frames.OUTCOMES:
            self._starts.worked()
            self._reports.append(self._ledger.report(body, f"reactor-{link.pid}"))
        elif tag == frames.NOW_RUNNING:
            self._ledger.now_running(body, f"reactor-{link.pid}", self._clock.now())
        elif tag == frames.READY:
            self._ready = True
        elif tag == frames.BROKEN:
            told = json.loads(body)
            why = WorkerError(f"the reactor cannot be prepared: {told['type']}: {told['message']}")
            self._starts.trouble.because(why)

    # ------------------------------------------------------------ life and death

    def _launch_if_due(self) -> None:
        """Start a reactor if one is wanted, none is there, and the last trouble is long enough ago."""
        now, starts = self._clock.now(), self._starts
        if self._link is not None or not starts.due(now):
            return
        try:
            self._link = link = self._make_link()
        except OSError as error:
            starts.failed(error, now, cannot_run(f"cannot be started: {error.strerror or error}"))
            if starts.trouble.why is not None:
                self._return_unsent()
            return
        starts.succeeded()
        self._links.add(link)
        link.send(frames.PREPARE, self._prepare)
        while self._ledger.waiting:
            self._send(link, self._ledger.waiting.popleft())

    def _make_link(self) -> Link:
        journal = self._shelf.new()
        self._ledger.new_reactor(journal)
        return Link(_command(journal.descriptor), self._staffing, os.environ, inherit=(journal.descriptor,))

    def _died(self, link: Link, status: int) -> None:
        self._links.remove(link)
        link.close()
        link.sweep()
        self._link = None
        self._ready = False
        self._starts.wanted = bool(self._ledger.waiting)
        self._reports += self._ledger.died(wanted=self._kill_at is not None)
        if self._starts.trouble.why is None and self._kill_at is None:
            self._starts.died(status, self._clock.now())
        if self._starts.trouble.why is not None:
            self._return_unsent()

    # ------------------------------------------------------------ stopping

    def running(self) -> Sequence[Running]:
        return self._ledger.running(self._clock.now())

    def wake(self) -> None:
        self._links.wake()

    def recall(self) -> None:
        self._return_unsent()
        if self._link is not None:
            self._link.send(frames.RECALL, RECALL_ORDER)

    def cancel(self) -> None:
        self._end(self._staffing.grace_s)

    def kill(self) -> None:
        self._kill_at = self._clock.now() + _END_S
        self._end(0)

    def _end(self, grace_s: float) -> None:
        self._return_unsent()
        if self._link is not None:
            self._link.send(frames.CANCEL, end_order(grace_s))

    def _return_unsent(self) -> None:
        self._starts.wanted = False
        self._reports += self._ledger.unsent()

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.finish()
            if not self._links.wait([link], self._clock, _END_S):
                link.kill_tree()
                self._links.wait([link], self._clock, _END_S)
            self._links.remove(link)
            if link.status != 0:
                link.sweep()
            link.close()
        self._ledger.close()
        self._links.close()


def _command(journal: int) -> Callable[[int, int], Sequence[str]]:
    """The argument list of a reactor, from the numbers of its two pipes."""
    program = (sys.executable, "-P", "-c", _PROGRAM)
    return lambda read, write: (*program, str(read), str(write), str(journal))
