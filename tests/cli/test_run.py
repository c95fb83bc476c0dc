"""`batchwork run` as a user sees it: what is printed where, exit codes, parameters, signals, streams that are gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]
Golden = Callable[[str, str], None]
BIN = Path(sys.executable).parent / "batchwork"

FLOW = """
name: flow
params:
  bad: {type: integer, default: -1}
  tolerant: true
steps:
  - name: work
    task: batch
    inputs:
      items: {from: range, stop: 6}
      max_parallel: 2
      continue_on_error: "{{ params.tolerant }}"
      task:
        task: shell
        command: "test {{ item }} != {{ params.bad }} || { echo no good >&2; exit 7; }"
  - name: after
    task: shell
    inputs: {command: echo done}
"""


@pytest.fixture
def flow(work: Path) -> Path:
    file = work / "flow.yaml"
    file.write_text(FLOW)
    return file


@pytest.mark.promise("9.16")
def test_all_succeeded(batchwork: Command, flow: Path, golden: Golden) -> None:
    done = batchwork("run", "flow.yaml", expect=0)
    golden("run_succeeded_out", done.stdout)
    golden("run_succeeded_err", done.stderr)


@pytest.mark.fault("L08")
@pytest.mark.promise("9.19")
def test_tolerated_failures_are_exit_3(batchwork: Command, flow: Path, golden: Golden) -> None:
    done = batchwork("run", "flow.yaml", "bad=3", expect=3)
    golden("run_partial_out", done.stdout)
    golden("run_partial_err", done.stderr)
    batchwork("run", "flow.yaml", "bad=3", "--allow-failures", expect=0)


@pytest.mark.promise("9.17")
def test_a_failed_step_is_exit_1(batchwork: Command, flow: Path, golden: Golden) -> None:
    done = batchwork("run", "flow.yaml", "bad=0", "tolerant=false", "--max-parallel", "1", expect=1)
    golden("run_failed_out", done.stdout)


@pytest.mark.promise("9.01")
def test_json_is_all_there_is_on_standard_output(batchwork: Command, flow: Path) -> None:
    done = batchwork("run", "flow.yaml", "bad=3", "--json", "--run-id", "r1", expect=3)
    end = json.loads(done.stdout)
    assert (end["run"], end["workflow"], end["status"]) == ("r1", "flow", "partial")
    counts = {"total": 6, "succeeded": 5, "failed": 1, "skipped": 0, "in_doubt": 0, "pending": 0, "running": 0}
    assert end["steps"]["work"]["counts"] == counts
    assert end["steps"]["work"]["status"] == "succeeded" and end["steps"]["work"]["duration"] > 0
    assert json.loads(batchwork("status", "--json").stdout) == end


def test_progress_as_json_lines(batchwork: Command, flow: Path) -> None:
    done = batchwork("run", "flow.yaml", "--progress", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events if event["event"] != "Progressed"] == [
        "RunStarted",
        "StepStarted",
        "StepFinished",
        "StepStarted",
        "StepFinished",
        "RunFinished",
    ]


def test_quiet(batchwork: Command, flow: Path) -> None:
    done = batchwork("run", "flow.yaml", "--quiet")
    assert (done.stdout, done.stderr) == ("", "")
    assert "1 failure (exit 7)" in batchwork("run", "flow.yaml", "bad=2", "-q", expect=3).stdout


def test_bars_are_refused_where_there_is_no_terminal(batchwork: Command, flow: Path) -> None:
    assert "\x1b" not in batchwork("run", "flow.yaml", "--progress", "bar").stderr


@pytest.mark.promise("5.30")
def test_an_echo_goes_to_standard_output_and_with_json_to_standard_error(batchwork: Command, work: Path) -> None:
    (work / "echo.yaml").write_text(
        'steps:\n  - name: say\n    for_each: ["é", "日本", "\\e[31m"]\n    task: echo\n'
        '    inputs: {message: "<{{ item }}>"}\n'
    )
    assert batchwork("run", "echo.yaml").stdout.splitlines()[:3] == ["<é>", "<日本>", "<\x1b[31m>"]
    done = batchwork("run", "echo.yaml", "--json")
    assert json.loads(done.stdout)["status"] == "succeeded"
    assert "<é>\n" in done.stderr and "<\\x1b[31m>\n" in done.stderr


@pytest.mark.fault("F11")
@pytest.mark.parametrize(("items", "count"), [("[]", 0), ("[x]", 1)])
def test_no_item_and_one_item(batchwork: Command, work: Path, items: str, count: int) -> None:
    (work / "w.yaml").write_text(
        f"steps:\n  - name: s\n    for_each: {items}\n    task: shell\n    inputs: {{command: 'echo {{{{ item }}}}'}}\n"
    )
    end = json.loads(batchwork("run", "w.yaml", "--json").stdout)
    assert end["steps"]["s"]["counts"]["total"] == count
    assert batchwork("results", "--format", "jsonl").stdout.count("\n") == count


def test_parameters_from_a_file_and_the_command_line(batchwork: Command, flow: Path, work: Path) -> None:
    (work / "p.json").write_text('{"bad": 1, "tolerant": true}')
    batchwork("run", "flow.yaml", "--params-file", "p.json", expect=3)
    batchwork("run", "flow.yaml", "--params-file", "p.json", "bad=77", expect=0)
    done = batchwork("run", "flow.yaml", "bda=1", expect=2)
    assert "bda" in done.stderr and "bad" in done.stderr


@pytest.mark.promise("9.05")
def test_dry_run_does_nothing(batchwork: Command, flow: Path, work: Path, golden: Golden) -> None:
    done = batchwork("run", "flow.yaml", "--dry-run")
    golden("plan", done.stdout)
    assert done.stdout == batchwork("plan", "flow.yaml").stdout
    assert not (work / ".batchwork").exists()


@pytest.mark.fault("L02")
def test_validate(batchwork: Command, flow: Path, work: Path) -> None:
    assert batchwork("validate", "flow.yaml").stdout == "flow.yaml: ok, 2 steps, 1 with items\n"
    flow.write_text(FLOW.replace("command:", "comand:", 1))
    done = batchwork("validate", "flow.yaml", expect=2)
    assert "flow.yaml:15" in done.stderr and "command" in done.stderr and "nothing ran" in done.stderr
    assert not (work / ".batchwork").exists()


@pytest.mark.parametrize("name", ["../x", "a b", ".hidden", "", "x" * 65, "-x", "--", "r\n"])
def test_a_bad_run_id_is_refused(batchwork: Command, flow: Path, name: str) -> None:
    assert "cannot be the name of a run" in batchwork("run", "flow.yaml", f"--run-id={name}", expect=2).stderr


@pytest.mark.fault("I01")
def test_the_same_run_id_twice_is_exit_4(batchwork: Command, flow: Path) -> None:
    batchwork("run", "flow.yaml", "--run-id", "r1")
    done = batchwork("run", "flow.yaml", "--run-id", "r1", expect=4)
    assert "r1" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("said", "there"), [("state.db", "state.db"), ("folder", "folder/state.db"), ("a/b/", "a/b/state.db")]
)
def test_where_the_store_is(batchwork: Command, flow: Path, work: Path, said: str, there: str) -> None:
    batchwork("run", "flow.yaml", "--store", said)
    assert (work / there).is_file()
    assert "succeeded" in batchwork("runs", env={"BATCHWORK_STORE": said}).stdout
    assert not (work / ".batchwork").exists()


@pytest.mark.promise("9.44")
def test_resume_option_continues_or_starts(batchwork: Command, flow: Path) -> None:
    def runs() -> list[str]:
        return [json.loads(line)["run"] for line in batchwork("runs", "--json").stdout.splitlines()]

    batchwork("run", "flow.yaml", "bad=0", "tolerant=false", "--resume", expect=1)
    batchwork("run", "flow.yaml", "bad=0", "tolerant=false", "--resume", expect=1)
    assert len(runs()) == 1
    batchwork("run", "flow.yaml", "--resume")
    batchwork("run", "flow.yaml", "--resume")
    assert len(runs()) == 3
    batchwork("run", "flow.yaml", "tolerant=false", "bad=0", "--resume", expect=1)
    assert len(runs()) == 3


@pytest.mark.parametrize("more", [(), ("--resume",)])
@pytest.mark.promise("9.45")
def test_a_run_id_of_other_parameters_or_another_workflow_is_refused(
    batchwork: Command, flow: Path, work: Path, more: tuple[str, ...]
) -> None:
    batchwork("run", "flow.yaml", "bad=0", "tolerant=false", "--run-id", "nightly", expect=1)
    done = batchwork("run", "flow.yaml", "bad=2", "tolerant=false", "--run-id", "nightly", *more, expect=4)
    assert "parameter `bad` was 0 and is 2" in done.stderr
    assert "batchwork resume nightly" in done.stderr
    (work / "other.yaml").write_text(
        "params: {bad: 0, tolerant: false}\nsteps: {s: {task: echo, inputs: {message: '{{ bad }}'}}}\n"
    )
    done = batchwork("run", "other.yaml", "--run-id", "nightly", *more, expect=4)
    assert "nightly" in done.stderr


def test_accepting_changes_is_for_a_run_that_goes_on(batchwork: Command, flow: Path) -> None:
    words = ("run", "flow.yaml", "bad=0", "tolerant=false")
    batchwork(*words, expect=1)
    flow.write_text(flow.read_text().replace("test {{", "true {{"))
    assert "--accept-changes" in batchwork(*words, "--resume", expect=4).stderr
    assert "--resume" in batchwork(*words, "--accept-changes", expect=2).stderr
    batchwork(*words, "--resume", "--accept-changes")


def test_a_full_or_closed_standard_output_harms_nothing(
    batchwork: Command, flow: Path, environ: Mapping[str, str]
) -> None:
    command = f"'{BIN}' run flow.yaml bad=3 >/dev/full; echo $? >&3; '{BIN}' run flow.yaml | true; echo ${{PIPESTATUS[0]}} >&3"
    done = subprocess.run(
        ["bash", "-c", f"exec 3>&1; {command}"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["3", "0"]
    assert "warning: cannot write to standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


SLEEPERS = """
steps:
  - name: sleep
    for_each: [1, 2, 3, 4, 5, 6]
    parallel: {max_parallel: 2}
    task: shell
    inputs: {command: "touch started-{{ item }}; sleep {{ params.t }}; touch done-{{ item }}"}
