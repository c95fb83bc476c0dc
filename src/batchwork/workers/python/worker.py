"""One Python worker: a process with the journal and the log that are shared with it, ended early where it must be."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import ExitStack, closing
from typing import NamedTuple

from msgspec.structs import replace

from batchwork.errors import WorkerError
from batchwork.model import Failure, Report
from batchwork.ports import Staffing
from batchwork.ports.journals import Noted
from batchwork.workers import frames
from batchwork.workers.journals.journal import Running
from batchwork.workers.journals.shelf import Shelf
from batchwork.workers.link import Arguments, Link
from batchwork.workers.python.log import WorkerLog
from batchwork.workers.python.orders import call_body
from batchwork.workers.python.preparation import LostSince, Preparation
from batchwork.workers.python.reports import Death, Sent, report_of_death, report_so_far
from batchwork.workers.python.starting import starting
from batchwork.workers.python.threads import with_thread_limits
from batchwork.workers.python.troubles import too_slow
from batchwork.workers.starts import how_it_ended

LEAVE_S = 5.0
"""How long a worker may take to end by itself (its exit functions run)."""
_LOOK_S = 1.0
"""Where there is a time limit, workers are looked at so often, and so is the clock: a gap in it was a pause."""


class Cause(NamedTuple):
    """Why a worker ended: what the unit gets that it ran (None: it was cancelled), and after how many microseconds (0: at its end)."""

    blame: Failure | None
    us: int = 0


class Worker:
    """A worker process from its start to its end. Raises OSError where it cannot be started.

    `name` is how reports call it, `seen` counts the failures that came from it, and `cause` is why it is being ended.
    """

    def __init__(self, interpreter: str, staffing: Staffing, shelf: Shelf) -> None:
        with ExitStack() as undo:
            self.journal = undo.enter_context(closing(shelf.new()))
            self.log = undo.enter_context(closing(WorkerLog()))
            shared = (self.journal.descriptor, self.log.descriptor)
            command = _command(interpreter, shared)
            environ = with_thread_limits(staffing.environ, staffing.slots, len(os.sched_getaffinity(0)))
            self.link = Link(command, staffing, environ, inherit=shared, output=self.log.descriptor)
            undo.pop_all()
        self.name = f"python/{self.link.pid}"
        self.preparation = Preparation()
        self.seen = 0
        self.cause: Cause | None = None
        self._kill_at: float | None = None

    @property
    def ready(self) -> bool:
        """Whether it can run calls."""
        return self.preparation.done

    def prepare(self, body: bytes, preparation: Preparation) -> None:
        """Send it its program."""
        self.preparation = preparation
        self.link.send(frames.PREPARE, body)

    def broken(self, why: WorkerError, *, again: bool) -> None:
        """It could not be prepared, and ends. `again`: another one may."""
        self.preparation.failed(why, again=again)
        self.cause = Cause(None)

    def leave(self, now: float) -> None:
        """Its service is over: it ends by itself, and is killed if that takes long."""
        self.cause, self._kill_at = self.cause or Cause(None), now + LEAVE_S

    def send(self, sent: Sent, batch_slot: int | None) -> None:
        sent.sent = True
        self.link.send(frames.CALL, call_body(sent, self.seen, batch_slot))

    def next_look(self, now: float, timeout_s: float | None, lost_since: LostSince) -> float | None:
        """Seconds until it has to be looked at, whatever comes."""
        if self._kill_at is not None:
            return max(0.0, self._kill_at - now)
        if not self.ready:
            return None if self.cause else max(0.0, min(self.preparation.left(now, lost_since), _LOOK_S))
        if timeout_s is None:
            return None
        return max(0.0, min(self._left(now, timeout_s, lost_since), _LOOK_S))

    def enforce(self, now: float, timeout_s: float | None, lost_since: LostSince) -> None:
        """Kill it where its grace is over, or what it runs has taken too long."""
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self.link.kill_tree()
        if not self.ready:
            if not self.cause and self.preparation.left(now, lost_since) <= 0:
                self.broken(too_slow(self.preparation.limit_s), again=True)
                self.link.kill_tree()
        elif timeout_s is not None and not self.cause and self._left(now, timeout_s, lost_since) <= 0:
            self._time_out(now, timeout_s, lost_since)

    def _time_out(self, now: float, timeout_s: float, lost_since: LostSince) -> None:
        """End it because of what it runs."""
        self.link.signal(signal.SIGSTOP)
        running = self.journal.running()  # it holds still now: is it the same unit?
        if running is None or self._left(now, timeout_s, lost_since) > 0:
            self.link.signal(signal.SIGCONT)
            return
        blame = Failure("timeout", f"took longer than {timeout_s:g} s; it was killed")
        self.cause = Cause(blame, int((now - running.began) * 1e6))
        self.link.kill_tree()

    def _left(self, now: float, timeout_s: float, lost_since: LostSince) -> float:
        """Seconds that the unit has which it runs, or would begin now."""
        running = self.journal.running()
        if running is None:
            return timeout_s
        return running.began + timeout_s + lost_since(running.began) - now

    def distrust(self) -> None:
        """A task wrote into our pipe, so nothing from it is trusted: it is killed."""
        self.cause = Cause(Failure("worker died", "it wrote into batchwork's own pipe and was killed"))
        self.link.kill_tree()

    def cancel(self, now: float, grace_s: float) -> None:
        """SIGTERM to all of it, SIGKILL after the grace (0, or not ready yet: at once)."""
        self.cause = self.cause or Cause(None)
        if grace_s <= 0 or not self.ready:
            self._kill_at = None
            self.link.kill_tree()
            return
        self._kill_at = now + grace_s
        self.journal.end()
        self.link.terminate()

    def so_far(self, calls: Iterable[Sent], running: Running, gives: bool) -> list[Report]:
        """What it has done of the call that it is at; with `gives` all that it has not started goes back."""
        reports = []
        for sent in calls:
            if sent.number == running.call:
                noted = self.journal.noted({sent.call.id}).get(sent.call.id, Noted())
                reports.append(report_so_far(sent, noted, running.offset, self.name, gives))
                self.seen += len(reports[-1].failures)
            elif gives:
                reports.append(sent.returned(self.name))
        return reports

    def post_mortem(self, calls: Iterable[Sent], now: float) -> list[Report]:
        """What becomes of the calls of a dead worker: what it noted is recovered, who ran is to blame, all else goes back."""
        reports = []
        for sent in calls:
            if sent.number == self.journal.call and sent.sent:
                noted = self.journal.noted({sent.call.id}).get(sent.call.id, Noted())
                report = report_of_death(sent, noted, self._death(sent, noted, now), self.name)
            else:
                report = sent.returned(self.name)
            reports.append(replace(report, recorded=self.journal.receipt()))
        return reports

    def _death(self, sent: Sent, noted: Noted, now: float) -> Death:
        running = self.journal.running()
        if running is None or running.call != sent.number or running.offset in (*noted.done, *noted.failed):
            return Death(None, None, 0, "")
        status = self.link.status or 0
        died = Failure("worker died", how_it_ended(status), exit_code=status if status >= 0 else None)
        cause = self.cause or Cause(died)
        us = cause.us or max(0, int((now - running.began) * 1e6))
        return Death(running.offset, cause.blame, us, self.log.text(running.output))

    def close(self) -> None:
        """Close what is shared with it. If it still lives, it is killed with all below it."""
        self.link.close()
        self.journal.close()
        self.log.close()


def _command(interpreter: str, shared: tuple[int, int]) -> Arguments:
    program = starting(interpreter, "main", "run_worker")
    return lambda read, write: [*program, *map(str, (read, write, *shared))]
