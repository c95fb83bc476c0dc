"""Runs on nodes, all of them on this machine: one fault of each kind. Those that take longer are in tests/cluster."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.here import LEASE, TWO, agents, check_stop, traces
from cluster.hosts import hosts, needs_namespaces
from cluster.rig import Rig, eventually, finish, send, whole

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, TWO, 40, 0.05, *LEASE)
    yield rig
    eventually(lambda: not traces(rig), "the end of all that ran")


def test_a_killed_agent_costs_what_it_ran(rig: Rig) -> None:
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    send(agents(run)[:1])
    code, said = finish(run)
    assert code == 0, said
    assert "is gone; what it ran is in doubt" in said
    whole(rig, 40, twice=1)


@pytest.mark.parametrize(
    ("signals", "code"), [([signal.SIGTERM], 143), ([signal.SIGINT] * 2, 130)], ids=["SIGTERM", "Ctrl-C twice"]
)
def test_a_stop_leaves_nothing_of_nodes(tmp_path: Path, signals: list[signal.Signals], code: int) -> None:
    check_stop(Rig(tmp_path, TWO, 8, 0.8, *LEASE), signals, code)


def test_when_no_node_can_come_the_run_stops_at_once_and_can_be_resumed(rig: Rig) -> None:
    rig._words[1] = "command:echo no such partition: fast >&2; false # {agent}"
    code, said = finish(rig.start())
    assert code == 4, said
    assert said.count("no node of") == 1
    assert "no such partition: fast" in said and "batchwork resume" in said
    rig._words[1] = TWO
    assert finish(rig.resume())[0] == 0
    whole(rig, 40, twice=0)


@needs_namespaces
def test_a_machine_that_is_cut_off_costs_what_it_ran(tmp_path: Path) -> None:
    with hosts(2) as two:
        rig = Rig(tmp_path, two.executor(), 40, 0.1, *LEASE)
        run = rig.start()
        eventually(lambda: len(rig.done()) >= 4, "some items")
        two.cut(1)
        code, said = finish(run)
        assert code == 0, said
        assert "is gone; what it ran is in doubt" in said
        whole(rig, 40, twice=1)


KINDS = """
name: kinds
steps:
  - name: shell
    type: batch
    inputs:
      items: {from: range, stop: 30}
      max_parallel: 4
      continue_on_error: true
      task: {type: shell, command: 'echo "ü {{ item }}"; test {{ item }} -ne 7 || exit 3'}
  - name: python
    type: batch
    inputs:
      items: {from: range, stop: 30}
      parallel: true
      continue_on_error: true
      task:
        type: python
        code: |
          print("printed", item)
          if item == 7:
              raise KeyError("seven")
          return {"ü": item, "long": "x" * item * 1000}
  - name: batches
    type: batch
    inputs:
      items: {from: range, stop: 30}
      batch_size: 7
      parallel: true
      task: {type: python, code: 'return [sum(batch.items), len(steps.shell.result)]'}
  - name: web
    type: batch
    inputs:
      items: [1, 2, 3]
      max_parallel: 2
      continue_on_error: true
      task: {type: http_request, url: "http://127.0.0.1:9/{{ item }}", timeout: 5}
"""
VARYING = ("worker", "started", "ended", "duration", "run", "at", "started_ms", "duration_s", "elapsed")


def outcomes(command: Command, *words: str) -> list[dict[str, object]]:
    command("run", "w.yaml", *words, expect=3)
    lines = command("items", "--json").stdout.splitlines()
    units = [{name: value for name, value in json.loads(line).items() if name not in VARYING} for line in lines]
    return sorted(units, key=lambda unit: (str(unit["step"]), str(unit["key"])))


def test_a_run_on_nodes_comes_to_the_same_as_here(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(KINDS, encoding="utf-8")
    here = outcomes(batchwork)
    there = outcomes(batchwork, "--executor", "command:echo {1,2} >&2; exec {agent} --slots 2")
    assert there == here
    assert len(here) == 3 * 30 + 3
    logs = [batchwork("logs", "5", "--step", "python").stdout for _ in "ab"]
    assert "printed 5" in logs[0]


def test_a_python_of_another_version_is_refused_in_a_sentence(rig: Rig, tmp_path: Path) -> None:
    """R7, where the agent differs before it is let in: one message for all nodes, nothing claimed."""
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "sitecustomize.py").write_text("import platform\nplatform.python_version = lambda: '3.9.7'\n")
    rig._words[1] = f"command:echo {{1,2}} >&2; PYTHONPATH={strange} exec {{agent}}"
    code, said = finish(rig.start())
    assert code == 4, said
    assert said.count("it has Python 3.9.7") == 1 and "they must be of the same version" in said
    assert not rig.lines()
    rig._words[1] = TWO
    assert finish(rig.resume())[0] == 0
    whole(rig, 40, twice=0)
