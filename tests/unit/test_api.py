"""batchwork from Python: what a program sees of a run."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

import batchwork
from batchwork.quoting.scan import Scanner

FLOW = """
name: flow
params: {bad: 3}
steps:
  - name: work
    task: batch
    inputs:
      items: [1, 2, 3]
      continue_on_error: true
      task: {type: shell, command: "test {{ item }} -ne {{ params.bad }} && echo got {{ item }}"}
    outputs: got
  - name: say
    task: shell
    inputs: {command: "echo {{ got.counts.succeeded }}"}
"""


@pytest.fixture
def flow(work: Path) -> Path:
    path = work / "flow.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return path


@pytest.mark.promise("9.30")
def test_a_run_gives_its_results(flow: Path) -> None:
    with batchwork.run(flow, {"bad": 3}, run_id="r1") as run:
        assert (run.id, run.name, run.status, run.exit_code) == ("r1", "flow", "partial", 3)
        results = run.steps["work"].result
        assert run.outputs["got"] is results
        assert isinstance(results, batchwork.api.Results)  # type: ignore[attr-defined]
        assert [row["stdout"] if row else None for row in results] == ["got 1\n", "got 2\n", None]  # type: ignore[call-overload, index]
        assert [row["key"] for row in results.failed] == ["3"]
        assert run.steps["say"].result == {"stdout": "2\n", "stderr": "", "exit_code": 0}
        assert run.steps["work"].counts["failed"] == 1
        assert run.summary["steps"]["work"]["status"] == "succeeded"
        assert repr(run) == "<run r1 of flow: partial>"
    assert (flow.parent / ".batchwork").is_dir()


ONCE = """
name: once
notify: [{on: [finished], command: "echo {{ run.name }} notified"}]
steps:
  - name: work
    task: batch
    inputs:
      items: $(seq {{ params.most }})
      batch_size: 2
      each: item
      max_parallel: 2
      continue_on_error: true
      retry: {max_attempts: 2}
      task: {type: shell, command: "test {{ item }} -ne 3"}
      on_item_error: {type: shell, command: "echo {{ item }} failed"}
  - name: say
    task: shell
    inputs: {command: "echo {{ params.most }} said; false"}
    on_error: {task: shell, inputs: {command: "echo {{ error }} here"}}
"""


@pytest.mark.promise("3.21")
def test_each_command_is_compiled_once_a_run(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    class Counting(Scanner):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            read.append(text.replace("\0", "@"))

    monkeypatch.setattr("batchwork.quoting.scan.Scanner", Counting)
    flow = work / "flow.yaml"
    flow.write_text(ONCE, encoding="utf-8")
    with batchwork.run(flow, {"most": 6}) as run:
        assert run.status == "failed"
    commands = ["test @ -ne 3", "echo @ failed", "echo @ said; false", "echo @ here", "seq @", "echo @ notified"]
    assert sorted(read) == sorted(commands)


def test_nothing_is_printed(flow: Path, capfd: pytest.CaptureFixture[str]) -> None:
    batchwork.run(flow, store=flow.parent / "elsewhere").close()
    assert capfd.readouterr() == ("", "")
    assert not (flow.parent / ".batchwork").exists()


@pytest.mark.promise("9.30")
def test_retry_and_resume(flow: Path) -> None:
    batchwork.run(flow, {"bad": 2}).close()
    with batchwork.retry_failed(where="item == 9") as none:
        assert none.exit_code == 3 and "nothing to do" in none.message
    with batchwork.resume() as again:
        assert again.exit_code == 3
        assert list(again.outputs) == ["got"]
    with pytest.raises(batchwork.RunRefused):
        batchwork.resume("nobody")


@pytest.mark.promise("9.30")
def test_load_checks_and_runs_nothing(flow: Path) -> None:
    plan = batchwork.load(flow)
    assert [step.name for step in plan.steps] == ["work", "say"]
    flow.write_text("steps: {a: {task: shel}}", encoding="utf-8")
    with pytest.raises(batchwork.WorkflowError, match="shell"):
        batchwork.load(flow)
    with pytest.raises(batchwork.WorkflowError):
        batchwork.run(flow)
    assert not (flow.parent / ".batchwork").exists()


ITSELF: list[Any] = []
ITSELF.append(ITSELF)
NO_PARAMS: list[Any] = [[], "a=1", 5, {1: 2}, {"bad": {1, 2}}, {"bad": [1, b"x"]}, {"bad": {"x": {2: 3}}}]
NO_PARAMS += [{"bad": float("nan")}, {"bad": Path("x")}, {"bad": ITSELF}]
NO_TEXT, NO_FLAG, NO_PATH = [5, b"r1", ["r1"]], [None, 0, "no"], [5, b"x", "", "a\0b", ["x"]]
WRONG: dict[str, list[Any]] = {
    "file": [None, *NO_PATH],
    "params": NO_PARAMS,
    "store": NO_PATH,
    "run_id": [5, "", "-x", "../x", "a b", "x" * 65, "r\n"],
    "max_parallel": [0, -1, 2.0, "2", True],
    "durability": [None, "nonsense", "Full", ["full"], 1],
    "progress": [None, "nonsense", "lines ", ["off"], False],
    "run": NO_TEXT,
    "where": [*NO_TEXT, True],
    "accept_changes": NO_FLAG,
    "downstream": NO_FLAG,
    "reread": NO_FLAG,
}
CALLS: dict[str, Callable[..., object]] = {
    "load": batchwork.load,
    "run": batchwork.run,
    "resume": batchwork.resume,
    "retry_failed": batchwork.retry_failed,
}
EACH = [
    (call, name, value)
    for call, function in CALLS.items()
    for name in inspect.signature(function).parameters
    for value in WRONG[name]
]


@pytest.mark.parametrize(("call", "name", "value"), EACH)
@pytest.mark.promise("9.31")
def test_every_argument_is_checked_before_anything_runs(flow: Path, call: str, name: str, value: Any) -> None:
    given = {"file": flow, name: value} if call in ("load", "run") else {name: value}
    with pytest.raises(batchwork.UsageError) as caught:
        CALLS[call](**given)
    named = {"params": "bad|params", "run_id": "run_id|name of a run"}.get(name, name)
    assert re.search(named, str(caught.value))
    assert not (flow.parent / ".batchwork").exists()


def test_parameters_are_data_of_their_own(flow: Path) -> None:
    class Shade(StrEnum):
        RED = "red"

    flow.write_text("steps: {a: {task: echo, inputs: {message: x}}}", encoding="utf-8")
    mine = {"a": (1, [True, None]), "b": {"c": 1.5}, "d": Shade.RED}
    plan = batchwork.load(flow, mine)
    assert plan.params == {"a": [1, [True, None]], "b": {"c": 1.5}, "d": "red"}
    mine["b"]["c"] = 2  # type: ignore[index]
    assert plan.params["b"] == {"c": 1.5}


def test_names_are_imported_when_used() -> None:
    code = "import sys, batchwork; print(len([name for name in sys.modules if name.startswith('batchwork')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert {"run", "Task", "Failure"} <= set(dir(batchwork))
    for name in batchwork.__all__:
        assert getattr(batchwork, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        batchwork.nonsense  # type: ignore[attr-defined]
