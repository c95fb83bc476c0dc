"""Sections 9, 10 and 14, the command line, failures and systems, as far as no other test shows it."""

from __future__ import annotations

import ast
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import batchwork as package

Command = Callable[..., "CompletedProcess[str]"]

FLOW = """
params: {bad: 1}
steps:
  - name: a
    task: batch
    inputs:
      items: [0, 1, 2, 3]
      max_parallel: 1
      continue_on_error: true
      task: {type: shell, command: "test {{ item }} != {{ params.bad }}"}
"""


@pytest.mark.promise("9.12")
def test_the_latest_run_is_meant_where_none_is_named(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(FLOW)
    batchwork("run", "flow.yaml", "--run-id", "two", "bad=9", expect=0)
    batchwork("run", "flow.yaml", "--run-id", "one", expect=3)
    assert json.loads(batchwork("status", "--json", expect=0).stdout)["run"] == "one"
    rows = [
        json.loads(line) for line in batchwork("items", "--status", "failed", "--json", expect=0).stdout.splitlines()
    ]
    assert [row["item"] for row in rows] == [1]
    assert "1 failure" in batchwork("errors", expect=0).stdout
    assert '"failed"' in batchwork("results", "--format", "jsonl", expect=0).stdout
    assert "run one" in batchwork("resume", "--plan", expect=None).stdout
    batchwork("retry", expect=3)
    tried = json.loads(batchwork("items", "one", "--status", "failed", "--json", expect=0).stdout)
    assert tried["attempts"] == 2


@pytest.mark.promise("9.26", "9.27", "9.28", "10.15")
def test_what_is_printed_where_and_where_state_lives(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(FLOW)
    done = batchwork("run", "flow.yaml", "--run-id", "r", expect=3)
    assert done.stdout.startswith("flow (run r): partial in ")
    lines = done.stderr.splitlines()
    assert lines[:2] == ["run r: flow", "a: started, 4 items"]
    assert "3 succeeded, 1 failed" in lines[-1]
    assert "\x1b" not in done.stdout + done.stderr
    state = work / ".batchwork"
    assert "*" in (state / ".gitignore").read_text().splitlines()
    assert sorted(path.name for path in work.iterdir()) == [".batchwork", "flow.yaml"]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [state, *state.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    wrong = batchwork("run", "nothing.yaml", expect=2)
    assert (wrong.stdout, "nothing.yaml" in wrong.stderr) == ("", True)


@pytest.mark.promise("10.14")
def test_secrets_reach_tasks_by_the_environment_and_no_other_name(batchwork: Command, work: Path) -> None:
    secret = {"MY_TOKEN": "sesame-open-42"}
    (work / "wrong.yaml").write_text(
        """
secrets: [MY_TOKEN]
steps:
  - {name: a, task: echo, inputs: {message: "{{ MY_TOKEN }}"}}
  - {name: b, task: echo, inputs: {message: "{{ secrets.MY_TOKEN }}"}}
"""
    )
    said = batchwork("validate", "wrong.yaml", expect=2, env=secret).stderr
    assert "there is no `MY_TOKEN`" in said
    assert "there is no `secrets`" in said
    (work / "flow.yaml").write_text(
        """
secrets: [MY_TOKEN]
steps:
  - {name: t, task: python, inputs: {code: "return len(env.MY_TOKEN)"}}
  - {name: s, task: shell, inputs: {command: 'test ${#MY_TOKEN} = 14'}}
  - {name: p, task: python, inputs: {code: "return 'MY_TOKEN' in {**globals(), **locals(), **params}"}}
"""
    )
    batchwork("run", "flow.yaml", expect=0, env=secret)
    found = [json.loads(batchwork("results", "--step", step, "--format", "jsonl").stdout)["result"] for step in "tp"]
    assert found == [14, False]


@pytest.mark.promise("10.17")
def test_nothing_in_the_program_can_unpickle() -> None:
    unsafe = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "multiprocessing"}
    found = []
    for file in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found += [f"{file.name}: {name}" for name in names if name.partition(".")[0] in unsafe]
    assert found == []


@pytest.mark.promise("14.01")
def test_on_windows_it_says_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from batchwork.cli import main

    monkeypatch.setattr(main, "WINDOWS", os.name)
    monkeypatch.setattr(sys, "argv", ["batchwork", "run", "flow.yaml"])
    assert main.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "batchwork does not run on Windows itself: install and start it in WSL.\n"


WITHOUT_POSIX = """
import signal, sys

class Windows:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "grp", "pwd", "resource", "termios", "apsw"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Windows())
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules.pop(name, None)
for name in ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGTSTP", "SIGCHLD"):
    delattr(signal, name)
import batchwork.cli.main
batchwork.cli.main.WINDOWS = __import__("os").name
sys.exit(batchwork.cli.main.main())
"""


@pytest.mark.promise("14.01")
def test_it_can_say_so_without_what_windows_lacks(batchwork: Command) -> None:
    done = batchwork("-c", WITHOUT_POSIX, program=sys.executable, expect=2)
    assert done.stderr == "batchwork does not run on Windows itself: install and start it in WSL.\n"
