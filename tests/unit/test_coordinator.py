"""One step from its first unit to its last, with a store in memory and workers that are functions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import pytest
from msgspec.structs import replace
from step_plans import batch_plan, step_plan, task_plan

from batchwork.censor import NoCensor
from batchwork.clock import SystemClock
from batchwork.engine.feed.in_doubt import commit_and_wait
from batchwork.engine.step.checkpoint_draft import Draft
from batchwork.engine.step.coordinator import Coordinator
from batchwork.engine.step.desk import Desk
from batchwork.engine.step.fate import Fate, StepDone, StepFailed, StepStopped
from batchwork.engine.step.on_item_error import _Handling
from batchwork.engine.step.settle import Settler
from batchwork.engine.step.window import Out
from batchwork.engine.stopping.stop_level import Control
from batchwork.engine.unit.brief import Equipment, Start, StepBrief
from batchwork.model import (
    Call,
    Checkpoint,
    Claim,
    Counts,
    Failure,
    Report,
    RunRecord,
    RunStatus,
    UnitRecord,
    UnitStatus,
)
from batchwork.ports import Pager, Program, Setting, Staffing
from batchwork.ports.journals import NO_JOURNALS, StepJournals
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.spec.written import Rate, Threshold
from batchwork.store.memory import MemoryStore
from batchwork.template import Value
from batchwork.testing.fakes import (
    CallableExecutor,
    CallableProgram,
    CallableTask,
    Cancelled,
    Collected,
    StillClock,
    callable_executors,
)
from batchwork.text.jsontext import Json, decode, encode

Act = Callable[[Any], object]


def double(payload: dict[str, Any]) -> object:
    return payload["item"] * 2


class Bench:
    """A store with one step, and what it takes to run it."""

    def __init__(self) -> None:
        self.store = MemoryStore(SystemClock())
        self.store.create_run(RunRecord("r1", "flow", "flow.yaml", "", "{}", "{}", RunStatus.RUNNING, 0), [("s", True)])
        self.number = self.store.steps("r1")[0].number
        self.sink = Collected()
        self.control = Control(SystemClock())
        self.journals: StepJournals = NO_JOURNALS

    def use(self, store: MemoryStore) -> None:
        """Another store instead."""
        self.store = store
        self.store.create_run(RunRecord("r1", "flow", "flow.yaml", "", "{}", "{}", RunStatus.RUNNING, 0), [("s", True)])
        self.number = self.store.steps("r1")[0].number

    def order(self, act: Act, items: Json, resumed: bool = False, reopened: bool = False, **changes: Any) -> StepBrief:
        retry = changes.pop("retry", RetryPolicy())
        hook = changes.pop("on_item_error", None)
        if hook is not None:
            changes["on_item_error"] = task_plan(CallableTask(hook))
        batch = batch_plan(Value.constant(items), **changes)
        plan = step_plan("s", task=task_plan(CallableTask(act)), batch=batch, retry=retry)
        setting = Setting("s", {}, frozenset(), {}, "/", "/", None)
        return StepBrief(plan, self.number, "r1", Start.of(not resumed, reopened), {}, setting, "cookie", NoCensor())

    def run(self, act: Act, items: Json, **changes: Any) -> Fate:
        order = self.order(act, items, **changes)
        equipment = Equipment(self.store, callable_executors, self.sink, SystemClock(), self.journals)
        end = Coordinator(order, equipment, self.control).run()
        counted = self.store.count(self.number)
        assert (end.counts.succeeded, end.counts.failed, end.counts.skipped) == (
            counted.succeeded,
            counted.failed,
            counted.skipped,
        )
        return end

    def results(self) -> list[Json]:
        return [None if text is None else decode(text) for text in self.store.results(self.number, 0, 10_000)]

    def statuses(self) -> dict[str, str]:
        return {view.record.key: view.status for view in self.store.units(self.number, limit=10_000)}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def failing(*bad: object, kind: str = "ValueError") -> Act:
    def act(payload: dict[str, Any]) -> object:
        return Failure(kind, f"no {payload['item']}") if payload["item"] in bad else payload["item"]

    return act


@pytest.mark.parametrize("count", [0, 1, 2, 500])
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.promise("7.01")
def test_every_unit_is_run_and_recorded_in_input_order(bench: Bench, count: int, parallel: bool):
    end = bench.run(double, list(range(count)), parallel=parallel, slots=3 if parallel else 1)
    assert isinstance(end, StepDone)
    assert end.counts == Counts(total=count, succeeded=count)
    assert bench.results() == [2 * item for item in range(count)]
    assert bench.store.claims(bench.number) == []


def test_what_a_worker_ended_unasked_is_run_again_until_it_seems_to_be_the_cause(bench: Bench):
    tries: list[int] = []

    def act(payload: dict[str, Any]) -> object:
        tries.append(payload["item"])
        if payload["item"] == 1 or (payload["item"] == 2 and tries.count(2) == 1):
            raise Cancelled
        return payload["item"]

    end = bench.run(act, [0, 1, 2], continue_on_error=True)
    assert end.counts == Counts(total=3, succeeded=2, failed=1)
    assert (tries.count(1), tries.count(2)) == (3, 2)
    (failed,) = (view.record for view in bench.store.units(bench.number, limit=10) if view.status == "failed")
    assert failed.failure is not None
    assert failed.failure.type == "poison"


def test_in_order_units_run_one_after_another(bench: Bench):
    seen: list[int] = []
    bench.run(lambda payload: seen.append(payload["item"]), list(range(50)), parallel=False, slots=1)
    assert seen == list(range(50))


@pytest.mark.promise("6.23")
def test_the_first_failure_stops_a_step_that_does_not_go_on(bench: Bench):
    end = bench.run(failing(3), list(range(200)), parallel=False, slots=1)
    assert isinstance(end, StepFailed)
    assert "item 3 failed: no 3" in end.failure.message
    assert end.counts.succeeded == 3
    assert end.counts.failed == 1
    assert bench.store.claims(bench.number) == []


@pytest.mark.promise("6.24")
def test_with_continue_on_error_all_the_others_are_run(bench: Bench):
    end = bench.run(failing(1, 7), list(range(40)), continue_on_error=True)
    assert isinstance(end, StepDone)
    assert end.counts == Counts(total=40, succeeded=38, failed=2)
    assert bench.results()[7] is None


def test_too_many_failures_stop_the_step(bench: Bench):
    end = bench.run(
        failing(*range(100)), list(range(100)), continue_on_error=True, max_failures=Threshold(count=4), slots=1
    )
    assert isinstance(end, StepFailed)
    assert end.failure.type == "threshold"
    assert 5 <= end.counts.failed < 20


def test_a_unit_is_tried_again_until_it_succeeds(bench: Bench):
    tries: dict[int, int] = {}

    def act(payload: dict[str, Any]) -> object:
        item = payload["item"]
        tries[item] = tries.get(item, 0) + 1
        if item == 5 and tries[item] < 3:
            raise ValueError("not yet")
        return item

    end = bench.run(act, list(range(10)), retry=RetryPolicy(max_attempts=4, delay_s=0.01))
    assert isinstance(end, StepDone)
    assert tries == {item: 3 if item == 5 else 1 for item in range(10)}
    view = bench.store.units(bench.number, key="5")[0]
    assert view.record.attempts == 3
    assert [record.attempt for record in bench.store.attempts(bench.number, view.record.seq)] == [1, 2]


@pytest.mark.promise("6.15")
def test_in_strict_order_a_retry_comes_before_what_follows(bench: Bench):
    seen: list[int] = []

    def act(payload: dict[str, Any]) -> object:
        seen.append(payload["item"])
        if seen.count(2) < 3 and payload["item"] == 2:
            raise ValueError("not yet")
        return None

    bench.run(act, list(range(6)), parallel=False, slots=1, retry=RetryPolicy(max_attempts=3, delay_s=0.02))
    assert seen == [0, 1, 2, 2, 2, 3, 4, 5]


def test_attempts_are_used_up(bench: Bench):
    end = bench.run(failing(0), [0], retry=RetryPolicy(max_attempts=3, delay_s=0.001))
    assert isinstance(end, StepFailed)
    record = bench.store.units(bench.number)[0].record
    assert (record.status, record.attempts) == (UnitStatus.FAILED, 3)
    assert "after 3 attempts" in end.failure.message


@pytest.mark.promise("6.27")
def test_on_item_error_runs_once_for_each_failed_unit(bench: Bench):
    told: list[Any] = []
    end = bench.run(
        failing(1, 4),
        list(range(6)),
        continue_on_error=True,
        on_item_error=lambda payload: told.append(payload["item"]),
    )
    assert isinstance(end, StepDone)
    assert sorted(told) == [1, 4]
    assert all(view.record.handled for view in bench.store.units(bench.number))


@pytest.mark.promise("6.28")
def test_a_failure_of_on_item_error_changes_nothing_else(bench: Bench):
    end = bench.run(failing(1), [0, 1], continue_on_error=True, on_item_error=failing(1, kind="KeyError"))
    assert isinstance(end, StepDone)
    assert end.counts == Counts(total=2, succeeded=1, failed=1)
    view = bench.store.units(bench.number, key="1")[0]
    assert isinstance(view.handler_failure, Failure)
    assert view.handler_failure.type == "KeyError"


def test_a_stop_leaves_the_rest_pending_and_a_resume_runs_just_that(bench: Bench):
    seen: list[int] = []
    lock = threading.Lock()

    def act(payload: dict[str, Any]) -> object:
        with lock:
            seen.append(payload["item"])
            if len(seen) == 20:
                bench.control.raise_to(1, "test")
        return payload["item"]

    end = bench.run(act, list(range(300)))
    assert isinstance(end, StepStopped)
    assert 20 <= end.counts.succeeded < 300
    bench.control = Control(SystemClock())
    end = bench.run(act, list(range(300)), resumed=True)
    assert end.counts == Counts(total=300, succeeded=300)
    assert sorted(seen) == list(range(300))
    assert bench.results() == list(range(300))


def half_done(bench: Bench, items: list[int], stop_after: int = 20) -> set[int]:
    """Run until some are done; which."""
    done: list[int] = []

    def act(payload: dict[str, Any]) -> object:
        done.append(payload["item"])
        if len(done) == stop_after:
            bench.control.raise_to(1, "test")
        return payload["item"]

    bench.run(act, items, slots=1)
    bench.control = Control(SystemClock())
    return set(done)


@pytest.mark.promise("9.37")
def test_a_changed_source_is_matched_by_key(bench: Bench):
    before = half_done(bench, list(range(100)))
    seen: list[int] = []
    items = [1000, *range(3), *range(4, 50), 2000, *range(50, 100)]  # one in front, 3 gone, one in the middle
    end = bench.run(lambda payload: seen.append(payload["item"]) or payload["item"], items, resumed=True)
    assert isinstance(end, StepDone)
    assert sorted(seen) == sorted(set(items) - before)
    assert bench.results() == items
    assert end.counts == Counts(total=102, succeeded=101, skipped=1)
    assert bench.statuses()["3"] == "skipped"


def test_what_was_gone_and_comes_back_keeps_its_outcome(bench: Bench):
    before = half_done(bench, list(range(60)))
    bench.control.raise_to(1, "at once")
    bench.run(double, list(range(5, 60)), resumed=True)
    bench.control = Control(SystemClock())
    seen: list[int] = []
    end = bench.run(lambda payload: seen.append(payload["item"]) or payload["item"], list(range(60)), resumed=True)
    assert sorted(seen) == sorted(set(range(60)) - before)
    assert end.counts == Counts(total=60, succeeded=60)
    assert bench.results() == list(range(60))


def test_claims_of_a_dead_process_are_in_doubt_once_more(bench: Bench):
    half_done(bench, list(range(30)), stop_after=5)
    next_seq = bench.store.next_seq(bench.number)
    commit_and_wait(bench.store, Checkpoint(bench.number, claims=[Claim(99, 1, [next_seq], [str(next_seq)])]))
    end = bench.run(double, list(range(30)), resumed=True)
    assert end.counts == Counts(total=30, succeeded=30)
    assert bench.store.claims(bench.number) == []


def test_what_was_in_doubt_is_recorded_at_once(bench: Bench, wait_for: Callable[..., None]):
    commit_and_wait(bench.store, Checkpoint(bench.number, claims=[Claim(99, 1, [0], ["0"])]))

    def act(payload: dict[str, Any]) -> object:
        if payload["item"] == 1:  # time stands still, and this one runs until the other is on disk
            wait_for(lambda: bench.statuses().get("0") == "succeeded", "the outcome of what was in doubt")
        return payload["item"]

    order = bench.order(act, [0, 1], resumed=True)
    end = Coordinator(order, Equipment(bench.store, callable_executors, bench.sink, StillClock()), bench.control).run()
    assert end.counts == Counts(total=2, succeeded=2)


@pytest.mark.promise("6.30")
def test_in_doubt_can_be_a_failure_or_a_stop(bench: Bench):
    half_done(bench, list(range(30)), stop_after=5)
    seq = bench.store.next_seq(bench.number)
    commit_and_wait(bench.store, Checkpoint(bench.number, claims=[Claim(99, 1, [seq], [str(seq)])]))
    end = bench.run(double, list(range(30)), resumed=True, on_in_doubt="stop")
    assert isinstance(end, StepFailed)
    assert str(seq) in end.failure.message
    end = bench.run(double, list(range(30)), resumed=True, on_in_doubt="fail", continue_on_error=True)
    assert end.counts == Counts(total=30, succeeded=29, failed=1)


def test_with_stop_a_step_names_all_that_are_in_doubt_though_they_end_one_after_another(bench: Bench):
    all_run = threading.Barrier(3)

    class Dying(CallableExecutor):
        def _report(self, call: int, offset: int, payload: Json) -> Report:
            all_run.wait(30)
            return Report(call, lost=[offset], worker="fake")

    def dying(program: Program, staffing: Staffing, pages: Pager | None = None) -> CallableExecutor:
        assert isinstance(program, CallableProgram)
        return Dying(program, staffing)

    order = bench.order(double, ["a", "b", "c"], slots=3, on_in_doubt="stop")
    end = Coordinator(order, Equipment(bench.store, dying, bench.sink, SystemClock()), bench.control).run()
    assert isinstance(end, StepFailed)
    said = end.failure.message.partition(" (")[0]
    assert said.startswith("3 in doubt") and sorted(said.rpartition(": ")[2].split(", ")) == ['"a"', '"b"', '"c"']


@pytest.mark.promise("9.40")
def test_a_reopened_step_runs_its_failed_units_from_the_store(bench: Bench):
    bench.run(failing(2, 5, "x" * 500), [*range(8), "x" * 500], continue_on_error=True)
    assert bench.store.reopen(bench.number, None) == 3
    seen: list[Any] = []
    end = bench.run(
        lambda payload: seen.append(payload["item"]) or payload["item"],
        ["nothing is read again"],
        resumed=True,
        reopened=True,
        continue_on_error=True,
    )
    assert sorted(map(str, seen)) == ["2", "5", "x" * 500]
    assert end.counts == Counts(total=9, succeeded=9)
    assert bench.store.units(bench.number, key="2")[0].record.attempts == 2


class Watched(MemoryStore):
    """Knows how many units each claim had."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.claimed: list[int] = []

    def submit(self, checkpoint: Checkpoint, committed: Any) -> None:
        self.claimed += [len(claim.seqs) for claim in checkpoint.claims]
        super().submit(checkpoint, committed)


