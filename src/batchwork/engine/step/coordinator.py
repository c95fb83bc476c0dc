"""One step, from its first unit to its last, as five verbs: refill, wait, settle, commit, emit. It alone decides what is written.

Steps that run at the same time have a coordinator each, in a thread of its own; the store's writer executes their
checkpoints. Nothing starts before its claim is on disk, nothing is shown before it is on disk.
"""

from __future__ import annotations

from collections import deque

from batchwork.clock import Clock
from batchwork.engine.feed.feed import Feed, open_feed
from batchwork.engine.step.checkpoint_draft import Draft
from batchwork.engine.step.dispatch import Dispatch
from batchwork.engine.step.gates.rate import exceeded
from batchwork.engine.step.on_item_error import Hook
from batchwork.engine.step.settle import Settler
from batchwork.engine.step.step_failure import in_doubt, unrecorded, with_hint
from batchwork.engine.step.throughput import Speed
from batchwork.engine.step.window import Window
from batchwork.engine.stopping.stop_level import Control
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.binding import Binding
from batchwork.engine.unit.brief import StepBrief, StepEnd
from batchwork.errors import SourceError, WorkerError
from batchwork.events import Progressed, Said, StepStarted, Warned
from batchwork.model import Counts, Failure, Report, StepStatus, UnitRecord
from batchwork.ports import EventSink, Executor, ExecutorFactory, Staffing, Store
from batchwork.text.jsontext import decode

COMMIT_AFTER_S = 0.05
COMMIT_ROWS = 4_000
CHECKPOINTS_MOST = 4
"""Checkpoints under way at once: the disk is waited for in the background, but not without end."""
PROGRESS_EVERY_S = 0.1


