"""Runs beyond one execution: records, leases, resumes, retries, changed workflows, secrets; in-process, over the store in memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from step_plans import batch_plan, step_plan, task_plan, workflow

from batchwork.clock import SystemClock
from batchwork.engine.run.lifecycle import (
    Backends,
    RetryRequest,
    RunRequest,
    explain_resume,
    resume_run,
    retry_run,
    start_run,
)
from batchwork.engine.run.request import RunEnd
from batchwork.engine.run.resume_plan import explained, resuming
from batchwork.engine.stopping.stop_level import Control
from batchwork.errors import NOWHERE, Problem, RunLocked, RunRefused, UsageError, WorkflowError
from batchwork.events import Warned
from batchwork.model import Counts, Failure, RunRecord, RunStatus, StepRecord, StepStatus
from batchwork.plan.model import NotifyPlan, Plan, StepPlan
from batchwork.proctree import COOKIE
from batchwork.quoting import compile_command
from batchwork.store.memory import MemoryStore
from batchwork.template import Value, compile_template
from batchwork.testing.fakes import CallableTask, Collected, callable_executors
from batchwork.text.jsontext import Json, decode, encode


@dataclass
class Office:
    """Starts, resumes and retries; `plans` is what the loader makes of a workflow's text."""

    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    plans: dict[str, Plan] = field(default_factory=dict)
    loaded: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = SystemClock()
        self.sink = Collected()
        self.store = MemoryStore(clock)
        self.site = Backends(
            self.store, callable_executors, self.sink, clock, self.environ, str(self.folder), str(self.folder / "state")
        )

    def write(self, plan: Plan) -> Plan:
        (self.folder / "flow.yaml").write_text(plan.text, encoding="utf-8")
        self.plans[plan.text] = plan
        return plan

    def load(self, text: str, file: str, params: Mapping[str, Json]) -> Plan:
        self.loaded.append((text, params))
        if text not in self.plans:
            raise WorkflowError([Problem(NOWHERE, f"{file} is nonsense")])
        return self.plans[text]

    def start(self, plan: Plan, **asked: Any) -> RunEnd:
        return start_run(self.write(plan), self.site, RunRequest(run_id="r1", **asked), self.control())

    def resume(self, **asked: Any) -> RunEnd:
        return resume_run(None, self.load, self.site, RunRequest(**asked), self.control())

    def retry(self, where: str | None = None, downstream: bool = False) -> RunEnd:
        return retry_run("r1", self.load, self.site, RetryRequest(where=where, downstream=downstream), self.control())

    def explain(self) -> list[str]:
        return explain_resume(None, self.load, self.site, RunRequest())

    def control(self) -> Control:
        return Control(self.site.clock)

    def record(self) -> RunRecord:
        found = self.store.run("r1")
        assert found is not None
        return found

    def step(self, name: str) -> StepRecord:
        return next(step for step in self.store.steps("r1") if step.name == name)

    def statuses(self) -> dict[str, str]:
        return {step.name: step.status.value for step in self.store.steps("r1")}

    def warnings(self) -> list[str]:
        return [event.text for event in self.sink.events if isinstance(event, Warned)]


@pytest.fixture
def office(work: Path) -> Office:
    return Office(work)


@dataclass
class Ledger:
    """A task that writes down what ran, and fails for the items in `bad`."""

    ran: list[Any] = field(default_factory=list)
    bad: set[Any] = field(default_factory=set)

    def __call__(self, payload: Any) -> object:
        self.ran.append(payload["item"])
        return Failure("Bad", f"bad item {payload['item']}") if payload["item"] in self.bad else payload["item"]

    def step(self, name: str, items: list[Any], *after: str, tolerant: bool = True, **changes: Any) -> StepPlan:
        batch = batch_plan(items, continue_on_error=tolerant, slots=1, parallel=False)
        return step_plan(name, *after, batch=batch, task=task_plan(CallableTask(self)), **changes)

    def taken(self) -> list[Any]:
        ran, self.ran = self.ran, []
        return ran


# ---------------------------------------------------------------- starting