@pytest.mark.parametrize("slots", [1, 2])
def test_units_that_are_retried_go_out_many_in_a_call(bench: Bench, slots: int):
    bench.use(store := Watched())
    bench.run(failing(*range(500)), [*range(500)], continue_on_error=True)
    assert store.reopen(bench.number, None) == 500
    store.claimed.clear()
    end = bench.run(failing(*range(500)), [], resumed=True, reopened=True, continue_on_error=True, slots=slots)
    assert end.counts == Counts(total=500, failed=500)
    assert sum(store.claimed) == 500 and max(store.claimed) > 1
    assert store.units(bench.number, key="499")[0].record.attempts == 2


@pytest.mark.parametrize(("attempts", "early"), [(1, True), (2, False)])
def test_the_next_call_starts_before_failures_are_settled_unless_they_come_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, attempts: int, early: bool
):
    done: list[tuple[str, int]] = []
    failed: set[int] = set()
    submit, settle = Desk.submit, Settler.settle

    def submitted(desk: Desk, call: Call) -> None:
        done.append(("start", call.id))
        submit(desk, call)

    def settled(settler: Settler, draft: Draft, out: Out, report: Report) -> list[UnitRecord]:
        done.append(("settle", report.call))
        failed.update([report.call] if report.failures else [])
        return settle(settler, draft, out, report)

    monkeypatch.setattr(Desk, "submit", submitted)
    monkeypatch.setattr(Settler, "settle", settled)
    retry = RetryPolicy(max_attempts=attempts)
    end = bench.run(
        failing(*range(0, 300, 7)), [*range(300)], parallel=False, slots=1, continue_on_error=True, retry=retry
    )
    assert end.counts.failed == 43
    starts = [call for kind, call in done if kind == "start"]
    overtaking = [
        call
        for call, following in pairwise(starts)
        if call in failed and ("settle", call) in done[done.index(("start", following)) :]
    ]
    assert bool(overtaking) is early


