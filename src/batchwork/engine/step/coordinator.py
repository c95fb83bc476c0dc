"""One step, from its first unit to its last, as five verbs: refill, wait, settle, commit, emit. It alone decides what is written.

Steps that run at the same time have a coordinator each, in a thread of its own; the store's writer executes their
checkpoints. Nothing starts before its claim is on disk, nothing is shown before it is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from msgspec.structs import replace

from batchwork.engine.feed.feed import Feed, open_feed
from batchwork.engine.step.committer import Committer
from batchwork.engine.step.desk import Desk
from batchwork.engine.step.dispatch import Dispatch
from batchwork.engine.step.fate import Fate, StepDone, StepFailed, StepStopped
from batchwork.engine.step.gates.entrance import Entrance
from batchwork.engine.step.gates.gate import Settled
from batchwork.engine.step.on_item_error import Hook, Reaction
from batchwork.engine.step.settle import Settler
from batchwork.engine.step.settled_before import failed_before, result_before, with_all_in_doubt
from batchwork.engine.step.step_failure import lost_with_worker, refused_in_doubt, with_hint
from batchwork.engine.step.throughput import Progress, Speed
from batchwork.engine.step.window import Window
from batchwork.engine.stopping.stop_level import GO, Control
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.binding import Binding
from batchwork.engine.unit.brief import Equipment, StepBrief
from batchwork.errors import SourceError, WorkerError
from batchwork.events import Said, StepStarted, Warned
from batchwork.model import Counts, Failure, Report, UnitRecord, UnitStatus
from batchwork.retry import ASKED_MAX_S
from batchwork.text.jsontext import decode


class Coordinator:
    """Runs one step; see the module. `run` is called once, by the thread that is the step's own."""

    _binding: Binding
    _hook: Hook
    _desk: Desk
    _feed: Feed
    _dispatch: Dispatch
    _settler: Settler
    _committer: Committer

    def __init__(self, brief: StepBrief, equipment: Equipment, control: Control) -> None:
        self._brief, self._equipment, self._control = brief, equipment, control
        self._window = Window(strict=brief.in_order)
        self._entrance = Entrance(brief.plan.batch)
        self._speed = Speed()
        self._progress = Progress(brief.plan.name, equipment.sink, equipment.clock.now())
        self._failure: Failure | None = None

    # ------------------------------------------------------------ the step as a whole

    def run(self) -> Fate:
        """The step, until it has ended or was stopped. Raises StoreError, SourceError, RenderError, WorkerError."""
        with ExitStack() as closing:
            self._open(closing)
            self._obey()
            while True:
                self._refill()
                self._commit()
                if not self._has_work():
                    break
                reports = self._wait()
                self._obey()
                self._settle(reports)
                self._look()
                self._emit()
        return self._fate()

    def speed(self) -> tuple[float, int, int, int]:
        """Units a second and the 50th, 95th, 99th percentile of their durations (µs) since the last call; for sampling."""
        return self._speed.since_last(self._equipment.clock.now())

    def _open(self, closing: ExitStack) -> None:
        brief, equipment, clock = self._brief, self._equipment, self._equipment.clock
        program = brief.plan.task.compiled.program(brief.setting)
        self._binding = binding = Binding(brief, program)
        staffing = replace(
            brief.staffing(brief.slots, brief.plan.timeout_s),
            journals=equipment.journals.place(brief.number),
        )
        self._desk = desk = Desk(equipment.executors(program, staffing), brief.censor)
        closing.callback(desk.close)
        self._hook = Hook(brief, equipment.executors, desk.wake)
        closing.callback(self._hook.close)
        closing.callback(self._control.register(desk.wake))
        self._feed = feed = open_feed(brief, equipment, binding.uses_batch, desk.wake, self._hook.exists)
        closing.callback(feed.close)
        self._dispatch = Dispatch(self._window, desk, self._entrance, clock, brief)
        self._settler = Settler(brief, self._window, clock, self._hook.exists, program.says, feed.opening.doubts)
        self._committer = Committer(brief.number, equipment.store, clock, desk.wake)
        self._begin()

    def _begin(self) -> None:
        opening = self._feed.opening
        self._committer.counts = self._feed.with_length(replace(opening.counts, running=0))
        if opening.refused:
            self._fail(refused_in_doubt(opening.refused))
            return
        if self._brief.resumed:
            self._committer.draft.rows.running = []  # what ran when the step was left does not
        self._hook.failed(len(opening.unhandled))
        self._hook.add(opening.unhandled)
        batch = self._brief.plan.batch is not None
        self._equipment.sink.emit(
            StepStarted(self._brief.plan.name, self._committer.counts, batch, self._brief.stays_here)
        )
        if opening.failed:
            self._judge(Settled(self._committer.counts, opening.failed))

    def _has_work(self) -> bool:
        return not self._committer.idle or self._hook.has_work or self._window.has_work(self._feed.exhausted)

    def _fate(self) -> Fate:
        counts = self._feed.final(self._committer.counts)
        for remark in self._feed.remarks():
            self._equipment.sink.emit(Warned(remark, self._brief.plan.name))
        if self._failure is not None:
            return StepFailed(counts, with_all_in_doubt(self._failure, self._brief, self._equipment.store))
        if self._window.stopped:
            return StepStopped(counts)
        return self._settled(counts)

    def _settled(self, counts: Counts) -> Fate:
        """All units are settled, some of them perhaps by an earlier process."""
        brief, store = self._brief, self._equipment.store
        failure = failed_before(brief, store, counts) or self._entrance.at_end(counts)
        if failure is not None:
            return StepFailed(counts, failure)
        if brief.plan.batch is not None:
            return StepDone(counts)
        return StepDone(counts, self._settler.last_result or result_before(brief, store))

    # ------------------------------------------------------------ stopping

    def _obey(self) -> None:
        """What was asked for with Ctrl-C and the like since the last look."""
        level = self._control.level
        if level > GO:
            self._stop()
            self._desk.obey(level)
            self._hook.obey(level)

    def _stop(self) -> None:
        """Nothing starts any more; what runs finishes."""
        if not self._window.stopped:
            self._window.stopped = True
            self._dispatch.withdraw(self._committer.draft)
            self._desk.recall()

    def _fail(self, failure: Failure) -> None:
        if self._failure is None:
            self._failure = failure
        self._stop()

    # ------------------------------------------------------------ refill

    def _refill(self) -> None:
        """Make calls while slots are free and the gates allow; their claims go into the draft. StepFailed units come first."""
        self._hook.start(self._desk.slots - self._dispatch.occupied())
        self._window.wake(self._equipment.clock.now())
        if self._committer.full or self._held_back() or not self._window.has_work(self._feed.ended()):
            return
        left = self._feed.left()
        self._dispatch.warm(left)
        sizes = self._dispatch.sizes(self._hook.unhandled, left)
        if not sizes and left == 0 and self._window.may_take_fresh():
            sizes = [1]  # no worker is needed, nor may be there, to find that the source has ended
        for size in sizes:
            piece = self._next(size)
            if piece is None:
                return
            for offset, failure in self._dispatch.make(self._committer.draft, piece, self._binding.bind(piece)):
                self._gave_up(self._settler.refuse(self._committer.draft, piece, offset, failure))

    def _held_back(self) -> bool:
        """Whether order is strict and a failed unit has yet to be seen by `on_item_error`."""
        return self._brief.in_order and self._hook.unhandled > 0

    def _next(self, most: int) -> Piece | None:
        if not self._window.may_start():
            return None
        return self._window.next_piece(most) or self._fresh(most)

    def _fresh(self, most: int) -> Piece | None:
        """Units from the feed that may run now; those that wait for their next attempt go on waiting."""
        while self._window.may_take_fresh() and not self._feed.ended():
            piece = self._taken(most)
            if piece is None:
                return None
            now = self._window.set_aside(piece, self._still_waiting(piece))
            if now is not None:
                return now
        return None

    def _still_waiting(self, piece: Piece) -> dict[int, float]:
        """When units are due that waited for their next attempt when a process ended, by number."""
        due, clock = self._feed.opening.due, self._equipment.clock
        if not due:
            return {}
        wall_ms = clock.wall_ms()
        longest_s = max(self._brief.plan.retry.max_delay_s, ASKED_MAX_S)  # the clock may have been set back
        return {
            seq: clock.now() + min((due[seq] - wall_ms) / 1000, longest_s)
            for seq in piece.units.seqs
            if due.get(seq, 0) > wall_ms
        }

    def _taken(self, most: int) -> Piece | None:
        feed, committer = self._feed, self._committer
        try:
            piece = feed.take(most)
        except SourceError as error:
            feed.exhausted = True
            self._fail(with_hint("source", error))
            return None
        if filled := feed.filled():
            self._hook.failed(len(filled))
            self._hook.add(filled)
        committer.counts, skipped = feed.deliver(committer.counts)
        if feed.ended():
            committer.counts = feed.with_total(committer.counts)
        if feed.ended() or skipped:
            committer.draft.rows.records.extend(skipped)
            committer.draft.touch(self._equipment.clock.now(), len(skipped))
        return piece

    # ------------------------------------------------------------ wait

    def _wait(self) -> list[Report]:
        """Reports that come until something else is to be done: the next retry, the next permitted start, the next commit."""
        waits = [self._committer.due_s(), self._progress.running.due_s(self._equipment.clock.now(), self._window.busy)]
        if not self._window.stopped:
            due, held = self._window.next_due(), self._entrance.held_s()
            if due is not None:
                due -= self._equipment.clock.now()
            waits += [due, held]
        try:
            return self._desk.hear(min((max(0.0, wait) for wait in waits if wait is not None), default=None))
        except WorkerError as error:  # what runs in other workers is recorded like after any failure
            self._fail(with_hint("worker", error))
            return []

    # ------------------------------------------------------------ settle

    def _settle(self, reports: list[Report]) -> None:
        """What reports say goes into the draft, and what came of `on_item_error`. Lanes do not wait for it."""
        self._dispatch.hand_on(reports, self._committer.counts)
        for report in self._progress.with_setup(reports):
            self._settle_one(report)
        for reaction in self._hook.taken():
            self._take(reaction)

    def _settle_one(self, report: Report) -> None:
        out, draft = self._window.out.get(report.call), self._committer.draft
        if report.recorded is not None:
            self._committer.owe(report.recorded)
        if out is None:
            return
        doubted = out.call.units.pick(self._settler.doubted(report)).keys
        failed = self._settler.settle(draft, out, report)
        self._dispatch.saw(out, report)
        self._speed.saw(report.durations_us)
        self._speed.saw([duration_us for _, _, duration_us in report.failures])
        if self._window.reported(report.call, report.count):
            draft.end_claim(out.call, out.doubted)
            draft.touch(self._equipment.clock.now(), 1)
        if doubted:
            self._doubt(doubted)
        self._committer.counts = self._committer.counts.add(succeeded=len(report.done))
        self._gave_up(failed, report)

    def _doubt(self, keys: Sequence[str]) -> None:
        """The worker of these units is gone, which ran them."""
        policy = self._brief.on_in_doubt
        self._equipment.sink.emit(Warned(lost_with_worker(keys, policy), self._brief.plan.name))
        if policy == "stop":
            self._fail(refused_in_doubt(keys))

    def _gave_up(self, ended: list[UnitRecord], report: Report | None = None) -> None:
        """These units have used up their attempts, or are skipped: does that end the step?"""
        failed = [record for record in ended if record.status is UnitStatus.FAILED]
        self._committer.counts = self._committer.counts.add(failed=len(failed), skipped=len(ended) - len(failed))
        self._hook.failed(len(failed))
        self._judge(Settled(self._committer.counts, failed, report))

    def _judge(self, settled: Settled) -> None:
        failure = self._entrance.saw(settled)
        if failure is not None:
            self._fail(failure)

    def _take(self, reaction: Reaction) -> None:
        draft, failure = self._committer.draft, reaction.handled.failure
        if failure is not None and self._hook.warn_once():  # each failure is recorded beside its unit
            self._equipment.sink.emit(Warned(f"`on_item_error` failed: {failure.message}", self._brief.plan.name))
        draft.rows.handled.append(reaction.handled)
        draft.said.extend(reaction.said)
        draft.touch(self._equipment.clock.now(), 1)

    def _look(self) -> None:
        """What has been running for a while goes into the draft, where it is time and something has changed."""
        clock, running = self._equipment.clock, self._progress.running
        now = clock.now()
        if running.due_s(now, self._window.busy) != 0:
            return
        found = running.look(self._desk.running(), self._window.out, now, clock.wall_ms())
        if found is not None:
            self._committer.draft.rows.running = found
            self._committer.draft.touch(now, 1)

    # ------------------------------------------------------------ commit

    def _commit(self) -> None:
        """Hand the draft to the store, if it is time."""
        running = min(self._desk.slots, self._window.units_out)
        self._committer.commit(waiting=self._window.busy, running=running)

    # ------------------------------------------------------------ emit

    def _emit(self) -> None:
        """Tell what is on disk now, and hand out the calls whose claims are."""
        for draft, counts in self._committer.on_disk():
            for call in draft.calls:
                if self._window.stopped:
                    self._dispatch.give_back(call, self._committer.draft)
                else:
                    self._dispatch.clear(call)
            for keys in draft.settled_keys():
                self._feed.recorded(keys)
            self._hook.add(draft.failed)
            for text in draft.said:
                self._equipment.sink.emit(Said(self._brief.plan.name, str(decode(text))))
            self._show(counts)
        if self._held_back() or (self._brief.in_order and self._dispatch.overtaken()):
            self._dispatch.withdraw(self._committer.draft)
        if not self._window.stopped:
            self._dispatch.hand_out(self._committer.counts)

    def _show(self, counts: Counts) -> None:
        show = self._progress.show
        if self._feed.exhausted and not self._window.busy:
            show = self._progress.show_last
        running = min(self._desk.slots, self._window.units_out)
        show(counts, running, len(self._window.waiting), self._equipment.clock.now())