def test_a_run_is_recorded(office: Office) -> None:
    end = office.start(workflow(step_plan("a", items=[1, 2, 3]), params={"limit": 5}), max_parallel=1)
    record = office.record()
    assert (end.run, end.exit_code) == ("r1", 0)
    assert (record.name, record.file, record.workflow, record.params) == (
        "flow",
        "flow.yaml",
        "steps: []",
        '{"limit":5}',
    )
    assert decode(record.fingerprint) == {"a": {"task": "callable"}}
    assert "at most 1 item run twice" in record.window
    assert not record.living
    log = office.folder / "state" / "logs" / "r1.jsonl"
    kinds = [json.loads(line)["event"] for line in log.read_text(encoding="utf-8").splitlines()]
    assert (kinds[0], kinds[-1]) == ("RunStarted", "RunFinished")


def test_a_plan_says_that_a_step_stops_for_what_is_in_doubt() -> None:
    """In all ways that a step may be in, and with each policy: what `resume --plan` says is what `resume` does."""
    for status, policy, said in (
        (StepStatus.RUNNING, "stop", "a: stops"),
        (StepStatus.FAILED, "stop", "a: stops"),
        (StepStatus.RUNNING, "retry", "a: goes on"),
        (StepStatus.RUNNING, "fail", "a: goes on"),
        (StepStatus.FAILED, "retry", "a: goes on"),
    ):
        step = step_plan("a", batch=batch_plan([1], on_in_doubt=policy))
        for doubts in (0, 2):
            record = StepRecord(1, "r1", "a", 0, status, Counts(3, in_doubt=doubts), True, started_ms=1)
            (line,) = explained(resuming(workflow(step), {"a": record}))
            assert line.startswith(said if doubts else "a: goes on"), (status, policy, doubts, line)


def test_a_secret_must_be_set(office: Office) -> None:
    with pytest.raises(UsageError, match="the secret `TOKEN_X` is not set"):
        office.start(workflow(step_plan("a"), secrets=("TOKEN_X",)))
    assert office.store.runs() == []


def test_env_must_render_before_anything_is_recorded(office: Office) -> None:
    with pytest.raises(WorkflowError, match=r"`env`: .*nowhere"):
        office.start(workflow(step_plan("a"), env={"X": Value.of("{{ params.nowhere }}")}))
    assert office.store.runs() == []


@pytest.mark.promise("10.06")
def test_two_cannot_work_on_one_run(office: Office) -> None:
    ledger = Ledger()
    office.start(workflow(ledger.step("a", [1], tolerant=False)))
    ledger.bad = {1}
    lease = office.store.lease("r1")
    with pytest.raises(RunLocked):
        office.retry()
    lease.release()


def test_notifications_are_sent(office: Office) -> None:
    command = "cat > told.json; echo {{ params.word }} {{ steps.a.status }} {{ run.status }} > words.txt"
    notify = NotifyPlan(
        on=("finished",),
        command=compile_command(compile_template(command)),
        url=None,
        threshold=0.1,
        stalled_s=1.0,
        place=NOWHERE,
    )
    plan = workflow(step_plan("a"), notify=(notify,), params={"word": "$(id); 'x'"})
    assert office.start(plan).exit_code == 0
    assert office.warnings() == []
    assert json.loads((office.folder / "told.json").read_text(encoding="utf-8"))["status"] == "succeeded"
    assert (office.folder / "words.txt").read_text(encoding="utf-8") == "$(id); 'x' succeeded succeeded\n"


# ---------------------------------------------------------------- resuming


@pytest.mark.fault("K02")
@pytest.mark.promise("9.41")
def test_a_finished_run_has_nothing_to_do(office: Office) -> None:
    ledger = Ledger(bad={2})
    office.start(workflow(ledger.step("a", [1, 2])))
    ledger.taken()
    end = office.resume()
    assert (end.exit_code, end.status) == (3, RunStatus.PARTIAL)
    assert "nothing to do" in end.message
    assert office.resume(allow_failures=True).exit_code == 0
    assert ledger.taken() == []
    assert office.explain() == ["run r1 (flow): partial; nothing to do"]