@pytest.mark.parametrize(
    ("on_duplicate", "results"), [("keep", ["a", "b", "a", "a"]), ("skip", ["a", "b", None, None])]
)
@pytest.mark.promise("6.05")
def test_duplicates_are_kept_or_skipped(bench: Bench, on_duplicate: str, results: list[Json]):
    end = bench.run(lambda payload: payload["item"], ["a", "b", "a", "a"], on_duplicate=on_duplicate)
    assert isinstance(end, StepDone)
    assert bench.results() == results
    assert set(bench.statuses()) == {'"a"', '"b"', '"a"#1', '"a"#2'}
    again = bench.run(double, ["a", "b", "a", "a"], on_duplicate=on_duplicate, resumed=True)
    assert again.counts == end.counts


@pytest.mark.promise("6.05")
def test_a_duplicate_can_be_an_error(bench: Bench):
    end = bench.run(double, [1, 2, 1], on_duplicate="error")
    assert isinstance(end, StepFailed)
    assert end.failure.type == "source"


@pytest.mark.promise("6.12", "7.07")
def test_batches_are_units(bench: Bench):
    end = bench.run(lambda payload: sum(payload["item"]), list(range(10)), each="batch", batch_size=4)
    assert end.counts == Counts(total=3, succeeded=3)
    assert bench.results() == [6, 22, 17]


