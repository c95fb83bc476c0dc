"""Looking into the store from the command line: runs, status, items, errors, logs, results."""

from __future__ import annotations

import fcntl
import json
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

FLOW = r"""
name: flow
steps:
  - name: words
    task: batch
    inputs:
      items: [abc, "007", "\e[31mred", {a: 1}, "日本", bad]
      continue_on_error: true
      retry: {max_attempts: 2}
      task:
        task: python
        code: |
          print("working on", item)
          if item == "bad":
              raise ValueError(f"cannot do \x1b[2J{item}")
          return item
  - name: shell
    task: batch
    inputs:
      items: {from: range, stop: 5}
      key: "n{{ item }}"
      continue_on_error: true
      task: {task: shell, command: "echo out {{ item }}; test {{ item }} -lt 3 || { echo no {{ item }} >&2; exit 9; }"}
  - name: one
    task: python
    inputs: {code: "return {'big': 2 ** 70}"}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, environ: Mapping[str, str]) -> Path:
    """A folder in which the workflow has run as `r1`."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "flow.yaml").write_text(FLOW)
    done = subprocess.run([BIN, "run", "flow.yaml", "--run-id", "r1"], cwd=folder, env=environ, capture_output=True)
    assert done.returncode == 3, done.stderr.decode()
    return folder


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.promise("9.06")
def test_runs(batchwork: Command, ran: Path) -> None:
    table = batchwork("runs", cwd=ran).stdout.splitlines()
    assert table[0].split() == ["run", "workflow", "status", "started", "took", "items", "done"]
    assert table[1].split()[:3] == ["r1", "flow", "partial"] and table[1].endswith("11, 3 failed")
    (run,) = lines(batchwork("runs", "--json", cwd=ran).stdout)
    assert (run["run"], run["status"], run["counts"]["failed"]) == ("r1", "partial", 3)


@pytest.mark.promise("9.06")
def test_status(batchwork: Command, ran: Path, golden: Golden) -> None:
    golden("status", batchwork("status", cwd=ran).stdout)
    assert batchwork("status", "r1", "--watch", cwd=ran).stdout == batchwork("status", cwd=ran).stdout


@pytest.mark.promise("9.14", "7.14")
def test_items_as_json(batchwork: Command, ran: Path) -> None:
    units = lines(batchwork("items", "--json", cwd=ran).stdout)
    assert len(units) == 12
    assert units[0] | {"duration": 0, "worker": "w"} == {
        "step": "words",
        "index": 0,
        "key": '"abc"',
        "status": "succeeded",
        "attempts": 1,
        "item": "abc",
        "result": "abc",
        "error": None,
        "duration": 0,
        "worker": "w",
    }
    assert units[0]["worker"].startswith("python/")
    assert [unit["item"] for unit in units[1:5]] == ["007", "\x1b[31mred", {"a": 1}, "日本"]
    assert (units[5]["status"], units[5]["attempts"], units[5]["result"]) == ("failed", 2, None)
    assert units[5]["error"]["type"] == "ValueError" and "Traceback" in units[5]["error"]["traceback"]
    assert [unit["key"] for unit in units[6:11]] == ["n0", "n1", "n2", "n3", "n4"]
    assert (units[9]["item"], units[9]["error"]["exit_code"]) == (3, 9)
    assert units[11]["result"] == {"big": 2**70} and units[11]["item"] is None


def test_items_chosen(batchwork: Command, ran: Path) -> None:
    assert len(lines(batchwork("items", "--status", "failed", "--json", cwd=ran).stdout)) == 3
    assert len(lines(batchwork("items", "r1", "--step", "shell", "--json", cwd=ran).stdout)) == 5
    assert batchwork("items", "--status", "in_doubt", "--json", cwd=ran).stdout == ""
    done = batchwork("items", "--step", "shel", cwd=ran, expect=2)
    assert "did you mean `shell`?" in done.stderr


def test_items_as_a_table(batchwork: Command, ran: Path, golden: Golden) -> None:
    shown = batchwork("items", cwd=ran, env={"COLUMNS": "80"}).stdout
    golden("items", shown)
    assert "\x1b" not in shown


@pytest.mark.promise("9.07")
def test_errors(batchwork: Command, ran: Path, golden: Golden) -> None:
    done = batchwork("errors", cwd=ran)
    golden("errors", done.stdout)
    groups = lines(batchwork("errors", "--json", cwd=ran).stdout)
    assert [(group["step"], group["type"], group["code"], group["count"]) for group in groups] == [
        ("shell", "exit", 9, 2),
        ("words", "ValueError", None, 1),
    ]
    assert "nothing failed" in batchwork("errors", "--step", "one", cwd=ran).stderr