params: {t: 0.5}
"""


@pytest.mark.fault("B01")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.promise("9.21")
def test_a_signal_drains_and_resume_goes_on(
    batchwork: Command, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None], number: int, code: int
) -> None:
    (work / "s.yaml").write_text(SLEEPERS)
    run = subprocess.Popen(
        [BIN, "run", "s.yaml"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: list(work.glob("started-*")), "the first item")
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == code
    assert len(list(work.glob("started-*"))) == len(list(work.glob("done-*"))) == 2
    assert "finishing 2 running items … press Ctrl-C again to stop them" in err
    assert "interrupted" in out and "batchwork resume" in out
    end = json.loads(batchwork("resume", "--json").stdout)
    assert end["status"] == "succeeded" and end["steps"]["sleep"]["counts"]["succeeded"] == 6


def test_a_second_signal_stops_what_runs(
    batchwork: Command, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    (work / "s.yaml").write_text(SLEEPERS)
    run = subprocess.Popen(
        [BIN, "run", "s.yaml", "t=60"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: len(list(work.glob("started-*"))) == 2, "two items")
    assert run.stderr is not None
    os.kill(run.pid, signal.SIGINT)
    seen = ""
    while "finishing" not in seen:
        seen = run.stderr.readline()
        assert seen
    os.kill(run.pid, signal.SIGTERM)  # another one, as the same signal at once is taken for an echo of the first
    run.communicate(timeout=30)
    assert run.returncode == 130
    found = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert [(unit["status"], unit["attempts"]) for unit in found] == [("interrupted", 0)] * 2
