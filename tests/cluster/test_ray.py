"""A Ray cluster of several machines keeps the contract of executors, and what happens when workers, nodes or its head are killed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hosts import Hosts, hosts, needs_namespaces
from ray_cluster import RayCluster, needs_ray
from rig import Rig, eventually, finish, foreign, send, while_running, whole

from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.launch.ray import ray_launcher
from batchwork.workers.nodes.muster import Muster, Remarks
from executor_deeds import PythonOnNodes

pytestmark = [needs_ray, needs_namespaces]
LEASE = ("--node-lease", "2s", "--node-wait", "60s")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A head that runs nothing itself, and two nodes of two processors; it is not harmed."""
    with hosts(3) as machines, nodes_on(machines, tmp_path_factory.mktemp("ray")) as cluster:
        yield cluster


@pytest.fixture
def machines() -> Iterator[Hosts]:
    with hosts(3) as made:
        yield made


@pytest.fixture
def own(machines: Hosts, tmp_path: Path) -> Iterator[RayCluster]:
    """The same, to be harmed."""
    with nodes_on(machines, tmp_path) as cluster:
        yield cluster


@contextmanager
def nodes_on(machines: Hosts, folder: Path) -> Iterator[RayCluster]:
    """The head is on a machine of its own: two on one get in each other's way."""
    words = {0: machines.words(3), 1: machines.words(1), 2: machines.words(2)}
    cluster = RayCluster(folder, machines.address(3), words)
    try:
        cluster.start_head(0)
        for number in (1, 2):
            cluster.start_worker(number, machines.address(number), 2)
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def muster(shared: RayCluster) -> Iterator[Muster]:
    warnings: list[str] = []
    mustered = Muster(Hub(), ray_launcher(shared.url), Remarks(warnings.append))
    yield mustered
    mustered.close()


class TestPythonOnRay(PythonOnNodes):
    """See executor_deeds."""


def test_each_node_has_an_agent_and_one_whose_worker_is_killed_gets_another(
    machines: Hosts, own: RayCluster, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, f"{own.url}?slots=1", 200, 0.1, *LEASE)
    run = rig.start()
    while_running(run, lambda: machines.agents(1) and machines.agents(2) and len(rig.done()) >= 4, "some items")
    before = machines.supervisors(1)
    send(machines.processes(1, "ray::run")[:1])
    eventually(lambda: not set(before) & set(machines.supervisors(1)), "the end of its agent")
    eventually(lambda: machines.agents(1), "another agent")
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 200, twice=1)
    assert foreign(said) == []


def test_a_killed_run_goes_on_at_once(own: RayCluster, tmp_path: Path) -> None:
    rig = Rig(tmp_path, own.url, 60, 0.1, *LEASE)
    run = rig.start()
    while_running(run, lambda: len(rig.done()) >= 8, "some items")
    run.kill()
    run.wait()
    code, said = finish(rig.resume())
    assert code == 0, said
    whole(rig, 60, twice=4)


def test_without_its_head_a_run_goes_on_while_there_are_nodes(machines: Hosts, own: RayCluster, tmp_path: Path) -> None:
    rig = Rig(tmp_path, f"{own.url}?slots=1", 60, 0.1, *LEASE)
    run = rig.start()
    while_running(run, lambda: machines.agents(1) and machines.agents(2) and len(rig.done()) >= 4, "some items")
    own.kill_head()
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 60, twice=0)
    assert foreign(said) == []


def test_without_head_and_nodes_it_ends(machines: Hosts, own: RayCluster, tmp_path: Path) -> None:
    rig = Rig(tmp_path, f"{own.url}?slots=1", 300, 0.1, *LEASE)
    run = rig.start()
    while_running(run, lambda: len(rig.done()) >= 4, "some items")
    own.kill_head()
    for number in (1, 2):
        send(own.below(number))
    code, said = finish(run)
    assert code == 4, said
    assert f"the Ray head at {own.head}:{own.port}" in said or f"what is at {own.head}:{own.port}" in said
    assert foreign(said) == []


@pytest.mark.parametrize("there", ["nobody", "nobody who answers"])
def test_where_there_is_no_head_one_sentence_says_so(there: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if there == "nobody":
            server.close()
        code, said = finish(Rig(tmp_path, f"ray://127.0.0.1:{port}", 3, 0.0, "--node-wait", "55s").start())
    assert code == 4, said
    assert f"127.0.0.1:{port}" in said
    assert "none will come" in said
    assert foreign(said) == []
    assert said.count("\n") < 8, said
