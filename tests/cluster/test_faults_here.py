"""Runs on nodes, all of them on this machine: whatever dies, a coordinator that is busy, nodes that never come."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cluster.here import LEASE, TWO, agents, below, check_stop, supervisors, traces
from cluster.rig import Rig, eventually, finish, send, whole


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, TWO, 40, 0.05, *LEASE)
    yield rig
    eventually(lambda: not traces(rig), "the end of all that ran")


KILLED: dict[str, Callable[[subprocess.Popen[str]], list[int]]] = {
    "agent": lambda run: agents(run)[:1],
    "supervisor": lambda run: supervisors(run)[:1],
    "worker": lambda run: below(run, "batchwork_worker")[:1],
}


@pytest.mark.parametrize("what", KILLED)
def test_whatever_of_a_node_is_killed_costs_what_it_ran(rig: Rig, what: str) -> None:
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    send(KILLED[what](run))
    code, said = finish(run)
    if what == "worker":  # as here: the item that it ran has failed, if it ran one
        failed = [item["error"]["type"] for item in rig.items() if item["status"] == "failed"]
        assert (code, failed) in [(0, []), (1, ["worker died"])], said
        if failed:
            assert finish(rig._popen("retry", *rig._words))[0] == 0
    else:
        assert code == 0, said
        assert "is gone; what it ran is in doubt" in said
    whole(rig, 40, twice=1)


def test_agent_and_supervisor_killed_together_leave_nothing(rig: Rig) -> None:
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    first = supervisors(run)[0]
    send([first, *(pid for pid in agents(run) if psutil.Process(pid).ppid() == first)])
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 40, twice=1)


def test_a_killed_coordinator_leaves_nothing_and_resumes(rig: Rig) -> None:
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    run.kill()
    run.wait()
    code, said = finish(rig.resume())
    assert code == 0, said
    whole(rig, 40, twice=2)


def test_a_coordinator_that_is_busy_for_longer_than_a_lease_gives_nothing_away(rig: Rig) -> None:
    """Leases are granted by a thread of its own (R5)."""
    rig.environ = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "item.exit_before_record:sleep4500@3"}
    code, said = finish(rig.start())
    assert code == 0, said
    assert "is gone" not in said
    whole(rig, 40, twice=0)


@pytest.mark.parametrize(
    ("signals", "code"), [([signal.SIGINT], 130), ([signal.SIGINT] * 3, 130)], ids=["Ctrl-C", "Ctrl-C three times"]
)
def test_a_stop_leaves_nothing_of_nodes(tmp_path: Path, signals: list[signal.Signals], code: int) -> None:
    check_stop(Rig(tmp_path, TWO, 8, 0.8, *LEASE), signals, code)


def test_when_no_node_comes_there_is_a_warning_and_then_an_error(rig: Rig) -> None:
    rig._words = ["--executor", "command:sleep 600 # {agent}", "--node-wait", "11s"]
    code, said = finish(rig.start())
    assert code == 4, said
    assert said.count("there is no node of") == 1 and "after 11 s without any, the run stops" in said
    assert said.count("is there for 11 s") == 1
    rig._words = ["--executor", TWO, *LEASE]
    assert finish(rig.resume())[0] == 0
    whole(rig, 40, twice=0)


def test_when_all_nodes_are_lost_the_run_stops_and_can_be_resumed(rig: Rig) -> None:
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    send([*supervisors(run), *agents(run)])
    code, said = finish(run)
    assert code == 4, said
    assert "and none will come: the command was ended by SIGKILL" in said or "none will come" in said
    assert finish(rig.resume())[0] == 0
    whole(rig, 40, twice=2)


def test_a_long_step_on_this_machine_is_no_waiting_for_nodes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TWO, 4, 0.05, "--node-wait", "3s", "--node-lease", "1s")
    flow = (tmp_path / "flow.yaml").read_text(encoding="utf-8")
    first = "steps:\n  - {name: first, type: shell, inputs: {command: sleep 3.5}}\n"
    flow = flow.replace("steps:\n", first).replace("    type: batch\n", "    type: batch\n    depends_on: [first]\n")
    (tmp_path / "flow.yaml").write_text(flow, encoding="utf-8")
    code, said = finish(rig.start())
    assert code == 0, said
    assert "no node" not in said


def test_without_the_package_for_certificates_it_is_said_and_nothing_hangs(rig: Rig, tmp_path: Path) -> None:
    package = tmp_path / "without" / "cryptography"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named cryptography', name='cryptography')"
    )
    rig.environ = {"PYTHONPATH": str(package.parent)}
    code, said = finish(rig.start())
    assert code in (1, 2, 4), said
    assert "cryptography" in said and "Traceback" not in said


def test_another_batchwork_is_refused_in_a_sentence(rig: Rig, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "sitecustomize.py").write_text("import batchwork\nbatchwork.__version__ = '0.0.1'\n")
    rig._words[1] = f"command:echo {{1,2}} >&2; PYTHONPATH={strange} exec {{agent}}"
    code, said = finish(rig.start())
    assert code == 4, said
    assert said.count("it has batchwork 0.0.1") == 1
    assert not rig.lines()


def test_no_batchwork_at_all_is_told_in_the_words_of_the_command(rig: Rig) -> None:
    rig._words[1] = f"command:{sys.executable} -I -m batchwork.nowhere # {{agent}}"
    code, said = finish(rig.start())
    assert code == 4, said
    assert said.count("No module named") == 1
    assert not rig.lines()
