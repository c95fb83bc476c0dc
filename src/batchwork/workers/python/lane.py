"""One lane of Python workers: the calls that it was given, in their order, and the worker that runs them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from batchwork.errors import BatchworkError
from batchwork.model import Call, Report
from batchwork.ports import PageQuery, Pager, Running, Staffing
from batchwork.workers import frames
from batchwork.workers.journals.shelf import Shelf
from batchwork.workers.link import Link, Links
from batchwork.workers.python.orders import page_body, prepare_body
from batchwork.workers.python.patience import Patience
from batchwork.workers.python.preparation import SETUP_S, LostSince, Preparation
from batchwork.workers.python.reports import Sent, report_of
from batchwork.workers.python.troubles import LaneStarts, cannot_prepare, cannot_start, not_ready
from batchwork.workers.python.worker import Worker
from batchwork.workers.starts import Trouble


class Hall(Struct):
    """What all lanes have in common."""

    links: Links
    pages: Pager | None
    trouble: Trouble
    shelf: Shelf
    staffing: Staffing


class Lane:
    """Calls in their order, and the worker that runs them, started when the first one comes."""

    def __init__(self, number: int, prepare: Mapping[str, Any], hall: Hall) -> None:
        self._number = number
        self._prepare, self._hall = prepare, hall
        self._calls: deque[Sent] = deque()
        self._numbers = 0
        self._worker: Worker | None = None
        self._starts = LaneStarts(hall.trouble)
        self._patience = Patience(shared=hall.staffing.slots > 1)

    # ------------------------------------------------------------ work

    @property
    def load(self) -> int:
        return sum(sent.left for sent in self._calls)

    @property
    def ready(self) -> bool:
        """Whether there is a worker that can run calls, and has no slow unit that they would have to wait for."""
        return self._worker is not None and self._worker.ready and not self._patience.holding

    def warm(self) -> None:
        """Have a worker, although there may be no call yet."""
        self._starts.stopped = False
        if self._worker is None:
            self._starts.wanted = True

    def submit(self, call: Call) -> None:
        self._numbers += 1
        self._calls.append(Sent(call, self._numbers))
        self.warm()
        self._send_waiting()

    def _start_if_due(self, now: float) -> None:
        if not self._starts.due(now):
            return
        interpreter = self._prepare["interpreter"]
        try:
            self._worker = worker = Worker(interpreter, self._hall.staffing, self._hall.shelf)
        except OSError as error:
            self._starts.failed(error, now, cannot_start(interpreter, error))
            return
        self._starts.succeeded()
        self._hall.links.add(worker.link)
        body = prepare_body(self._prepare, self._hall.staffing, self._number)
        worker.prepare(body, Preparation(now, self._prepare.get("setup_timeout_s", SETUP_S)))

    def _send_waiting(self) -> None:
        worker = self._worker
        if worker is None or worker.cause or not self.ready:
            return
        for sent in self._calls:
            if not sent.sent:
                worker.send(sent, self._prepare.get("batch_slot"))

    # ------------------------------------------------------------ what it says, and its end

    def look(self, now: float, lost_since: LostSince) -> list[Report]:
        """Reports from what has come and from the worker's end; it is ended if over its time, and started if it is due."""
        worker = self._worker
        reports: list[Report] = []
        if worker is None:
            self._start_if_due(now)
            return reports
        ended = worker.link.reap()  # first, because it reads the last of what was said
        for tag, body in worker.link.take():
            try:
                report = self._understand(worker, tag, body, now)
            except (ValueError, KeyError, TypeError, IndexError):
                worker.distrust()
                break
            if report is not None:
                reports.append(report)
        if ended:
            return reports + self._buried(worker, now)
        worker.enforce(now, self._hall.staffing.timeout_s, lost_since)
        return reports + self._beside_slow(worker, now)

    def _beside_slow(self, worker: Worker, now: float) -> list[Report]:
        """Where the worker is on one unit for too long: what it has done, and what others can do."""
        patience = self._patience
        if worker.cause or not patience.is_over(now, worker.journal, self._calls) or patience.asked is None:
            return []
        reports = worker.so_far(self._calls, patience.asked, patience.shared)
        self._calls = deque(sent for sent in self._calls if sent.left or sent.sent)
        return [report for report in reports if report.count]

    def _understand(self, worker: Worker, tag: int, body: bytes, now: float) -> Report | None:
        if tag == frames.OUTCOMES:
            return self._reported(worker, body)
        if tag == frames.QUERY:
            worker.link.send(frames.PAGE, self._page(json.loads(body)))
        elif tag == frames.READY:
            worker.preparation.succeeded(worker.log.text(0))
            self._starts.prepared()
            self._send_waiting()
        elif tag == frames.LEAVING:
            worker.leave(now)
        elif tag == frames.BROKEN:
            told = json.loads(body)
            why = cannot_prepare(told, self._prepare["interpreter"], worker.log.text(0))
            worker.broken(why, again=bool(told["again"]))
        return None

    def _reported(self, worker: Worker, body: bytes) -> Report:
        sent = next((sent for sent in self._calls if sent.sent), None)
        if sent is None:
            raise ValueError("outcomes of no call")
        report = report_of(sent, body, worker.name, worker.journal.receipt())
        if report.call != sent.call.id:
            raise ValueError("outcomes of another call")
        worker.seen += len(report.failures)
        if report.done:
            self._starts.worked()
        while self._calls and self._calls[0].over:
            self._calls.popleft()
        if not any(sent.sent for sent in self._calls):
            self._patience.end(worker.journal)
            self._send_waiting()
        return replace(report, setup=worker.preparation.take_printed() + report.setup)

    def _page(self, query: dict[str, Any]) -> bytes:
        if self._hall.pages is None:
            return page_body(None, "there are no earlier results here")
        try:
            wanted = PageQuery(str(query["step"]), str(query["what"]), int(query["start"]), int(query["count"]))
            return page_body(self._hall.pages(wanted))
        except BatchworkError as error:
            return page_body(None, error.message)

    def _buried(self, worker: Worker, now: float) -> list[Report]:
        """The worker is dead: what becomes of its calls, and of the next worker."""
        status = worker.link.status or 0
        if not worker.ready and not worker.cause:
            self._never_ready(worker, status)
        if worker.preparation.failure is not None:
            self._starts.not_prepared(worker.preparation, now)
        reports = worker.post_mortem(self._calls, now)
        if worker.cause:
            self._starts.ended()
        else:
            blamed = any(report.failures for report in reports)
            self._starts.died(status, now, idle=bool(self._calls) and not blamed)
        self._calls.clear()
        self._patience = Patience(self._patience.shared)
        worker.link.sweep()
        self.close()
        return reports

    def _never_ready(self, worker: Worker, status: int) -> None:
        """It died before it was ready: in `setup`, perhaps, or killed by somebody; then another one may be luckier."""
        why = not_ready(self._prepare["interpreter"], status, worker.log.text(0))
        if self._prepare.get("setup") or status < 0:
            worker.preparation.failed(why, again=True)
        else:
            self._starts.never_ready(why)

    def running(self, now: float) -> Running | None:
        """The unit that runs, if it has been running for a while."""
        if self._worker is None:
            return None
        running = self._worker.journal.running()
        if running is None or now - running.began < frames.RUNNING_FROM_S:
            return None
        sent = next((sent for sent in self._calls if sent.number == running.call), None)
        if sent is None:
            return None
        printed = self._worker.log.text(running.output)
        return Running(sent.call.id, running.offset, now - running.began, self._worker.name, printed)

    def next_look(self, now: float, lost_since: LostSince) -> float | None:
        """Seconds until this lane has to be looked at, whatever comes."""
        if self._worker is None:
            return max(0.0, self._starts.at - now) if self._starts.wanted else None
        timeout_s = self._hall.staffing.timeout_s if self._calls else None
        look, slow = self._worker.next_look(now, timeout_s, lost_since), self._patience.look_at
        if slow is None:
            return look
        return max(0.0, slow - now) if look is None else min(look, max(0.0, slow - now))

    # ------------------------------------------------------------ stopping

    def recall(self) -> list[Report]:
        """What the worker has not got comes back at once, what it has not started comes over the pipe."""
        self._starts.wanted, self._starts.stopped = False, True
        if self._worker is not None:
            self._worker.journal.recall(self._numbers)
        waiting = [sent for sent in self._calls if not sent.sent]
        self._calls = deque(sent for sent in self._calls if sent.sent)
        return [sent.returned() for sent in waiting]

    def cancel(self, now: float, grace_s: float) -> list[Report]:
        """End what runs, with a grace in seconds (0: at once)."""
        reports = self.recall()
        if self._worker is not None and (self._calls or not self._worker.ready):
            self._worker.cancel(now, grace_s)
        return reports

    def finish(self) -> Link | None:
        """Ask the worker to end, if it is idle; kill it with all below it, if it is not. The link, to be waited for."""
        if self._worker is None:
            return None
        link = self._worker.link
        if self._calls or not self._worker.ready:
            link.kill_tree()
        link.finish()
        return link

    def close(self) -> None:
        if self._worker is not None:
            self._hall.links.remove(self._worker.link)
            self._worker.close()
            self._worker = None