@pytest.mark.promise("9.40")
def test_a_failed_step_is_tried_again_and_nothing_else(office: Office) -> None:
    ledger = Ledger(bad={3})
    plan = workflow(step_plan("zero"), ledger.step("a", [1, 2, 3, 4, 5], "zero", tolerant=False), step_plan("b", "a"))
    assert office.start(plan).exit_code == 1
    assert ledger.taken() == [1, 2, 3]
    assert office.explain() == [
        "run r1 (flow): failed",
        "zero: is kept (succeeded)",
        office.explain()[2],
        "b: starts (it has not run)",
    ]
    assert office.explain()[2].startswith("a: goes on (it failed: 1 failed unit get")
    assert office.resume().exit_code == 1
    assert ledger.taken() == [3]
    ledger.bad = set()
    assert office.resume().exit_code == 0
    assert ledger.taken() == [3, 4, 5]
    assert office.statuses() == {"zero": "succeeded", "a": "succeeded", "b": "succeeded"}


def test_there_must_be_a_run(office: Office) -> None:
    with pytest.raises(RunRefused, match="there is no run in memory:"):
        office.resume()
    office.start(workflow(step_plan("a")))
    with pytest.raises(RunRefused, match="there is no run `r2`"):
        resume_run("r2", office.load, office.site, RunRequest(), office.control())


def test_cleanup_runs_again_after_a_resume(office: Office) -> None:
    ledger, cleaned = Ledger(bad={1}), Ledger()
    cleanup = step_plan("f", "a", finalizer=True, task=task_plan(CallableTask(cleaned)))
    office.start(workflow(ledger.step("a", [1], tolerant=False), cleanup))
    assert len(cleaned.taken()) == 1
    ledger.bad = set()
    assert office.resume().exit_code == 0
    assert len(cleaned.taken()) == 1
    assert office.resume().message.startswith("nothing to do")
    assert cleaned.taken() == []


@pytest.mark.fault("I05")
def test_what_an_earlier_execution_left_running_is_ended(office: Office, wait_for: Callable[..., None]) -> None:
    ledger = Ledger(bad={1})
    office.start(workflow(ledger.step("a", [1], tolerant=False)))
    kept = decode(office.record().options)
    assert isinstance(kept, dict)
    cookie = kept["executions"][-1]["id"]
    left = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"],
        env={**os.environ, COOKIE: cookie},
        stdout=subprocess.PIPE,
    )
    assert left.stdout is not None
    left.stdout.readline()
    ledger.bad = set()
    try:
        assert office.resume().exit_code == 0
        # Our own child: whoever ends it may also have taken its exit status.
        wait_for(lambda: left.poll() is not None, "the end of what was left")
    finally:
        left.kill()
        left.stdout.close()
    assert left.returncode in (-signal.SIGKILL, 0)
    assert office.warnings() == ["1 process of an earlier execution of this run were still there, and were ended"]


# ---------------------------------------------------------------- changed workflows


def changed(plan: Plan, text: str, **changes: Any) -> Plan:
    return replace(plan, text=text, **changes)


@pytest.fixture
def failed(office: Office) -> Plan:
    plan = workflow(
        step_plan("a", task=task_plan(CallableTask(lambda _: Failure("X", "x")))), text="one", params={"n": 1}
    )
    office.start(plan)
    return replace(plan, steps=(step_plan("a"),))


def test_a_workflow_that_does_something_else_is_refused(office: Office, failed: Plan) -> None:
    office.write(changed(failed, "two", fingerprint={"a": {"task": "other"}}))
    with pytest.raises(RunRefused, match='step `a`: `task` was "callable" and is "other"') as caught:
        office.resume()
    assert "--accept-changes" in caught.value.hint
    with pytest.raises(RunRefused):
        office.explain()
    assert office.record().workflow == "one"
    assert office.resume(accept_changes=True).exit_code == 0
    assert office.record().workflow == "two"
    assert decode(office.record().fingerprint) == {"a": {"task": "other"}}


def test_one_that_does_the_same_is_taken_as_it_is_now(office: Office, failed: Plan) -> None:
    office.write(changed(failed, "two"))
    assert office.resume().exit_code == 0
    assert office.record().workflow == "two"
    assert office.loaded[-1] == ("two", {"n": 1})


