"""One lane of Python workers: a worker process, the calls that it was given, and what becomes of them when it dies."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from batchwork.errors import BatchworkError, WorkerError
from batchwork.model import Call, Failure, Report
from batchwork.ports import PageQuery, Pager, Staffing
from batchwork.workers import frames
from batchwork.workers.link import Link, Links
from batchwork.workers.python.log import WorkerLog
from batchwork.workers.python.memory import Record, Running, WorkerMemory
from batchwork.workers.python.orders import call_body, page_body, prepare_body
from batchwork.workers.python.reports import Death, Sent, report_of, report_of_death
from batchwork.workers.python.troubles import cannot_prepare, cannot_start, how_it_ended

_PROGRAM_FOLDER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "program")
# The program is a package of a name that nobody else has, so that no module of a task is taken for a part of it.
_START = """import sys
if sys.version_info < (3, 8):
    sys.exit("this is Python %d.%d, and a worker needs 3.8 or newer" % sys.version_info[:2])
del sys.path[0]
package = sys.modules["batchwork_worker"] = type(sys)("batchwork_worker")
package.__path__ = [sys.argv[1]]
from batchwork_worker.main import run_worker
run_worker(sys.argv[2:])
"""
_BUSY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
SPAWN_TRIES = 60
"""Times that starting a process is tried while the system has none to give (about a minute)."""
_LOOK_S = 1.0
"""Where there is a time limit, workers are looked at so often, and so is the clock: a gap in it was a pause."""
IDLE_DEATHS = 5
"""Deaths in a row that no unit is to blame for, after which the step fails."""


class Lane:
    """Calls in their order, and the worker that runs them, started when the first one comes."""

    def __init__(self, prepare: Mapping[str, Any], staffing: Staffing, links: Links, pages: Pager | None) -> None:
        self._prepare, self._staffing, self._links, self._pages = prepare, staffing, links, pages
        self._link: Link | None = None
        self.calls: deque[Sent] = deque()
        self._numbers = 0
        self.ready = False
        self.warm = False  # whether the worker is wanted before there is a call
        self._was_ready = False
        self._seen = 0  # failures that came from this worker
        self._tries = 0  # starts that failed for want of resources
        self._idle_deaths = 0
        self._deaths = 0  # in a row, without a success between
        self._start_at = 0.0
        self._ending: str = ""  # why the worker is being ended: "cancel", "timeout", "nonsense"
        self.trouble: WorkerError | None = None
        """Why no worker of this kind can ever run."""
        self._kill_at: float | None = None
        self._late_us = 0

    # ------------------------------------------------------------ work

    @property
    def load(self) -> int:
        return sum(sent.left for sent in self.calls)

    @property
    def started(self) -> bool:
        """Whether there is a worker, ready or on its way."""
        return self._link is not None

    @property
    def active(self) -> bool:
        """Whether there is anything to look after."""
        return self._link is not None or bool(self.calls) or self.warm

    def submit(self, call: Call) -> None:
        self._numbers += 1
        self.calls.append(Sent(call, self._numbers))
        self._send_waiting()

    def wants_start(self) -> bool:
        return self._link is None and (bool(self.calls) or self.warm)

    def start(self, now: float) -> None:
        """Start the worker if it is time. Raises WorkerError where that will never succeed."""
        if now < self._start_at:
            return
        interpreter = self._prepare["interpreter"]
        self._memory, self._log = WorkerMemory(), WorkerLog()
        try:
            self._link = Link(
                lambda read, write: [
                    *(interpreter, "-u", "-c", _START, _PROGRAM_FOLDER),
                    *map(str, (read, write, self._memory.descriptor, self._log.descriptor)),
                ],
                self._staffing,
                self._staffing.environ,
                inherit=(self._memory.descriptor, self._log.descriptor),
                output=self._log.descriptor,
            )
        except OSError as error:
            self._memory.close()
            self._log.close()
            self._tries += 1
            if error.errno not in _BUSY or self._tries > SPAWN_TRIES:
                raise cannot_start(interpreter, error) from None
            self._start_at = now + min(1.0, 0.02 * 2.0**self._tries)
            return
        self.warm = False
        self.ready, self._seen, self._tries, self._ending, self._kill_at = False, 0, 0, "", None
        self._name = f"python/{self._link.pid}"
        self._links.add(self._link)
        self._link.send(frames.PREPARE, prepare_body(self._prepare, self._staffing))

    def _send_waiting(self) -> None:
        if not self.ready or self._link is None or self._ending:
            return
        for sent in self.calls:
            if not sent.sent:
                sent.sent = True
                self._link.send(frames.CALL, call_body(sent, self._seen, self._prepare.get("batch_slot")))

    # ------------------------------------------------------------ what it says

    def hear(self, now: float) -> list[Report]:
        """Reports from what has come over the pipe, and from the worker's end."""
        if self._link is None:
            return []
        ended = self._link.reap()  # first, because it reads the last of what was said
        reports = []
        for tag, body in self._link.take():
            try:
                report = self._understand(tag, body)
            except (
                ValueError,
                KeyError,
                TypeError,
                IndexError,
            ):  # a task wrote into our pipe: nothing from it is trusted
                self._ending = "nonsense"
                self._link.kill_tree()
                break
            if report is not None:
                reports.append(report)
        if ended:
            reports += self._buried(now)
        return reports

    def _understand(self, tag: int, body: bytes) -> Report | None:
        assert self._link is not None
        if tag == frames.OUTCOMES:
            sent = next((sent for sent in self.calls if sent.sent), None)
            if sent is None:
                return None
            report = report_of(sent, body, self._name)
            if report.call != sent.call.id:
                raise ValueError("outcomes of another call")
            self._seen += len(report.failures)
            if report.done:
                self._deaths = self._idle_deaths = 0
            self._drop_reported()
            return report
        if tag == frames.QUERY:
            self._link.send(frames.PAGE, self._page(json.loads(body)))
        elif tag == frames.READY:
            self.ready = self._was_ready = True
            self._send_waiting()
        elif tag == frames.BROKEN:
            self.trouble = cannot_prepare(json.loads(body), self._prepare["interpreter"])
        return None

    def _page(self, query: dict[str, Any]) -> bytes:
        if self._pages is None:
            return page_body(None, "there are no earlier results here")
        try:
            wanted = PageQuery(str(query["step"]), str(query["what"]), int(query["start"]), int(query["count"]))
            return page_body(self._pages(wanted))
        except BatchworkError as error:
            return page_body(None, error.message)

    def _drop_reported(self) -> None:
        while self.calls and not self.calls[0].left:
            self.calls.popleft()

    # ------------------------------------------------------------ its end

    def _buried(self, now: float) -> list[Report]:
        """The worker is dead: what it had noted is recovered, who ran is to blame, all else goes back."""
        link = self._link
        assert link is not None
        status = link.status or 0
        running, (number, records) = self._memory.running(), self._memory.records()
        if not self.ready and not self._ending:
            self._refuse_if_hopeless(status)
        reports = []
        for sent in self.calls:
            if sent.number == number and sent.sent:
                reports.append(self._post_mortem(sent, running, records, status, now))
            else:
                reports.append(sent.returned(self._name))
        self._count_death(status, now, blameless=not any(report.failures for report in reports))
        self.calls.clear()
        link.sweep()
        self._drop_worker()
        return reports

    def _count_death(self, status: int, now: float, *, blameless: bool) -> None:
        """After some deaths the next start waits longer and longer; with nobody to blame for them there is none."""
        self._deaths += 1
        if blameless and self.calls and not self._ending:
            self._idle_deaths += 1
        else:
            self._idle_deaths = 0
        if not self._ending and self._deaths > 3:
            self._start_at = now + min(1.0, 0.05 * 2.0 ** (self._deaths - 4))
        if self._idle_deaths >= IDLE_DEATHS and self.trouble is None:
            why = f"a Python worker ended {IDLE_DEATHS} times with no item running: {how_it_ended(status)}"
            self.trouble = WorkerError(why)

    def _post_mortem(
        self, sent: Sent, running: Running | None, records: list[Record], status: int, now: float
    ) -> Report:
        offset, us, log = None, 0, ""
        if running is not None and running.call == sent.number:
            offset, us = running.offset, max(0, int((now - running.began) * 1e6))
            log = self._log.text(running.output)
        blame: Failure | None = Failure("worker died", how_it_ended(status), exit_code=status if status >= 0 else None)
        if self._ending == "timeout":
            us = self._late_us or us
            blame = Failure("timeout", f"took longer than {self._staffing.timeout_s:g} s; it was killed")
        elif self._ending == "nonsense":
            blame = Failure("worker died", "it wrote into batchwork's own pipe and was killed")
        elif self._ending:
            blame = None
        logs = {each.offset: self._log.text(each.log[0], each.log[1]) for each in records if each.log}
        return report_of_death(sent, Death(records, offset, blame, us, log), logs, self._name)

    def _refuse_if_hopeless(self, status: int) -> None:
        """A worker that ends before it is ready will do so again, unless others of its kind were ready before."""
        self._idle_deaths += 1
        if self.trouble is not None or (self._was_ready and self._idle_deaths < IDLE_DEATHS):
            return
        said = self._log.text(0).strip().splitlines()[-8:]
        self.trouble = WorkerError(
            f"the Python worker `{self._prepare['interpreter']}` ended before it was ready: {how_it_ended(status)}",
            "\n".join(said),
        )

    def _drop_worker(self) -> None:
        if self._link is not None:
            self._links.remove(self._link)
            self._link.close()
            self._link = None
            self._memory.close()
            self._log.close()
        self.ready = False

    # ------------------------------------------------------------ time

    def next_look(self, now: float, lost_since: Callable[[float], float]) -> float | None:
        """Seconds until this lane has to be looked at, whatever comes."""
        if self._link is None:
            return max(0.0, self._start_at - now) if self.wants_start() else None
        if self._kill_at is not None:
            return max(0.0, self._kill_at - now)
        timeout = self._staffing.timeout_s
        if timeout is None or not self.calls or not self.ready:
            return None
        running = self._memory.running()
        if running is None:
            return min(timeout, _LOOK_S)
        return max(0.0, min(running.began + timeout + lost_since(running.began) - now, _LOOK_S))

    def enforce(self, now: float, lost_since: Callable[[float], float]) -> None:
        """Kill what is over its time. `lost_since`: seconds that this process stood still, which count for no one."""
        if self._link is None:
            return
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._link.kill_tree()
        timeout = self._staffing.timeout_s
        if timeout is None or self._ending or not self.ready:
            return
        if self._late(now, timeout, lost_since) is None:
            return
        self._link.signal(signal.SIGSTOP)
        running = self._late(now, timeout, lost_since)  # it holds still now: is it the same unit?
        if running is None:
            self._link.signal(signal.SIGCONT)
            return
        self._ending, self._late_us = "timeout", int((now - running.began) * 1e6)
        self._link.kill_tree()

    def _late(self, now: float, timeout: float, lost_since: Callable[[float], float]) -> Running | None:
        running = self._memory.running()
        late = running is not None and now >= running.began + timeout + lost_since(running.began)
        return running if late else None

    # ------------------------------------------------------------ stopping

    def recall(self) -> list[Report]:
        """What the worker has not got comes back at once, what it has not started comes over the pipe."""
        self.warm = False
        if self._link is not None:
            self._memory.recall(self._numbers)
        waiting = [sent for sent in self.calls if not sent.sent]
        self.calls = deque(sent for sent in self.calls if sent.sent)
        return [sent.returned() for sent in waiting]

    def cancel(self, now: float, grace_s: float) -> list[Report]:
        """End what runs: SIGTERM to all of it, SIGKILL after the grace (0: at once)."""
        reports = self.recall()
        if self._link is None or not (self.calls or not self.ready):
            return reports
        self._ending = self._ending or "cancel"
        if grace_s <= 0 or not self.ready:
            self._kill_at = None
            self._link.kill_tree()
        else:
            self._kill_at = now + grace_s
            for pid in (*self._link.descendants(), self._link.pid):
                _signal(pid, signal.SIGTERM)
        return reports

    def finish(self) -> Link | None:
        """Ask the worker to end, if it is idle; kill it with all below it, if it is not. The link, to be waited for."""
        link = self._link
        if link is not None:
            if self.calls or not self.ready:
                link.kill_tree()
            link.finish()
        return link

    def close(self) -> None:
        self._drop_worker()


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