@pytest.mark.parametrize("words", [("r1", "bad"), ("bad",), ('"bad"',), ("r1", '"bad"', "--step", "words")])
@pytest.mark.promise("7.14")
def test_logs_of_an_item(batchwork: Command, ran: Path, golden: Golden, words: tuple[str, ...]) -> None:
    golden("logs", batchwork("logs", *words, cwd=ran).stdout)


@pytest.mark.promise("7.13")
def test_logs_of_a_command(batchwork: Command, ran: Path, golden: Golden) -> None:
    golden("logs_shell", batchwork("logs", "n3", cwd=ran).stdout)


@pytest.mark.promise("7.13")
def test_logs_of_nothing(batchwork: Command, ran: Path) -> None:
    assert "`batchwork items r1` lists the keys" in batchwork("logs", "r1", "nope", cwd=ran, expect=4).stderr


@pytest.mark.promise("9.11")
def test_results(batchwork: Command, ran: Path, golden: Golden) -> None:
    rows = lines(batchwork("results", "--step", "words", "--format", "jsonl", cwd=ran).stdout)
    assert [row["index"] for row in rows] == list(range(6))
    assert rows[2] == {"index": 2, "key": '"\\u001b[31mred"', "status": "succeeded", "result": "\x1b[31mred"}
    assert rows[5] == {"index": 5, "key": '"bad"', "status": "failed", "result": None}
    golden("results", batchwork("results", "--step", "shell", cwd=ran, env={"COLUMNS": "80"}).stdout)
    done = batchwork("results", cwd=ran)
    assert "results of step shell" in done.stderr


@pytest.mark.promise("9.11")
def test_results_in_a_file(batchwork: Command, ran: Path, work: Path) -> None:
    batchwork("results", "--step", "words", "-o", str(work / "out.jsonl"), cwd=ran)
    assert (work / "out.jsonl").read_text() == batchwork(
        "results", "--step", "words", "--format", "jsonl", cwd=ran
    ).stdout
    assert list(work.iterdir()) == [work / "out.jsonl"]
    assert "nowhere" in batchwork("results", "-o", str(work / "nowhere" / "x"), cwd=ran, expect=4).stderr
    assert "is not a file" in batchwork("results", "-o", "/dev/full", cwd=ran, expect=4).stderr


def test_a_reader_that_has_had_enough(ran: Path, environ: Mapping[str, str]) -> None:
    command = f"'{BIN}' items --json | head -1; echo ${{PIPESTATUS[0]}}; '{BIN}' items >/dev/full; echo $?"
    done = subprocess.run(["bash", "-c", command], cwd=ran, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[1:] == ["0", "4"]
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("command", ["runs", "status", "items", "errors", "results", "resume", "retry"])
def test_without_a_store(batchwork: Command, work: Path, command: str) -> None:
    done = batchwork(command, expect=4)
    assert "there is no store" in done.stderr and "Traceback" not in done.stderr
    assert list(work.iterdir()) == []


@pytest.mark.promise("9.20")
def test_a_run_that_is_not_there(batchwork: Command, ran: Path) -> None:
    for command in ("status", "items", "errors", "results", "resume", "retry"):
        done = batchwork(command, "r2", cwd=ran, expect=4)
        assert "there is no run `r2`" in done.stderr and "did you mean `r1`?" in done.stderr


def test_that_not_all_failures_were_read_is_said(
    batchwork: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from batchwork.cli import closing
    from batchwork.cli.look import looking

    (work / "w.yaml").write_text(
        "name: w\nsteps:\n  - name: a\n    task: batch\n    inputs:\n      items: [1, 2, 3]\n"
        "      continue_on_error: true\n      task: {type: shell, command: 'false'}\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(closing, "FAILURES_MAX", 2)
    batchwork("run", "w.yaml", expect=3)
    with looking(None) as store:
        record = store.runs()[0]
        lines = list(closing.failure_lines(closing.first_failures(store, store.steps(record.id)), None, record.id))
    assert lines[-1] == f"… of the first 2 failures; `batchwork errors {record.id}` reads all"


def test_logs_show_what_became_of_on_item_error(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: [1]\n      continue_on_error: true\n"
        "      on_item_error: {task: shell, inputs: {command: exit 9}}\n      task: {type: shell, command: exit 4}\n"
    )
    batchwork("run", "flow.yaml", expect=3)
    assert "  on_item_error failed: exit 9" in batchwork("logs", "1", expect=0).stdout


def test_what_a_killed_export_left_is_taken_away(batchwork: Command, ran: Path, work: Path) -> None:
    left, other = work / ".out.jsonl.ab12_x.part", work / ".out.jsonl.gz.ab12_x.part"
    held = work / ".out.jsonl.held.part"
    for file in (left, other, held):
        file.write_text("half")
    with held.open() as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        batchwork("results", "--step", "words", "-o", str(work / "out.jsonl"), cwd=ran)
    assert sorted(path.name for path in work.iterdir() if path.name.endswith(".part")) == [other.name, held.name]
    assert (work / "out.jsonl").read_text().count("\n") == 6
