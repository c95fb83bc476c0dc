"""Stopping real runs with real signals: what finishes, what is interrupted, what is left, which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from batchwork.engine.stopping.signals import ECHO_S
from batchwork.proctree import COOKIE, below, children, environ_value

FLOW = """
name: stops
steps:
  - name: work
    task: batch
    inputs:
      items: {from: range, stop: 6}
      max_parallel: 2
      task: {type: shell, command: "echo start {{ item }} >> ledger; COMMAND; echo end {{ item }} >> ledger"}
  - name: last
    task: shell
    inputs: {command: "echo last >> ledger"}
finally:
  - name: clean
    task: shell
    inputs: {command: "echo clean {{ run.status }} >> ledger"}
"""

WAIT = "while [ ! -e go ]; do sleep 0.05; done"
"""Items that end when a test says so."""
STUBBORN = "trap '' TERM; sleep 600"


class Started:
    """A run in a process of its own."""

    def __init__(self, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]) -> None:
        self.work, self.environ, self.wait_for = work, {**environ, COOKIE + "_TEST": work.name}, wait_for
        self.process: subprocess.Popen[str] | None = None

    def go(self, *args: str, starts: int) -> None:
        """Start the command, and wait until so many items have started."""
        self.process = subprocess.Popen(
            ["batchwork", *args],
            cwd=self.work,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.wait_for(lambda: len(self.lines("start")) >= starts, f"{starts} started items")

    def send(self, number: int) -> None:
        assert self.process is not None
        time.sleep(2 * ECHO_S)  # sooner, it would be taken for the same request
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        assert self.process is not None
        said, _ = self.process.communicate(timeout=60)
        return self.process.returncode, said

    def lines(self, word: str) -> list[str]:
        ledger = self.work / "ledger"
        return [line for line in ledger.read_text().splitlines() if line.startswith(word)] if ledger.exists() else []

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["batchwork", *args],
            cwd=self.work,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def counts(self) -> Any:
        return json.loads(self.command("status", "--json").stdout)["steps"]["work"]["counts"]

    def left(self) -> list[str]:
        """Command lines of what is still there of the run."""
        mark = f"{COOKIE}_TEST={self.work.name}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


@pytest.fixture
def started(work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]) -> Iterator[Started]:
    run = Started(work, environ, wait_for)
    yield run
    if run.process is not None and run.process.poll() is None:
        os.killpg(run.process.pid, signal.SIGKILL)
        run.process.communicate()


def write(work: Path, command: str) -> None:
    (work / "stops.yaml").write_text(FLOW.replace("COMMAND", command), encoding="utf-8")


@pytest.mark.fault("B01", "B04")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
@pytest.mark.promise("9.21", "9.22")
def test_the_first_signal_drains(started: Started, number: int, code: int) -> None:
    write(started.work, WAIT)
    started.go("run", "stops.yaml", starts=2)
    started.send(number)
    (started.work / "go").touch()
    exit_code, said = started.end()
    assert exit_code == code, said
    assert "finishing 2 running items" in said and "batchwork resume" in said
    assert len(started.lines("start")) == len(started.lines("end")) == 2
    assert started.lines("clean") == ["clean interrupted"]
    assert started.counts() == {
        "total": started.counts()["total"],
        "succeeded": 2,
        "failed": 0,
        "skipped": 0,
        "in_doubt": 0,
        "pending": started.counts()["pending"],
        "running": 0,
    }
    resumed = started.command("resume")
    assert resumed.returncode == 0, resumed.stderr
    assert len(started.lines("start")) == len(started.lines("end")) == 6
    assert started.lines("last") == ["last"]
    assert started.lines("clean") == ["clean interrupted", "clean succeeded"]
    assert started.left() == []


@pytest.mark.fault("B02")
@pytest.mark.promise("9.23")
def test_the_second_signal_interrupts_and_uses_no_attempt(started: Started, wait_for: Callable[..., None]) -> None:
    write(started.work, "sleep 600")
    started.go("run", "stops.yaml", starts=2)
    started.send(signal.SIGINT)
    wait_for(lambda: _logged(started, "Stopping"), "the first stop")
    started.send(signal.SIGINT)
    exit_code, said = started.end()
    assert exit_code == 130, said
    assert started.left() == []
    assert started.lines("end") == []
    counts = started.counts()
    assert (counts["succeeded"], counts["failed"], counts["in_doubt"]) == (0, 0, 0)
    units = [json.loads(line) for line in started.command("items", "--step", "work", "--json").stdout.splitlines()]
    assert [unit["status"] for unit in units if unit["index"] < 2] == ["interrupted", "interrupted"]
    assert {unit["attempts"] for unit in units} == {0}


@pytest.mark.fault("B03")
@pytest.mark.promise("9.24")
def test_the_third_signal_kills_at_once(started: Started, wait_for: Callable[..., None]) -> None:
    write(started.work, STUBBORN)
    started.go("run", "stops.yaml", starts=2)
    for count in range(1, 4):
        started.send(signal.SIGINT)
        if count < 3:
            wait_for(lambda count=count: len(_logged(started, "Stopping")) >= count, f"stop {count}")
    exit_code, said = started.end()
    assert exit_code == 130, said
    assert started.left() == []
    assert started.lines("clean") == []


@pytest.mark.fault("I02")
def test_a_running_run_cannot_be_resumed(started: Started) -> None:
    write(started.work, WAIT)
    started.go("run", "stops.yaml", starts=2)
    refused = started.command("resume")
    assert refused.returncode == 4
    assert "is being worked on by" in refused.stderr
    (started.work / "go").touch()
    exit_code, said = started.end()
    assert exit_code == 0, said


@pytest.mark.fault("A01")
@pytest.mark.promise("10.01")
def test_after_a_kill_only_what_was_claimed_runs_again(started: Started, wait_for: Callable[..., None]) -> None:
    write(started.work, WAIT)
    started.go("run", "stops.yaml", starts=2)
    started.send(signal.SIGKILL)
    started.end()
    wait_for(lambda: started.left() == [], "the end of the children", within_s=5)
    status = json.loads(started.command("status", "--json").stdout)
    assert status["status"] == "crashed"
    assert status["steps"]["work"]["counts"]["in_doubt"] == 2
    (started.work / "go").touch()
    resumed = started.command("resume")
    assert resumed.returncode == 0, resumed.stderr
    assert sorted(started.lines("start")) == sorted(["start 0", "start 1", *(f"start {n}" for n in range(6))])
    assert sorted(started.lines("end")) == [f"end {n}" for n in range(6)]
    assert started.lines("clean") == ["clean succeeded"]


@pytest.mark.fault("B11")
def test_stacks_are_shown_and_the_run_goes_on(started: Started) -> None:
    write(started.work, WAIT)
    started.go("run", "stops.yaml", starts=2)
    started.send(signal.SIGUSR1)
    (started.work / "go").touch()
    exit_code, said = started.end()
    assert exit_code == 0, said
    assert "most recent call first" in said


def _logged(started: Started, event: str) -> list[str]:
    logs = list((started.work / ".batchwork" / "logs").glob("*.jsonl"))
    lines = logs[0].read_text().splitlines() if logs else []
    return [line for line in lines if json.loads(line)["event"] == event]


PAUSED = """
name: paused
steps:
  - name: commands
    task: batch
    inputs:
      items: [1]
      timeout: 1.5
      task: {type: shell, command: "echo start c >> ledger; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done"}
  - name: python
    depends_on: []
    task: batch
    inputs:
      items: [1]
      timeout: 1.5
      task:
        type: python
        code: |
          import time
          open("ledger", "a").write("start p\\n")
          for _ in range(8):
              time.sleep(0.1)
"""


@pytest.mark.fault("B07")
def test_ctrl_z_stops_what_runs_too_and_takes_no_time_from_it(
    work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    (work / "w.yaml").write_text(PAUSED, encoding="utf-8")
    ledger = work / "ledger"
    # A group of its own in this session: the kernel lets no orphaned group be stopped.
    run = subprocess.Popen(
        ["batchwork", "run", "w.yaml", "--json"], env=environ, stdout=subprocess.PIPE, process_group=0
    )
    try:
        wait_for(lambda: ledger.exists() and len(ledger.read_text().splitlines()) == 2, "two started items")
        os.killpg(run.pid, signal.SIGTSTP)
        wait_for(lambda: _state(run.pid) == "T", "a run that stands still")
        workers = [pid for pid in children(run.pid) if environ_value(pid, COOKIE)]
        wait_for(lambda: {_state(pid) for pid in (*workers, *below(workers))} == {"T"}, "workers that stand still")
        since = time.monotonic()
        wait_for(lambda: time.monotonic() > since + 2, "more than the time limit")
        os.killpg(run.pid, signal.SIGCONT)
        said, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 0, said
    assert len(workers) >= 2


def _state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]