def test_values_that_are_not_their_keys_are_stored(bench: Bench):
    long = "x" * 1000
    bench.run(lambda payload: 1, [long, 7])
    seqs = [view.record.seq for view in bench.store.units(bench.number)]
    assert bench.store.values(bench.number, seqs) == [encode(long), "7"]


class SlowStore(MemoryStore):
    """Takes its time for the `slow`-th checkpoint with claims (0: for each), as a disk does now and then."""

    def __init__(self, slow: int, seconds: float) -> None:
        super().__init__(SystemClock())
        self.slow, self.seconds, self.seen = slow, seconds, 0
        self.orders: SimpleQueue[tuple[Checkpoint, Any] | None] = SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    def submit(self, checkpoint: Checkpoint, committed: Any) -> None:
        self.orders.put((checkpoint, committed))

    def _write(self) -> None:
        while (order := self.orders.get()) is not None:
            checkpoint, committed = order
            self.seen += bool(checkpoint.claims)
            if checkpoint.claims and self.slow in (0, self.seen):
                threading.Event().wait(self.seconds)
            super().submit(checkpoint, committed)


def test_what_the_disk_held_up_does_not_start_faster_than_the_rate(bench: Bench):
    bench.use(SlowStore(5, 0.3))
    starts: list[float] = []
    bench.run(lambda _: starts.append(time.monotonic()), list(range(30)), slots=8, rate_limit=Rate(50, 1.0))
    assert len(starts) == 30
    # Five spans of the rate take 0.1 s; a thread that is kept waiting may shorten what is measured, but not by half.
    assert min(later - earlier for earlier, later in zip(starts[1:], starts[6:], strict=False)) > 0.05