class Coordinator:
    """Runs one step; see the module. `run` is called once, by the thread that is the step's own."""

    def __init__(
        self,
        order: StepBrief,
        store: Store,
        executors: ExecutorFactory,
        sink: EventSink,
        clock: Clock,
        control: Control,
    ) -> None:
        self._order, self._store, self._executors = order, store, executors
        self._sink, self._clock, self._control = sink, clock, control
        self._batch = order.plan.batch
        self._slots = self._batch.slots if self._batch is not None else 1
        self._in_order = self._batch is None or not self._batch.parallel
        self._window = Window(strict=self._in_order)
        self._speed = Speed()
        self._draft = Draft(order.number)
        self._committed: deque[tuple[Draft, Counts, Exception | None]] = deque()  # filled by the writer's thread
        self._under_way = 0
        self._failure: Failure | None = None
        self._failed: deque[UnitRecord] = deque()  # recorded, and waiting for a slot for `on_item_error`
        self._unhandled = 0  # failed units for which `on_item_error` has not run to its end
        self._warned = False
        self._stop_level = 0
        self._shown: Counts | None = None
        self._shown_at = -1.0

    # ------------------------------------------------------------ the step as a whole

    def run(self) -> StepEnd:
        """The step, until it has ended or was stopped. Raises StoreError, SourceError, RenderError, WorkerError."""
        order = self._order
        program = order.plan.task.compiled.program(order.setting)
        binding = Binding(order, program)
        self._says = program.says
        self._executor: Executor = self._executors(program, self._staffing())
        self._hook = Hook(order, self._executors, self._clock, self._executor.wake)
        self._feed: Feed | None = None
        unregister = self._control.register(self._executor.wake)
        try:
            self._feed = open_feed(order, self._store, binding.uses_batch, self._executor.wake, self._hook.exists)
            self._dispatch = Dispatch(order, self._window, self._executor, binding, self._clock)
            self._open(self._feed)
            self._loop(self._feed)
        finally:
            unregister()
            self._hook.close()
            self._executor.close()
            if self._feed is not None:
                self._feed.close()
        return self._end(self._feed)

    def speed(self) -> tuple[float, int, int, int]:
        """Units a second and the 50th, 95th, 99th percentile of their durations (µs) since the last call; for sampling."""
        return self._speed.since_last(self._clock.now())

    def _staffing(self) -> Staffing:
        order, batch = self._order, self._batch
        return Staffing(
            slots=self._slots,
            timeout_s=order.plan.timeout_s,
            strict=batch is None or not batch.parallel or not batch.continue_on_error,
            cookie=order.cookie,
            environ=order.setting.environ,
            cwd=order.setting.cwd,
        )

    def _open(self, feed: Feed) -> None:
        opening = feed.opening
        self._counts = feed.with_length(opening.counts)
        self._settler = Settler(
            self._order,
            self._window,
            self._clock,
            self._hook.exists,
            doubts=opening.doubts,
            started_ms=self._dispatch.started_ms,
        )
        if opening.refused:
            self._fail(in_doubt(opening.refused))
            return
        self._unhandled = len(opening.unhandled)
        self._failed.extend(opening.unhandled)
        self._sink.emit(StepStarted(self._order.plan.name, self._counts, self._batch is not None))
        for record in opening.failed:
            self._settler.given_up.append(record)
        if opening.failed:
            self._decided(0)

    def _loop(self, feed: Feed) -> None:
        while True:
            self._obey()
            self._react()
            self._refill(feed)
            if self._in_order and (self._unhandled or self._dispatch.overtaken()):
                self._dispatch.withdraw(self._draft, self._clock.now())
            if not self._window.stopped:
                self._dispatch.hand_out()
            self._commit()
            if not self._has_work(feed):
                return
            for report in self._reports():
                self._settle(report)
            self._take_commits(feed)

    def _has_work(self, feed: Feed) -> bool:
        if not self._draft.empty or self._under_way or self._committed:
            return True
        if self._hook.ending or (self._stop_level < 2 and (self._hook.active or self._failed)):
            return True
        return self._window.has_work(feed.exhausted)

    def _end(self, feed: Feed) -> StepEnd:
        self._counts = feed.final(self._counts)
        failure = self._failure
        if failure is None and self._window.stopped:
            return StepEnd(StepStatus.RUNNING, self._counts, None, None)
        if failure is None and self._batch is None and self._settler.given_up:
            failure = self._settler.first_failure()
        if failure is not None:
            return StepEnd(StepStatus.FAILED, self._counts, failure, None)
        result = self._settler.last_result if self._batch is None else None
        return StepEnd(StepStatus.SUCCEEDED, self._counts, None, result)

    # ------------------------------------------------------------ stopping

    def _obey(self) -> None:
        """What was asked for with Ctrl-C and the like since the last look."""
        while self._stop_level < self._control.level:
            self._stop_level += 1
            self._stop()
            if self._stop_level == 2:
                self._executor.cancel()
                self._hook.stop()
            elif self._stop_level == 3:
                self._executor.kill()
                self._hook.kill()

    def _stop(self) -> None:
        """Nothing starts any more; what runs finishes."""
        if not self._window.stopped:
            self._window.stopped = True
            self._dispatch.withdraw(self._draft, self._clock.now())
            self._executor.recall()

    def _fail(self, failure: Failure) -> None:
        if self._failure is None:
            self._failure = failure
        self._stop()

    # ------------------------------------------------------------ refill

    def _refill(self, feed: Feed) -> None:
        """Make calls while slots are free and the rate allows; their claims go into the draft."""
        now = self._clock.now()
        self._window.wake(now)
        if self._under_way >= CHECKPOINTS_MOST or (self._in_order and self._unhandled):
            return
        if not self._window.has_work(feed.ended()):
            return
        left = feed.left()
        self._dispatch.warm(left)
        sizes = self._dispatch.sizes(0 if self._in_order else self._unhandled)
        if not sizes and left == 0:
            sizes = [1]  # no worker is needed, nor may be there, to find that the source has ended
        for size in sizes:
            if not self._window.may_start():
                return
            piece = self._window.next_piece(size) or self._fresh(feed, size)
            if piece is None:
                return
            for offset, failure in self._dispatch.make(self._draft, piece, now):
                self._decided(self._settler.refuse(self._draft, piece, offset, failure, now))

    def _fresh(self, feed: Feed, most: int) -> Piece | None:
        if not self._window.may_take_fresh() or feed.ended():
            return None
        try:
            piece = feed.take(most)
        except SourceError as error:
            feed.exhausted = True
            self._fail(with_hint("source", error))
            return None
        self._counts, skipped = feed.deliver(self._counts)
        if skipped:
            self._draft.records.extend(skipped)
            self._draft.touch(self._clock.now(), len(skipped))
        if feed.ended():
            self._counts = feed.with_total(self._counts)
            self._draft.touch(self._clock.now(), 0)
        return piece

    # ------------------------------------------------------------ wait

    def _reports(self) -> list[Report]:
        try:
            return list(map(self._order.censor.report, self._executor.poll(self._wait_s())))
        except WorkerError as error:  # what runs in other workers is recorded like after any failure
            self._fail(with_hint("worker", error))
            return []

    def _wait_s(self) -> float | None:
        """How long nothing needs to be done: until the next retry, the next permitted start, the next commit."""
        if self._committed:
            return 0.0
        now = self._clock.now()
        times: list[float] = []
        if not self._window.stopped:
            if (due := self._window.next_due()) is not None:
                times.append(due - now)
            if (held := self._dispatch.held_s()) is not None:
                times.append(held)
        if self._draft.since is not None and self._under_way < CHECKPOINTS_MOST:
            times.append(self._draft.since + COMMIT_AFTER_S - now)
        return max(0.0, min(times)) if times else None

    # ------------------------------------------------------------ settle

    def _settle(self, report: Report) -> None:
        out = self._window.out.get(report.call)
        if out is None:
            return
        now = self._clock.now()
        failed = self._settler.settle(self._draft, out, report, now)
        if report.done:
            self._counts = self._counts.add(succeeded=len(report.done))
            self._dispatch.pace.saw(len(report.done), sum(report.durations_us))
            self._speed.saw(report.durations_us)
            if self._says:
                self._draft.said.extend(report.results)
        if report.failures:
            self._dispatch.pace.saw(len(report.failures), sum(failure[2] for failure in report.failures))
        settled = len(report.done) + len(report.failures) + len(report.cancelled)
        if self._window.reported(report.call, settled + len(report.returned) + len(report.lost)):
            self._draft.ended.append(report.call)
            self._draft.touch(now, 1)
            self._dispatch.over(out)
        self._decided(failed)

    def _decided(self, failed: int) -> None:
        """`failed` more units have used up their attempts: does that end the step?"""
        self._counts = self._counts.add(failed=failed)
        if self._hook.exists:
            self._unhandled += failed
        if self._batch is None or not self._settler.given_up:
            return
        if not self._batch.continue_on_error:
            self._fail(self._settler.first_failure())
        elif exceeded(self._batch.max_failures, self._counts):
            self._fail(self._settler.too_many(self._counts))

    # ------------------------------------------------------------ commit and emit

    def _commit(self) -> None:
        """Hand the draft to the writer, if it is time: claims wait for it, or rows have waited long enough."""
        draft = self._draft
        if draft.since is None or self._under_way >= CHECKPOINTS_MOST:
            return
        due = self._clock.now() - draft.since >= COMMIT_AFTER_S
        if not (draft.claims or due or draft.urgent or draft.rows >= COMMIT_ROWS or not self._window.busy):
            return
        self._draft = Draft(self._order.number)
        self._under_way += 1
        counts = self._counts

        def committed(error: Exception | None) -> None:
            self._committed.append((draft, counts, error))
            self._executor.wake()

        self._store.submit(draft.checkpoint(counts), committed)

    def _take_commits(self, feed: Feed) -> None:
        while self._committed:
            draft, counts, error = self._committed.popleft()
            self._under_way -= 1
            if error is not None:
                raise unrecorded([draft, self._draft, *(waiting for waiting, _, _ in self._committed)], error)
            for call in draft.calls:
                if self._window.stopped:
                    self._dispatch.give_back(call, self._draft, self._clock.now())
                else:
                    self._dispatch.clear(call)
            for keys in draft.settled_keys():
                feed.recorded(keys)
            self._failed.extend(draft.failed)
            for text in draft.said:
                self._sink.emit(Said(self._order.plan.name, str(decode(text))))
            self._show(counts, feed)

    def _react(self) -> None:
        """Have `on_item_error` run where a slot is free, and take what came of it."""
        while self._failed and self._dispatch.occupied() + self._hook.active < self._slots:
            self._hook.add(self._failed.popleft())
        for reaction in self._hook.taken():
            self._unhandled -= 1
            if reaction.handled.failure is not None and not self._warned:
                self._warned = True  # once: each failure is recorded beside its unit
                self._sink.emit(
                    Warned(f"`on_item_error` failed: {reaction.handled.failure.message}", self._order.plan.name)
                )
            self._draft.handled.append(reaction.handled)
            self._draft.said.extend(reaction.said)
            self._draft.touch(self._clock.now(), 1)

    def _show(self, counts: Counts, feed: Feed) -> None:
        now = self._clock.now()
        last = feed.exhausted and not self._window.busy
        if counts != self._shown and (last or now - self._shown_at >= PROGRESS_EVERY_S):
            self._shown, self._shown_at = counts, now
            running = min(self._slots, self._window.units_out)
            self._sink.emit(Progressed(self._order.plan.name, counts, running, len(self._window.waiting)))
