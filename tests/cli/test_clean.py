"""`batchwork clean`: which runs go, what of them goes, and that the file becomes smaller."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from batchwork.cli.forgetting import to_forget
from batchwork.model import RunRecord, RunStatus
from batchwork.testing.store_case import run_record
from places import BIN

Command = Callable[..., "CompletedProcess[str]"]

FLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: {from: range, stop: 100}
      task: {type: python, code: "import random; return ''.join(random.choices('abcdefghij', k=20000))"}
  - {name: t, task: shell, inputs: {command: 'mkdir -p "{{ run.dir }}"; echo x > "{{ run.dir }}/scratch"'}}
"""


def runs(batchwork: Command) -> list[str]:
    return [json.loads(line)["run"] for line in batchwork("runs", "--json", expect=0).stdout.splitlines()]


@pytest.mark.promise("9.60")
def test_runs_are_forgotten_and_their_room_is_given_back(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(FLOW)
    for name in ("a", "b", "c"):
        batchwork("run", "w.yaml", "--run-id", name, "--quiet", expect=0)
    state = work / ".batchwork"
    before, kept = (state / "state.db").stat().st_size, batchwork("results", "c", "--step", "s").stdout
    told = batchwork("clean", "--keep", "1", "--dry-run", expect=0).stdout
    assert "2 runs would be forgotten" in told
    assert runs(batchwork) == ["c", "b", "a"]
    said = batchwork("clean", "--keep", "1", expect=0).stdout
    assert said.startswith("2 runs forgotten, ")
    assert said.endswith(" given back\n")
    assert runs(batchwork) == ["c"]
    assert batchwork("results", "c", "--step", "s").stdout == kept
    assert (state / "state.db").stat().st_size < before / 2
    assert os.listdir(state / "runs") == ["c"]
    assert os.listdir(state / "logs") == ["c.jsonl"]
    with closing(sqlite3.connect(state / "state.db")) as connection:
        assert connection.execute("select count(*) from step where run <> 'c'").fetchone() == (0,)
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    batchwork("run", "w.yaml", "--run-id", "a", "--quiet", expect=0)
    assert runs(batchwork) == ["a", "c"]


def test_what_can_be_gone_on_with_is_forgotten_only_by_name(
    batchwork: Command, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    (work / "w.yaml").write_text("""
steps:
  - name: s
    task: batch
    inputs:
      items: [a, b]
      max_parallel: 1
      task: {type: shell, command: "touch started; while [ ! -e go ]; do sleep 0.05; done"}
""")
    for name in ("killed", "living"):
        running = subprocess.Popen(
            [BIN / "batchwork", "run", "w.yaml", "--quiet", "--run-id", name], cwd=work, env=dict(environ)
        )
        wait_for((work / "started").exists)
        (work / "started").unlink()
        if name == "killed":
            running.send_signal(signal.SIGKILL)
            running.wait()
    said = batchwork("clean", "--keep", "0", expect=0)
    assert said.stdout == "0 runs forgotten\n"
    assert "1 unfinished run kept (killed)" in said.stderr
    assert "is being worked on by" in batchwork("clean", "living", expect=4).stderr
    said = batchwork("clean", "killed", expect=0)
    assert said.stdout == "1 run forgotten\n"
    assert "does not become smaller while a run goes on" in said.stderr
    assert runs(batchwork) == ["living"]
    (work / "go").touch()
    assert running.wait() == 0
    assert batchwork("clean", "--older", "0s", expect=0).stdout.startswith("1 run forgotten")
    assert runs(batchwork) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say which runs"),
        (("r", "--keep", "1"), "cannot be chosen by `--keep`"),
        (("--older", "soon"), "'soon' is no age; say 90m, 12h, 30d or 2w"),
        (("--keep", "-1"), "--keep"),
    ],
)
def test_a_wrong_wish_is_exit_2(batchwork: Command, words: tuple[str, ...], message: str) -> None:
    assert message in batchwork("clean", *words, expect=2).stderr


def test_an_unknown_run_forgets_nothing(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("steps: [{name: s, task: echo, inputs: {message: hi}}]")
    batchwork("run", "w.yaml", "--run-id", "there", "--quiet", expect=0)
    assert "there is no run `their`" in batchwork("clean", "there", "their", expect=4).stderr
    assert runs(batchwork) == ["there"]


def test_where_nothing_is_stored_there_is_nothing_to_forget(batchwork: Command, work: Path) -> None:
    batchwork("clean", "--keep", "1", expect=4)
    assert os.listdir(work) == []


def _ended(name: str, status: RunStatus, at_ms: int) -> RunRecord:
    from msgspec.structs import replace

    return replace(run_record(name, at_ms), status=status, ended_ms=at_ms)


def test_which_runs_go_is_a_matter_of_their_end() -> None:
    latest_first = [
        _ended("e", RunStatus.RUNNING, 50),
        _ended("d", RunStatus.FAILED, 40),
        _ended("c", RunStatus.INTERRUPTED, 30),
        _ended("b", RunStatus.PARTIAL, 20),
        _ended("a", RunStatus.SUCCEEDED, 10),
    ]
    assert [run.id for run in to_forget(latest_first, 0, None)] == ["d", "b", "a"]
    assert [run.id for run in to_forget(latest_first, 1, None)] == ["b", "a"]
    assert [run.id for run in to_forget(latest_first, 0, 20)] == ["a"]
    assert [run.id for run in to_forget(latest_first, 3, 99)] == []
