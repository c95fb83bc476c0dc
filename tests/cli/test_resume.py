"""`batchwork resume` and `retry` as a user sees them: plans, changes that are refused, runs that are locked or finished."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., "CompletedProcess[str]"]
Golden = Callable[[str, str], None]
BIN = Path(sys.executable).parent / "batchwork"

FLOW = """
name: flow
steps:
  - name: work
    task: batch
    inputs:
      items: [a, b, c, d]
      continue_on_error: true
      max_parallel: 2
      task:
        task: shell
        command: "echo {{ item }} >> ledger; test ! -e bad-{{ item }}"
  - name: check
    task: python
    inputs: {code: "return len(steps.work.result.failed)"}
"""


@pytest.fixture
def flow(work: Path) -> Path:
    file = work / "flow.yaml"
    file.write_text(FLOW)
    return file


def summary(done: CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ledger(work: Path) -> list[str]:
    file = work / "ledger"
    return sorted(file.read_text().split()) if file.exists() else []


@pytest.fixture
def crashed(flow: Path, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]) -> str:
    """A run that was killed while `c` ran."""
    text = FLOW.replace("[a, b, c, d]", "[c, d]").replace("test !", "sleep {{ params.t }}; test !")
    flow.write_text(text + "params: {t: 0}\n")
    run = subprocess.Popen(
        [BIN, "run", "flow.yaml", "t=60", "--run-id", "r1", "--max-parallel", "1"],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: ledger(work) == ["c"], "item c")
    run.send_signal(signal.SIGKILL)
    run.wait(timeout=10)
    return "r1"


@pytest.mark.promise("9.34")
def test_a_renamed_step_leaves_its_old_name_behind(batchwork: Command, flow: Path, work: Path) -> None:
    flow.write_text(FLOW.replace("continue_on_error: true", "max_failures: 0"))
    (work / "bad-d").touch()
    batchwork("run", "flow.yaml", expect=1)
    (work / "bad-d").unlink()
    flow.write_text(FLOW.replace("work", "renamed"))
    done = batchwork("resume", "--accept-changes")
    assert "batchwork retry" not in done.stdout + done.stderr
    status = summary(batchwork("status", "--json"))
    assert list(status["steps"]) == ["renamed", "check"]
    assert "work" not in batchwork("errors").stdout
    batchwork("items", "--step", "work", expect=2)
    assert batchwork("results", "--step", "renamed", "--format", "jsonl").stdout.count("succeeded") == 4


@pytest.mark.fault("I04", "K01")
@pytest.mark.promise("7.03", "9.02", "9.32", "10.03")
def test_a_crashed_run(batchwork: Command, crashed: str, work: Path, golden: Golden) -> None:
    status = summary(batchwork("status", "--json"))
    counts = status["steps"]["work"]["counts"]
    assert (status["status"], counts["succeeded"], counts["in_doubt"]) == ("crashed", 0, 1)
    status_text = re.sub(
        r"( after)? +\d[\d.]* m?s(?= |$)", "", batchwork("status").stdout, flags=re.M
    )  # if it was sampled
    golden("status_crashed", re.sub(r"(?<=\S) {2,}", "  ", status_text))
    golden("resume_plan", batchwork("resume", "--plan").stdout)
    (unit,) = [json.loads(line) for line in batchwork("items", "--status", "in_doubt", "--json").stdout.splitlines()]
    assert (unit["key"], unit["status"]) == ('"c"', "in_doubt")
    done = batchwork("retry", "--where", "key == 'nope'", expect=1)
    assert "no failed item fits" in done.stderr


@pytest.mark.fault("K06")
@pytest.mark.promise("9.35")
def test_limits_may_change_before_a_crashed_run_goes_on(
    batchwork: Command, crashed: str, flow: Path, work: Path
) -> None:
    text = flow.read_text().replace("max_parallel: 2", "max_parallel: 3\n      timeout: 0.3")
    flow.write_text("# a comment\n" + text)
    end = summary(batchwork("resume", "--json", expect=3))
    assert end["steps"]["work"]["counts"] == {
        "total": 2,
        "succeeded": 0,
        "failed": 2,
        "skipped": 0,
        "in_doubt": 0,
        "pending": 0,
        "running": 0,
    }
    assert ledger(work) == ["c", "c", "d"]
    assert "2 failures (timeout)" in batchwork("errors").stdout


@pytest.mark.fault("K03")
@pytest.mark.promise("9.20", "9.33")
def test_a_changed_command_is_refused_unless_accepted(
    batchwork: Command, flow: Path, work: Path, golden: Golden
) -> None:
    (work / "bad-b").touch()
    flow.write_text(FLOW.replace("continue_on_error: true", "continue_on_error: false"))
    batchwork("run", "flow.yaml", "--run-id", "r1", "--max-parallel", "1", expect=1)
    flow.write_text(flow.read_text().replace(">> ledger", ">> ledger2"))
    done = batchwork("resume", expect=4)
    golden("resume_changed", done.stderr)
    assert done.stdout == "" and ledger(work) == ["a", "b"]
    (work / "bad-b").unlink()
    end = summary(batchwork("resume", "--accept-changes", "--json"))
    assert end["status"] == "succeeded" and end["steps"]["work"]["counts"]["succeeded"] == 4
    assert sorted((work / "ledger2").read_text().split()) == ["b", "c", "d"]


@pytest.mark.fault("K02")
def test_a_finished_run_has_nothing_to_do(batchwork: Command, flow: Path, work: Path) -> None:
    batchwork("run", "flow.yaml", "--run-id", "r1")
    done = batchwork("resume")
    assert (done.stdout, done.stderr) == ("", "nothing to do for run r1: it has finished\n")
    assert summary(batchwork("resume", "--json"))["status"] == "succeeded"
    assert "nothing to do" in batchwork("resume", "--plan").stdout
    assert "nothing to do" in batchwork("retry").stderr
    assert ledger(work) == ["a", "b", "c", "d"]


@pytest.mark.promise("9.03", "9.42")
def test_retry_runs_what_failed_and_marks_what_came_after(batchwork: Command, flow: Path, work: Path) -> None:
    for name in ("bad-b", "bad-d"):
        (work / name).touch()
    batchwork("run", "flow.yaml", "--run-id", "r1", expect=3)
    batchwork("resume", expect=3)
    (work / "bad-b").unlink()
    done = batchwork("retry", "--where", "item == 'b'", expect=3)
    assert "stale: an earlier step was retried" in done.stdout
    assert "batchwork retry r1 --downstream" in done.stdout
    assert ledger(work) == ["a", "b", "b", "c", "d"]
    (work / "bad-d").unlink()
    batchwork("retry", "--downstream", expect=0)
    assert ledger(work) == ["a", "b", "b", "c", "d", "d"]
    (check,) = [
        json.loads(line) for line in batchwork("results", "--step", "check", "--format", "jsonl").stdout.splitlines()
    ]
    assert check["result"] == 0
    assert "stale" not in batchwork("status").stdout


def test_a_wrong_expression_is_exit_2(batchwork: Command, flow: Path) -> None:
    batchwork("run", "flow.yaml")
    done = batchwork("retry", "--where", "itm == 1", expect=2)
    assert "did you mean `item`" in done.stderr


@pytest.mark.fault("I02")
@pytest.mark.promise("9.20")
def test_a_run_that_is_being_worked_on_is_locked(
    batchwork: Command, flow: Path, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    flow.write_text(FLOW.replace("test !", "sleep 60; test !"))
    run = subprocess.Popen(
        [BIN, "run", "flow.yaml", "--run-id", "r1"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for((work / "ledger").exists, "the first item")
        for command in (("resume", "r1"), ("retry", "r1"), ("run", "flow.yaml", "--run-id", "r1")):
            done = batchwork(*command, expect=4)
            assert str(run.pid) in done.stderr and "Traceback" not in done.stderr
        assert "another process works on it" in batchwork("resume", "--plan").stdout
        assert summary(batchwork("status", "--json"))["status"] == "running"
        watch = subprocess.Popen(
            [BIN, "status", "--watch", "--json"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert watch.stdout is not None and json.loads(watch.stdout.readline())["status"] == "running"
    finally:
        run.kill()
        run.wait(timeout=10)
    seen, _ = watch.communicate(timeout=30)
    assert json.loads(seen.splitlines()[-1])["status"] == "crashed"
