"""`notify:`: says to a command or a URL that something failed, stalls, or has finished. Each kind once; a warning if it fails."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final

from msgspec import Struct, field

from batchwork.clock import Clock
from batchwork.events import Event, Progressed, RunFinished, StepFinished, StepStarted
from batchwork.model import Counts, RunStatus, StepStatus
from batchwork.plan.model import NotifyPlan
from batchwork.report import Summary, summary_json
from batchwork.spec.fields.notify import NotifyOn
from batchwork.telling.deliver import Delivery, Message
from batchwork.text.wording import duration, number, share

SHARE_FROM: Final = 20
"""Finished units from which on a share of failures means something; at the end of a step it always does."""
CLOSE_S: Final = 15.0


class _Watch(Struct):
    """One entry of `notify:`, and what it has said already."""

    plan: NotifyPlan
    deliver: Delivery
    said: set[NotifyOn] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def may_say(self, kind: NotifyOn, holds: Callable[[NotifyPlan], bool]) -> bool:
        """Whether the entry is to say this now; it says it once."""
        with self.lock:
            if kind not in self.plan.on or kind in self.said or not holds(self.plan):
                return False
            self.said.add(kind)
            return True


class _Motion:
    """Which steps run, and since when nothing of them has finished."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._since = clock, clock.now()
        self.running: set[str] = set()
        self._finished: dict[str, int] = {}

    def started(self, step: str) -> None:
        self.running.add(step)
        self._since = self._clock.now()

    def ended(self, step: str) -> None:
        self.running.discard(step)
        self._since = self._clock.now()

    def went_on(self, step: str, finished: int) -> None:
        if self._finished.get(step) != finished:
            self._finished[step] = finished
            self._since = self._clock.now()

    def still_s(self) -> float:
        return self._clock.now() - self._since


class Notifier:
    """An EventSink. `summary` reads the run's figures at the time; `warn` takes what went wrong with a delivery."""

    def __init__(
        self,
        plans: list[tuple[NotifyPlan, Delivery]],
        summary: Callable[[], Summary],
        warn: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._watches = [_Watch(plan, delivery) for plan, delivery in plans]
        self._summary, self._warn, self._clock = summary, warn, clock
        self._deliveries: list[Thread] = []
        self._motion = _Motion(clock)
        self._closed = Flag()
        self._watcher: Thread | None = None
        spans = [watch.plan.stalled_s for watch in self._watches if "stalled" in watch.plan.on]
        if spans:
            self._watcher = Thread(target=self._watch, args=(min(spans),), name="notify: stalled", daemon=True)
            self._watcher.start()

    def emit(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._motion.started(event.step)
            case Progressed():
                self._motion.went_on(event.step, event.counts.finished)
                self._rate(event.step, event.counts, SHARE_FROM)
            case StepFinished():
                self._motion.ended(event.step)
                if event.batch:
                    self._rate(event.step, event.counts, 1)
                if event.status is StepStatus.FAILED:
                    self._say("failed", event.step, f"step {event.step} failed: {event.error}")
            case RunFinished():
                self._ended(event)
            case _:
                pass

    def close(self) -> None:
        """Wait for what is being delivered, but not for long."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join()
        until = self._clock.now() + CLOSE_S
        for thread in self._deliveries:
            thread.join(max(0.0, until - self._clock.now()))

    def _rate(self, step: str, counts: Counts, least: int) -> None:
        done = counts.succeeded + counts.failed
        if not counts.failed or done < least:
            return
        text = f"step {step}: {number(counts.failed)} of {number(done)} failed ({share(counts.failed, done)})"
        self._say("threshold", step, text, lambda plan: counts.failed > plan.threshold * done)

    def _ended(self, event: RunFinished) -> None:
        if event.status is RunStatus.FAILED:
            self._say("failed", "", f"run {event.run} failed")
        took = duration(event.duration_s)
        self._say("finished", "", f"run {event.run}: {event.status} after {took}. {event.message}".rstrip(". ") + ".")

    def _watch(self, wait_s: float) -> None:
        while not self._closed.wait(max(0.05, min(wait_s / 4, 10.0))):
            still = self._motion.still_s()
            if self._motion.running:
                steps = ", ".join(sorted(self._motion.running))
                text = f"step {steps}: nothing has finished for {duration(still)}"
                self._say("stalled", steps, text, lambda plan, still=still: still >= plan.stalled_s)  # type: ignore[misc]

    def _say(
        self, kind: NotifyOn, step: str, text: str, holds: Callable[[NotifyPlan], bool] = lambda _plan: True
    ) -> None:
        for watch in self._watches:
            if not watch.may_say(kind, holds):
                continue
            thread = Thread(target=self._deliver, args=(watch, kind, step, text), name=f"notify: {kind}", daemon=True)
            self._deliveries.append(thread)
            thread.start()

    def _deliver(self, watch: _Watch, kind: NotifyOn, step: str, text: str) -> None:
        try:
            watch.deliver(Message(kind, step, text, summary_json(self._summary())))
        except Exception as error:  # noqa: BLE001  # a notification that fails, however, must not touch the run
            self._warn(f"`notify` ({kind}) was not delivered: {error}")