@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_cannot_be_used_does_not_matter(office: Office, failed: Plan, gone: bool) -> None:
    office.plans["one"] = failed
    if gone:
        (office.folder / "flow.yaml").unlink()
    else:
        (office.folder / "flow.yaml").write_text("steps: [", encoding="utf-8")
    assert office.resume().exit_code == 0
    assert office.record().workflow == "one"
    assert len(office.warnings()) == (0 if gone else 1)


def test_steps_that_come_and_go(office: Office) -> None:
    ledger = Ledger(bad={1})
    plan = workflow(step_plan("zero"), ledger.step("a", [1], "zero", tolerant=False), text="one")
    office.start(plan)
    ledger.bad = set()
    office.write(workflow(step_plan("new"), plan.steps[1], text="two"))
    office.plans["two"] = workflow(step_plan("new"), replace(plan.steps[1], depends_on=("new",)), text="two")
    assert office.resume(accept_changes=True).exit_code == 0
    assert {name: status for name, status in office.statuses().items() if name != "zero"} == {
        "new": "succeeded",
        "a": "succeeded",
    }


# ---------------------------------------------------------------- secrets


@pytest.mark.promise("9.32")
def test_secrets_are_kept_by_name_only(office: Office) -> None:
    office.environ["TOKEN_X"] = "very-secret"
    plan = workflow(
        step_plan("a", task=task_plan(CallableTask(lambda _: Failure("X", "no entry for very-secret")))),
        params={"url": "http://h/?t=very-secret", "same": "very-secret"},
        secrets=("TOKEN_X",),
        text="uses very-secret",
    )
    office.start(plan)
    everything = repr((office.record(), office.store.steps("r1"), office.store.units(1)))
    assert "very-secret" not in everything
    assert "«secret:TOKEN_X»" in office.record().params
    log = (office.folder / "state" / "logs" / "r1.jsonl").read_text(encoding="utf-8")
    assert "very-secret" not in log and "no entry for ***" in log
    office.plans[plan.text] = replace(plan, steps=(step_plan("a"),))
    (office.folder / "flow.yaml").unlink()
    assert office.resume().exit_code == 0
    assert office.loaded[-1] == (plan.text, plan.params)


def test_a_password_without_a_name_is_not_kept(office: Office) -> None:
    plan = workflow(
        step_plan("a", task=task_plan(CallableTask(lambda _: Failure("X", "x")))), text="db: pg://u:hidden-pw@h/db"
    )
    office.start(plan)
    assert "hidden-pw" not in repr(office.record())
    office.plans[plan.text] = replace(plan, steps=(step_plan("a"),))
    (office.folder / "flow.yaml").rename(office.folder / "elsewhere")
    with pytest.raises(RunRefused, match="holds a password, which is not stored"):
        office.resume()
    (office.folder / "elsewhere").rename(office.folder / "flow.yaml")
    assert office.resume().exit_code == 0


def test_a_password_in_a_parameter_cannot_be_resumed(office: Office) -> None:
    office.start(workflow(step_plan("a"), params={"db": "pg://u:hidden-pw@h/db"}))
    assert "hidden-pw" not in repr(office.record())
    assert office.warnings() == [
        "the parameter `db` holds a password, which is not stored, so this run cannot be resumed; pass it in by `secrets:`"
    ]
    with pytest.raises(RunRefused, match="parameter `db` holds a password"):
        office.retry()


# ---------------------------------------------------------------- retrying


def test_only_what_failed_is_retried(office: Office) -> None:
    ledger = Ledger(bad={2, 4})
    office.start(workflow(ledger.step("a", [1, 2, 3, 4]), step_plan("b", "a")))
    ledger.taken()
    ledger.bad = {4}
    assert office.retry().exit_code == 3
    assert ledger.taken() == [2, 4]
    ledger.bad = set()
    assert office.retry().exit_code == 0
    assert ledger.taken() == [4]
    assert office.step("b").stale
    end = office.retry()
    assert (end.exit_code, end.message) == (0, "nothing to do for run r1: no failed item")