def test_waiting_for_a_slow_unit_under_a_rate_takes_no_processor(bench: Bench):
    before: list[float] = []

    def act(_: object) -> None:
        before.append(time.process_time())
        threading.Event().wait(0.3)
        before.append(time.process_time())

    bench.run(act, [1, 2, 3], slots=1, rate_limit=Rate(1000, 1.0))
    assert before[-1] - before[0] < 0.3


def test_in_strict_order_a_retry_comes_before_what_is_being_claimed(bench: Bench):
    bench.use(SlowStore(0, 0.02))
    seen: list[int] = []

    def act(payload: dict[str, Any]) -> object:
        seen.append(payload["item"])
        again = payload["item"] % 7 == 6 and seen.count(payload["item"]) < 2
        return Failure("No", "not yet") if again else None

    items = list(range(60))
    bench.run(act, items, parallel=False, slots=1, retry=RetryPolicy(max_attempts=2, delay_s=0.01))
    assert seen == [number for item in items for number in [item] * (1 + (item % 7 == 6))]


@pytest.mark.promise("6.15")
def test_in_strict_order_on_item_error_comes_before_the_next_unit(bench: Bench):
    bench.use(SlowStore(0, 0.02))
    seen: list[Any] = []
    bench.run(
        lambda payload: seen.append(payload["item"]) or (Failure("No", "no") if payload["item"] % 3 == 2 else None),
        list(range(30)),
        parallel=False,
        slots=1,
        continue_on_error=True,
        on_item_error=lambda payload: seen.append(-payload["item"]),
    )
    expected = [number for item in range(30) for number in ([item, -item] if item % 3 == 2 else [item])]
    assert seen == expected


