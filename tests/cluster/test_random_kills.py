"""Faults at random moments of a run on two machines, BATCHWORK_KILLS times each: nothing lost, nothing twice but what ran, never two at once.

`make cluster KILLS=10` makes each fault ten times; with BATCHWORK_KILLS_TABLE a line is added to that file for each.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.hosts import Hosts, hosts, needs_namespaces
from cluster.rig import Rig, eventually, finish, send

pytestmark = needs_namespaces
TIMES = int(os.environ.get("BATCHWORK_KILLS", "1"))
SLOTS = 2
ITEMS = 60
ITEM_S = 0.2
LEASE_S = 4.0
USUAL_LEASE_S = 10.0


class Scene:
    """A run on two machines, in which something goes wrong."""

    def __init__(self, machines: Hosts, rig: Rig, number: int) -> None:
        self.machines, self.rig, self.number = machines, rig, number
        self.run = rig.start()

    def cut(self, seconds: float) -> None:
        """Cut a machine off for so long."""
        self.machines.cut(self.number)
        until = time.monotonic() + seconds
        eventually(lambda: time.monotonic() >= until, "the end of the cut")
        self.machines.mend(self.number)


def kill_agent(scene: Scene) -> None:
    send(scene.machines.agents(scene.number))


def kill_supervisor(scene: Scene) -> None:
    send(scene.machines.supervisors(scene.number))


def kill_both(scene: Scene) -> None:
    send([*scene.machines.supervisors(scene.number), *scene.machines.agents(scene.number)])


def kill_coordinator(scene: Scene) -> None:
    scene.run.kill()
    scene.run.wait()
    scene.run = scene.rig.resume()


def cut_short(scene: Scene) -> None:
    scene.cut(3.0)


def cut_long(scene: Scene) -> None:
    scene.cut(30.0)


FAULTS: dict[str, tuple[Callable[[Scene], None], int]] = {
    "kill -9 of an agent": (kill_agent, SLOTS),
    "kill -9 of a supervisor": (kill_supervisor, SLOTS),
    "kill -9 of both": (kill_both, SLOTS),
    "kill -9 of the coordinator": (kill_coordinator, 2 * SLOTS),
    "cut of 3 s": (cut_short, 0),
    "cut of 30 s": (cut_long, SLOTS),
}
"""Each with how many items may run twice."""


@pytest.fixture
def two() -> Iterator[Hosts]:
    with hosts(2) as made:
        yield made


@pytest.mark.parametrize("seed", range(TIMES))
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_a_random_moment(two: Hosts, tmp_path: Path, name: str, seed: int) -> None:
    strike, most = FAULTS[name]
    moment = random.Random(f"{name} {seed}")
    items = ITEMS
    if name == "cut of 30 s":
        items = 7 * ITEMS  # the other machine has enough to do meanwhile
    lease_s = USUAL_LEASE_S if "cut" in name else LEASE_S
    lease = ("--node-lease", f"{lease_s}s", "--node-wait", "60s")
    rig = Rig(tmp_path, two.executor(f"{{agent}} --slots {SLOTS}"), items, ITEM_S, *lease)
    scene = Scene(two, rig, moment.randint(1, 2))
    begin = moment.randint(1, ITEMS // 2)
    eventually(lambda: len(rig.lines()) > begin * 15, "the moment")
    strike(scene)
    code, said = finish(scene.run)
    assert code == 0, said
    twice = sum(len(times) - 1 for times in rig.executions().values())
    note(name, twice)
    assert [(item["status"], item["result"]) for item in rig.items()] == [("succeeded", 3 * n) for n in range(items)]
    assert set(rig.executions()) == set(map(str, range(items)))
    assert twice <= most, said
    assert rig.never_two_at_once()
    if name == "cut of 3 s":
        assert "is gone" not in said


def note(name: str, twice: int) -> None:
    """Keep what has come of it, for a table."""
    if path := os.environ.get("BATCHWORK_KILLS_TABLE"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{name}\t{twice}\n")


def test_the_machines_leave_nothing() -> None:
    """What the tests make is gone: a namespace that stays would keep its agents."""
    with hosts(1) as one:
        space = one.namespace(1)
        assert space in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert space not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