@pytest.mark.parametrize(
    ("where", "ran"),
    [
        ("item == 4", [4]),
        ("error.type == 'Bad' and index < 2", [2]),
        ("'item 6' in error.message", [6]),
        ("attempts > 1", []),
        ("key in ['2', '6']", [2, 6]),
    ],
)
def test_a_chosen_part_is_retried(office: Office, where: str, ran: list[int]) -> None:
    ledger = Ledger(bad={2, 4, 6})
    office.start(workflow(ledger.step("a", [1, 2, 3, 4, 5, 6])))
    ledger.taken()
    end = office.retry(where)
    assert ledger.taken() == ran
    assert end.exit_code == 3
    assert ("fits" in end.message) == (not ran)


@pytest.mark.parametrize("where", ["item ==", "nowhere == 1", "item }} {{ key", "item", "item.x.y"])
def test_a_wrong_choice_is_a_usage_error(office: Office, where: str) -> None:
    ledger = Ledger(bad={2})
    office.start(workflow(ledger.step("a", [1, 2])))
    ledger.taken()
    with pytest.raises(UsageError, match="--where"):
        office.retry(where)
    assert ledger.taken() == []
    assert office.record().status is RunStatus.PARTIAL


@pytest.mark.promise("9.43")
def test_later_steps_run_again_if_asked(office: Office) -> None:
    ledger = Ledger(bad={2})
    total = step_plan("sum", "a", task=task_plan(n="{{ steps.a.result.counts.succeeded }}"))
    office.start(workflow(ledger.step("a", [1, 2]), total, step_plan("c", "sum")))
    assert office.step("sum").result == encode({"item": None, "n": 1})
    ledger.bad = set()
    office.retry(downstream=True)
    assert office.step("sum").result == encode({"item": None, "n": 2})
    assert not office.step("sum").stale and not office.step("c").stale


def test_stale_steps_can_be_run_later(office: Office) -> None:
    ledger = Ledger(bad={2})
    total = step_plan("sum", "a", task=task_plan(n="{{ steps.a.result.counts.succeeded }}"))
    office.start(workflow(ledger.step("a", [1, 2]), total))
    ledger.bad = set()
    office.retry()
    assert office.step("sum").stale
    assert office.step("sum").result == encode({"item": None, "n": 1})
    ledger.taken()
    assert office.retry(downstream=True).exit_code == 0
    assert ledger.taken() == []
    assert office.step("sum").result == encode({"item": None, "n": 2})
    assert not office.step("sum").stale


def test_retrying_a_failed_run_goes_on(office: Office) -> None:
    ledger = Ledger(bad={2})
    office.start(workflow(ledger.step("a", [1, 2, 3], tolerant=False), step_plan("b", "a")))
    assert ledger.taken() == [1, 2]
    ledger.bad = set()
    assert office.retry().exit_code == 0
    assert ledger.taken() == [2, 3]
    assert office.statuses() == {"a": "succeeded", "b": "succeeded"}


def test_a_tolerated_step_is_retried(office: Office) -> None:
    ledger = Ledger(bad={None})
    task = task_plan(CallableTask(ledger))
    office.start(workflow(step_plan("a", task=task, on_error="continue"), step_plan("b", "a")))
    assert office.record().status is RunStatus.PARTIAL
    ledger.bad = set()
    assert office.retry().exit_code == 0
    assert office.statuses() == {"a": "succeeded", "b": "succeeded"}


def test_what_is_chosen_is_retried_beside_a_failed_step(office: Office) -> None:
    ledger, other = Ledger(bad={2}), Ledger(bad={7})
    office.start(workflow(ledger.step("a", [1, 2]), other.step("b", [7], "a", tolerant=False), step_plan("c", "b")))
    ledger.taken(), other.taken()
    ledger.bad = other.bad = set()
    end = office.retry("item == 2")
    assert (end.status, end.exit_code) == (RunStatus.FAILED, 1)
    assert (ledger.taken(), other.taken()) == ([2], [])
    assert office.statuses() == {"a": "succeeded", "b": "failed", "c": "pending"}
    assert not office.step("b").stale
    assert office.resume().exit_code == 0
    assert (ledger.taken(), other.taken()) == ([], [7])
