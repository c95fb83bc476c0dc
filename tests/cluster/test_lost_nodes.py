"""Nodes that die, stop or are cut off: nothing is lost, nothing runs twice but what ran there, never two at once (R1 to R4)."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import Hosts, hosts, needs_namespaces
from rig import Rig, eventually, finish, send, whole

LEASE = ("--node-lease", "1s", "--node-wait", "20s")
pytestmark = needs_namespaces


@pytest.fixture
def two() -> Iterator[Hosts]:
    with hosts(2) as made:
        yield made


def test_a_killed_agent_costs_what_it_ran(two: Hosts, tmp_path: Path) -> None:
    rig = Rig(tmp_path, two.executor(), 40, 0.1, *LEASE)
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 6, "some items")
    send(two.agents(1))
    code, said = finish(run)
    assert code == 0, said
    assert "is gone; what it ran is in doubt" in said
    whole(rig, 40, twice=1)


def test_of_two_agents_on_one_machine_the_other_works_on(tmp_path: Path) -> None:
    with hosts(1) as one:
        agents = f"command:echo {{1,2}} >&2; ip netns exec {one.namespace(1)} {{agent}} --slots 1"
        rig = Rig(tmp_path, agents, 40, 0.1, *LEASE)
        run = rig.start()
        eventually(lambda: len(rig.done()) >= 6, "some items")
        before = {item["worker"] for item in rig.items() if item.get("worker")}
        send(one.agents(1)[:1])
        code, said = finish(run)
        assert code == 0, said
        whole(rig, 40, twice=1)
        assert before is not None


def test_a_stopped_agent_ends_what_it_runs_before_others_begin_it(two: Hosts, tmp_path: Path) -> None:
    rig = Rig(tmp_path, two.executor(), 6, 3.0, *LEASE)
    run = rig.start()
    eventually(lambda: len(rig.running()) == 2, "an item on each machine")
    stopped = two.agents(1)
    send(stopped, signal.SIGSTOP)
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 6, twice=1)
    assert len([times for times in rig.executions().values() if len(times) == 2]) == 1


def test_a_cut_that_is_shorter_than_the_lease_has_no_effect(two: Hosts, tmp_path: Path) -> None:
    rig = Rig(tmp_path, two.executor(), 30, 0.2, "--node-lease", "8s")
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    two.cut(1)
    done = len(rig.done())
    eventually(lambda: len(rig.done()) >= done + 4, "some items on the other machine")
    two.mend(1)
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 30, twice=0)
    assert "is gone" not in said


def test_a_cut_from_which_tcp_takes_long_to_recover_has_no_effect(two: Hosts, tmp_path: Path) -> None:
    """After a cut of 6.6 s TCP may be silent for six more: the lease of ten is renewed by another way."""
    rig = Rig(tmp_path, two.executor(), 110, 0.2)
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    two.cut(1)
    until = time.monotonic() + 6.6
    eventually(lambda: time.monotonic() >= until, "the end of the cut")
    two.mend(1)
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 110, twice=0)
    assert "is gone" not in said


def test_a_machine_that_is_cut_off_ends_what_it_runs_and_comes_back(two: Hosts, tmp_path: Path) -> None:
    rig = Rig(tmp_path, two.executor(), 60, 0.2, *LEASE)
    run = rig.start()
    eventually(lambda: len(rig.done()) >= 4, "some items")
    two.cut(1)
    eventually(lambda: not two.processes(1, "batchwork_worker"), "the end of its workers")
    done = len(rig.done())
    eventually(lambda: len(rig.done()) >= done + 4, "some items on the other machine")
    two.mend(1)
    eventually(lambda: two.processes(1, "batchwork_worker"), "its workers again")
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 60, twice=1)


def test_a_resume_waits_for_machines_behind_a_cut(two: Hosts, tmp_path: Path) -> None:
    rig = Rig(tmp_path, two.executor(), 6, 2.0, *LEASE)
    run = rig.start()
    eventually(lambda: len(rig.running()) == 2, "an item on each machine")
    two.cut(1)
    two.cut(2)
    run.kill()
    run.wait()
    with hosts(2) as others:
        rig._words[1] = others.executor()  # the work goes on elsewhere, at once
        code, said = finish(rig.resume())
        assert code == 0, said
    assert "may go on for so long" in said
    whole(rig, 6, twice=2)
