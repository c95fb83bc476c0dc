"""A whole run in-process: steps in their order, conditions, failures, cleanup, stops; with the store in memory and fake workers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from step_plans import batch_plan, step_plan, task_plan, workflow

from batchwork.censor import Censor
from batchwork.clock import SystemClock
from batchwork.engine.run.request import Backends, Execution, RunEnd, RunRequest
from batchwork.engine.run.results import Results
from batchwork.engine.run.runner import Runner
from batchwork.engine.stopping.stop_level import Control
from batchwork.errors import StoreError
from batchwork.events import Event, RunFinished, RunStarted, Said, StepFinished, Stopping, Warned
from batchwork.model import (
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    StepStatus,
)
from batchwork.plan.model import Plan, StepPlan
from batchwork.ports import StepChange
from batchwork.ports.journals import ExecutionMark
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.step_notes import NeedSkipped, Reopened, WhenFalse
from batchwork.store.memory import MemoryStore
from batchwork.template import Value, compile_template
from batchwork.testing.fakes import CallableTask, Cancelled, Collected, callable_executors
from batchwork.text.jsontext import Json, encode


@dataclass
class Bench:
    """Runs plans one after another over one store, as a resume would."""

    folder: Path

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.store = MemoryStore(self.clock)
        self.sink = Collected()
        self.control = Control(self.clock)

    def run(self, plan: Plan, *, resumed: bool = False, **options: Any) -> RunEnd:
        if not resumed:
            record = RunRecord("r1", plan.name, plan.file, plan.text, "{}", "{}", RunStatus.RUNNING, 0)
            self.store.create_run(record, [(step.name, step.batch is not None) for step in plan.steps])
        found = self.store.run("r1")
        assert found is not None
        request = RunRequest(allow_failures=options.pop("allow_failures", False))
        execution = Execution(plan, found, ExecutionMark("cookie"), request=request, resumed=resumed, **options)
        backends = Backends(
            self.store, callable_executors, self.sink, self.clock, {"HOME": "/h"}, "/", str(self.folder)
        )
        lease = self.store.lease("r1")
        try:
            return Runner(execution, backends, self.control).run()
        finally:
            lease.release()

    def step(self, name: str) -> StepRecord:
        return next(step for step in self.store.steps("r1") if step.name == name)

    def statuses(self) -> dict[str, str]:
        return {step.name: step.status.value for step in self.store.steps("r1")}

    def events(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.sink.events if isinstance(event, kind)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def doing(act: Callable[[Any], object], **changes: Any) -> Any:
    return task_plan(CallableTask(act, **changes))


def giving(value: Json) -> Any:
    return doing(lambda _payload: value)


def failing(message: str = "it broke") -> Any:
    return doing(lambda _payload: Failure("Broken", message))


def test_steps_run_in_order_and_see_what_was_before(bench: Bench) -> None:
    plan = workflow(
        step_plan("a", task=giving({"n": 7}), outputs="first"),
        step_plan("b", "a", task=task_plan(n="{{ steps.a.result.n }}", out="{{ first }}", s="{{ steps.a.status }}")),
        params={"limit": 5},
    )
    end = bench.run(plan)
    assert (end.status, end.exit_code, end.message) == (RunStatus.SUCCEEDED, 0, "")
    assert bench.step("b").result == encode({"item": None, "n": 7, "out": {"n": 7}, "s": "succeeded"})
    record = bench.store.run("r1")
    assert record is not None and record.status is RunStatus.SUCCEEDED and record.ended_ms is not None
    kinds = [type(event) for event in bench.sink.events]
    assert kinds[0] is RunStarted and kinds[-1] is RunFinished
    assert [event.step for event in bench.events(StepFinished)] == ["a", "b"]


def test_names_in_scope(bench: Bench) -> None:
    fields = {
        "p": "{{ params.limit }}{{ args.limit }}{{ limit }}",
        "e": "{{ env.HOME }}{{ env.MORE }}{{ env['MORE'] }}",
        "r": "{{ run.id }} {{ run.name }} {{ run.dir }}",
        "later": "{{ steps.b.status }}",
    }
    plan = workflow(
        step_plan("a", task=task_plan(**fields)),
        step_plan("b", "a"),
        params={"limit": 5, "env": "shadowed"},
        env={"MORE": Value.of("{{ params.limit }}-{{ env.HOME }}")},
    )
    assert bench.run(plan).status is RunStatus.SUCCEEDED
    folder = bench.folder / "runs" / "r1"
    assert bench.step("a").result == encode(
        {"item": None, "p": "555", "e": "/h5-/h5-/h", "r": f"r1 flow {folder}", "later": "pending"}
    )
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_batch_step_gives_lazy_results(bench: Bench) -> None:
    seen: list[Any] = []
    plan = workflow(
        step_plan("a", items=[1, 2, 3], task=doing(lambda payload: payload["item"] * 10), outputs="tens"),
        step_plan("b", "a", items=Value.of("{{ tens }}"), task=doing(lambda payload: seen.append(payload["item"]))),
        step_plan("c", "b", task=task_plan(n="{{ tens|length }}", last="{{ tens[-1] }}", all="{{ tens }}!")),
    )
    assert bench.run(plan).status is RunStatus.SUCCEEDED
    assert sorted(seen) == [10, 20, 30]
    assert bench.step("c").result == encode({"item": None, "n": 3, "last": 30, "all": "[10,20,30]!"})


@pytest.mark.promise("4.03")
def test_independent_steps_run_at_the_same_time(bench: Bench) -> None:
    both = threading.Barrier(2, timeout=30)
    plan = workflow(
        step_plan("a", task=doing(lambda _: both.wait() >= 0)), step_plan("b", task=doing(lambda _: both.wait() >= 0))
    )
    assert bench.run(plan).status is RunStatus.SUCCEEDED


@pytest.mark.promise("9.01")
def test_max_parallel_is_lowered(bench: Bench) -> None:
    running, most = threading.Semaphore(1), []

    def act(_payload: Any) -> None:
        most.append(running.acquire(blocking=False))
        running.release()

    plan = workflow(step_plan("a", items=list(range(20)), task=doing(act)))
    assert bench.run(plan, max_parallel=1).status is RunStatus.SUCCEEDED
    assert most == [True] * 20


# ---------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("when", "statuses"),
    [
        ("{{ params.on }}", {"a": "succeeded", "b": "skipped", "c": "skipped", "d": "succeeded"}),
        ("{{ not params.on }}", {"a": "succeeded", "b": "succeeded", "c": "succeeded", "d": "succeeded"}),
    ],
)
@pytest.mark.promise("4.10")
def test_what_refers_to_a_skipped_step_is_skipped_too(bench: Bench, when: str, statuses: dict[str, str]) -> None:
    plan = workflow(
        step_plan("a"),
        step_plan("b", "a", when=compile_template(when)),
        step_plan("c", "b", references=frozenset({"b"})),
        step_plan("d", "c"),
        params={"on": False},
    )
    assert bench.run(plan).status is RunStatus.SUCCEEDED
    assert bench.statuses() == statuses
    if statuses["b"] == "skipped":
        assert bench.step("b").note == WhenFalse()
        assert bench.step("c").note == NeedSkipped("b")


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("{{ params.on }}", "`when` must give true or false, and gives the text 'yes'"),
        ("yes {{ 1 }}", "gives the text 'yes 1'"),
        ("{{ 1 }}", "gives 1"),
        ("{{ params.off }}", "`off`"),
    ],
)
@pytest.mark.promise("4.09")
def test_a_condition_must_be_true_or_false(bench: Bench, when: str, says: str) -> None:
    plan = workflow(step_plan("a", when=compile_template(when)), step_plan("b", "a"), params={"on": "yes"})
    end = bench.run(plan)
    assert (end.status, end.exit_code) == (RunStatus.FAILED, 1)
    assert bench.statuses() == {"a": "failed", "b": "pending"}
    failure = bench.step("a").failure
    assert failure is not None and failure.type == "template" and says in failure.message


# ---------------------------------------------------------------- failures


@pytest.mark.promise("4.05")
def test_after_a_failure_the_others_stay_pending(bench: Bench) -> None:
    plan = workflow(step_plan("a", task=failing()), step_plan("b", "a"), step_plan("c", "b"))
    end = bench.run(plan)
    assert (end.status, end.exit_code) == (RunStatus.FAILED, 1)
    assert bench.statuses() == {"a": "failed", "b": "pending", "c": "pending"}
    assert bench.step("a").failure == Failure("Broken", "it broke")
    assert "step `a` failed" in end.message and "batchwork resume r1" in end.message


@pytest.mark.promise("4.05")
def test_running_steps_finish_after_a_failure(bench: Bench) -> None:
    failed = threading.Event()

    def slow(_payload: Any) -> str:
        assert failed.wait(30)
        return "done"

    class Telling(Collected):
        def emit(self, event: Event) -> None:
            super().emit(event)
            if isinstance(event, StepFinished) and event.step == "a":
                failed.set()

    bench.sink = Telling()
    plan = workflow(step_plan("a", task=failing()), step_plan("b", task=doing(slow)), step_plan("c", "b"))
    assert bench.run(plan).status is RunStatus.FAILED
    assert bench.statuses() == {"a": "failed", "b": "succeeded", "c": "pending"}


def test_tolerated_failures_are_partial(bench: Bench) -> None:
    plan = workflow(
        step_plan("a", task=failing(), on_error="continue"),
        step_plan(
            "b", "a", task=task_plan(e="{{ steps.a.error }}!", t="{{ steps.a.error.type }}", r="{{ steps.a.result }}")
        ),
    )
    end = bench.run(plan)
    assert (end.status, end.exit_code) == (RunStatus.PARTIAL, 3)
    assert bench.step("b").result == encode({"item": None, "e": "it broke!", "t": "Broken", "r": None})
    assert bench.run(plan, resumed=True, allow_failures=True).exit_code == 0


@pytest.mark.promise("7.10")
def test_failed_items_are_partial(bench: Bench) -> None:
    batch = batch_plan([1, 2, 3], continue_on_error=True)
    task = doing(lambda payload: Failure("Odd", "odd") if payload["item"] % 2 else payload["item"])
    plan = workflow(step_plan("a", batch=batch, task=task), step_plan("b", "a"))
    end = bench.run(plan)
    assert (end.status, end.exit_code) == (RunStatus.PARTIAL, 3)
    assert "batchwork retry r1" in end.message
    results = Results(bench.store, bench.step("a").number, "a", bench.step("a").counts, 1.0)
    assert list(results) == [None, 2, None]
    assert [row["key"] for row in results.failed] == ["1", "3"]


@pytest.mark.promise("4.07")
def test_a_task_on_error_runs_and_changes_nothing(bench: Bench) -> None:
    speaker = CallableTask(lambda payload: f"{payload['text']}", says=True)
    handler = task_plan(speaker, text="{{ error.type }}: {{ error }} ({{ error.attempts }})")
    plan = workflow(step_plan("a", task=failing(), on_error=handler), step_plan("b", "a"))
    assert bench.run(plan).status is RunStatus.FAILED
    assert [event.text for event in bench.events(Said)] == ["Broken: it broke (1)"]
    assert bench.statuses() == {"a": "failed", "b": "pending"}


@pytest.mark.parametrize("handler", [failing("no luck"), task_plan(CallableTask(refuse="no luck"))])
def test_a_task_on_error_that_fails_is_a_warning(bench: Bench, handler: Any) -> None:
    plan = workflow(step_plan("a", task=failing(), on_error=handler))
    assert bench.run(plan).exit_code == 1
    assert [event.text for event in bench.events(Warned)] == ["`on_error` failed: no luck"]


def test_a_task_that_cannot_be_made_ready_fails_its_step(bench: Bench) -> None:
    plan = workflow(step_plan("a", task=task_plan(CallableTask(refuse="a constant is wrong"))))
    assert bench.run(plan).status is RunStatus.FAILED
    assert bench.step("a").failure == Failure("template", "a constant is wrong", retryable=False)


def test_secrets_are_masked_in_what_is_recorded(bench: Bench) -> None:
    plan = workflow(step_plan("a", task=task_plan(CallableTask(refuse="wrong: s3cret"))))
    bench.run(plan, censor=Censor(["TOKEN"], {"TOKEN": "s3cret"}))
    assert bench.step("a").failure == Failure("template", "wrong: ***", retryable=False)


# ---------------------------------------------------------------- cleanup


@pytest.mark.parametrize(("task", "status"), [(giving(1), "succeeded"), (failing(), "failed")])
@pytest.mark.promise("4.08")
def test_finalizers_always_run_and_know_how_it_went(bench: Bench, task: Any, status: str) -> None:
    plan = workflow(
        step_plan("a", task=task),
        step_plan("f", "a", finalizer=True, task=task_plan(s="{{ run.status }}")),
        step_plan("g", "f", finalizer=True),
    )
    assert bench.run(plan).status.value == status
    assert bench.step("f").result == encode({"item": None, "s": status})
    assert bench.statuses() == {"a": status, "f": "succeeded", "g": "succeeded"}


def test_a_finalizer_that_fails_fails_the_run_but_not_the_others(bench: Bench) -> None:
    plan = workflow(step_plan("a"), step_plan("f", finalizer=True, task=failing()), step_plan("g", "f", finalizer=True))
    assert bench.run(plan).exit_code == 1
    assert bench.statuses() == {"a": "succeeded", "f": "failed", "g": "succeeded"}


# ---------------------------------------------------------------- stops


@pytest.mark.promise("4.08")
def test_ctrl_c_drains_then_cleans_up(bench: Bench) -> None:
    def act(payload: Any) -> int:
        bench.control.signal = 2
        bench.control.raise_to(1, "Ctrl-C")
        return int(payload["item"])

    plan = workflow(
        step_plan("a", batch=batch_plan([1, 2, 3, 4], slots=1, parallel=False), task=doing(act)),
        step_plan("b", "a"),
        step_plan("f", finalizer=True, task=task_plan(s="{{ run.status }}")),
    )
    end = bench.run(plan)
    assert (end.status, end.exit_code) == (RunStatus.INTERRUPTED, 130)
    assert "Ctrl-C" in end.message and "batchwork resume r1" in end.message
    assert bench.statuses() == {"a": "running", "b": "pending", "f": "succeeded"}
    assert bench.step("a").counts.succeeded == 1
    assert bench.step("f").result == encode({"item": None, "s": "interrupted"})
    assert [(event.level, event.reason) for event in bench.events(Stopping)] == [(1, "Ctrl-C")]

    bench.control = Control(bench.clock)
    plan = replace(plan, steps=(replace(plan.steps[0], task=giving(0)), *plan.steps[1:]))
    assert bench.run(plan, resumed=True).status is RunStatus.SUCCEEDED
    assert bench.step("a").counts.succeeded == 4


def test_sigterm_has_its_own_exit_code_and_a_time_limit(bench: Bench) -> None:
    ended = threading.Event()

    class Noticing(Control):
        def raise_to(self, level: int, reason: str = "", limit_s: float | None = None) -> None:
            super().raise_to(level, reason, limit_s)
            if self.level >= 2:
                ended.set()

    bench.control = Noticing(bench.clock)

    def act(_payload: Any) -> None:
        bench.control.signal = 15
        bench.control.raise_to(1, "SIGTERM", 0.05)
        assert ended.wait(30)
        raise Cancelled

    end = bench.run(workflow(step_plan("a", task=doing(act))))
    assert (end.status, end.exit_code) == (RunStatus.INTERRUPTED, 143)
    assert [event.level for event in bench.events(Stopping)] == [1, 2]
    assert bench.statuses() == {"a": "running"}


def test_the_second_ctrl_c_ends_cleanup_too(bench: Bench) -> None:
    def act(_payload: Any) -> None:
        bench.control.raise_to(1, "Ctrl-C")
        bench.control.raise_to(2, "Ctrl-C")
        raise Cancelled

    plan = workflow(
        step_plan("a"), step_plan("f", finalizer=True, task=doing(act)), step_plan("g", "f", finalizer=True)
    )
    assert bench.run(plan).status is RunStatus.INTERRUPTED
    assert bench.statuses() == {"a": "succeeded", "f": "running", "g": "pending"}


def test_a_killed_run_does_not_clean_up(bench: Bench) -> None:
    bench.control.raise_to(3, "Ctrl-C")
    plan = workflow(step_plan("a"), step_plan("f", finalizer=True))
    assert bench.run(plan).exit_code == 130
    assert bench.statuses() == {"a": "pending", "f": "pending"}


# ---------------------------------------------------------------- what must not happen


@pytest.mark.promise("7.09")
def test_a_broken_sum_fails_the_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    count = bench.store.count
    monkeypatch.setattr(bench.store, "count", lambda step: count(step).add(succeeded=1))
    end = bench.run(workflow(step_plan("a", items=[1, 2]), step_plan("b", "a")))
    assert end.exit_code == 1
    failure = bench.step("a").failure
    assert failure is not None and failure.type == "count"
    assert "the counters say 2 succeeded" in failure.message and "recorded are 3 succeeded" in failure.message


def test_a_broken_store_ends_the_run_with_its_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    plan = workflow(step_plan("a", items=[1, 2]), step_plan("f", finalizer=True))

    def act(_payload: Any) -> None:
        monkeypatch.setattr(bench.store, "update_step", full)

    plan = replace(plan, steps=(replace(plan.steps[0], task=doing(act)), plan.steps[1]))
    with pytest.raises(StoreError, match="the disk is full"):
        bench.run(plan)
    assert bench.statuses() == {"a": "running", "f": "pending"}


@pytest.mark.promise("9.50")
def test_a_bug_is_raised_and_not_swallowed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(bench.store, "count", bug)
    with pytest.raises(ZeroDivisionError):
        bench.run(workflow(step_plan("a")))


# ---------------------------------------------------------------- resuming


@pytest.mark.promise("9.36")
def test_ended_steps_are_not_run_again(bench: Bench) -> None:
    ran: list[str] = []
    plan = workflow(
        step_plan("a", task=doing(lambda _: ran.append("a") or {"n": 1})),
        step_plan("b", "a", task=task_plan(CallableTask(refuse="not yet"), n="{{ steps.a.result.n }}")),
    )
    assert bench.run(plan).exit_code == 1
    bench.store.update_step(bench.step("b").number, StepChange(status=StepStatus.RUNNING, failure=None))
    mended = replace(plan, steps=(plan.steps[0], replace(plan.steps[1], task=task_plan(n="{{ steps.a.result.n }}"))))
    assert bench.run(mended, resumed=True).exit_code == 0
    assert ran == ["a"]
    assert bench.step("b").result == encode({"item": None, "n": 1})


def test_a_retried_step_does_not_read_its_source_again(bench: Bench) -> None:
    batch = batch_plan([1, 2, 3], continue_on_error=True)
    plan = workflow(step_plan("a", batch=batch, task=doing(lambda p: Failure("X", "x") if p["item"] == 2 else 0)))
    assert bench.run(plan).exit_code == 3
    number = bench.step("a").number
    bench.store.update_step(number, StepChange(status=StepStatus.RUNNING, note=Reopened()))
    assert bench.store.reopen(number, None) == 1
    seen: list[Any] = []
    unreadable = batch_plan(Value.of("{{ params.nowhere }}"), continue_on_error=True)
    again: StepPlan = replace(plan.steps[0], batch=unreadable, task=doing(lambda p: seen.append(p["item"])))
    assert bench.run(replace(plan, steps=(again,)), resumed=True).exit_code == 0
    assert seen == [2]
    record = bench.step("a")
    assert (record.status, record.note, record.counts.succeeded, record.counts.failed) == ("succeeded", None, 3, 0)


def test_a_store_that_breaks_between_steps_leaves_no_step_running(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = threading.Event(), threading.Event()
    real = bench.store.update_step

    def update(number: int, change: StepChange) -> None:
        if number == bench.step("b").number:
            started.wait(10)
            raise StoreError("the disk is full")
        real(number, change)

    def act(_: object) -> None:
        started.set()
        threading.Event().wait(0.3)
        ended.set()

    monkeypatch.setattr(bench.store, "update_step", update)
    with pytest.raises(StoreError, match="the disk is full"):
        bench.run(workflow(step_plan("a", task=doing(act)), step_plan("b", task=giving(1))))
    assert ended.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("step ")]


@pytest.mark.fault("P01")
@pytest.mark.parametrize("jump_ms", [-3_600_000, 86_400_000])
def test_a_clock_that_is_set_meanwhile_changes_no_duration_and_no_delay(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, jump_ms: int
) -> None:
    """Each look at the wall clock finds it an hour earlier, or a day later, than the one before."""
    looks = count()
    true = SystemClock.wall_ms
    monkeypatch.setattr(SystemClock, "wall_ms", lambda clock: true(clock) + jump_ms * next(looks))
    tried: Counter[int] = Counter()

    def once_broken(payload: Any) -> object:
        tried[payload["item"]] += 1
        return Failure("Broken", "not yet") if tried[payload["item"]] == 1 else payload["item"]

    retry = RetryPolicy(max_attempts=2, delay_s=0.05, jitter=False)
    plan = workflow(step_plan("a", items=[1, 2, 3], task=doing(once_broken), retry=retry, timeout_s=30.0))
    assert bench.run(plan).status is RunStatus.SUCCEEDED
    step = bench.step("a")
    assert 50 <= step.duration_ms < 30_000
    for unit in bench.store.units(step.number):
        assert unit.record.attempts == 2
        assert 0 <= unit.record.duration_us < 30_000_000
    assert next(looks) > 3