def test_an_on_item_error_that_cannot_run_is_recorded_beside_each_unit(bench: Bench):
    order = bench.order(failing(1, 5), list(range(8)), continue_on_error=True)
    hook = task_plan(CallableTask(refuse="no such name"))
    assert order.plan.batch is not None
    order = replace(order, plan=replace(order.plan, batch=replace(order.plan.batch, on_item_error=hook)))
    end = Coordinator(order, Equipment(bench.store, callable_executors, bench.sink, SystemClock()), bench.control).run()
    assert end == StepDone(Counts(total=8, succeeded=6, failed=2))
    for key in ("1", "5"):
        told = bench.store.units(bench.number, key=key)[0].handler_failure
        assert isinstance(told, Failure)
        assert (told.type, told.message) == ("template", "no such name")


def test_a_bug_in_on_item_error_is_raised_and_nobody_waits_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(_Handling, "_begin", broken)
    with pytest.raises(ZeroDivisionError):
        bench.run(failing(1), [0, 1], continue_on_error=True, on_item_error=lambda _: None)


@pytest.mark.promise("6.27")
def test_on_item_error_takes_a_slot_like_a_unit(bench: Bench):
    lock, running, most = threading.Lock(), [0], [0]

    def busily(result: object) -> object:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.004)
        with lock:
            running[0] -= 1
        return result

    end = bench.run(
        lambda payload: busily(Failure("No", "no") if payload["item"] % 3 == 0 else None),
        list(range(90)),
        slots=2,
        continue_on_error=True,
        on_item_error=lambda _: busily(None),
    )
    assert end.counts == Counts(total=90, succeeded=60, failed=30)
    assert all(view.record.handled for view in bench.store.units(bench.number))
    assert most == [2]


def test_failures_count_in_the_speed(bench: Bench) -> None:
    order = bench.order(failing(0, 1, 2), list(range(10)), continue_on_error=True, retry=RetryPolicy(max_attempts=2))
    coordinator = Coordinator(
        order, Equipment(bench.store, callable_executors, bench.sink, SystemClock()), bench.control
    )
    coordinator.speed()
    coordinator.run()
    assert coordinator._speed.since_last(coordinator._speed._since + 2.0)[0] == 13 / 2, "ten units, three of them twice"
