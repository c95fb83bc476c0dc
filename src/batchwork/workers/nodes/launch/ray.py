"""Starts agents on the nodes of a Ray cluster: `ray://HEAD:10001?slots=N`, over Ray's own client."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from traceback import walk_tb
from types import TracebackType
from typing import Any, Final

from msgspec import Struct

from batchwork.plugins import needed, package_problem
from batchwork.workers.nodes.launch.address import Address, Kind, address_of
from batchwork.workers.nodes.launch.cluster import ClusterLauncher, how_it_went, hush, in_a_line, told_as
from batchwork.workers.nodes.launch.roster import Ended, Place

RAY: Final = Kind("ray", 10001, ("slots",))
_PURPOSE = "running items on a Ray cluster"
_ANSWER_S = 5.0
_LOST = {"WorkerCrashedError", "NodeDiedError", "TaskUnschedulableError", "TaskCancelledError", "LocalRayletDiedError"}
"""What Ray raises where it is not the command that has ended, but who ran it."""


def ray_launcher(text: str) -> ClusterLauncher:
    """The launcher for such a URL. Raises UsageError."""
    address = address_of(text, RAY)
    if (problem := package_problem("ray", _PURPOSE)) is not None:
        raise problem
    return ClusterLauncher(address, RayCluster(address))


class _Job(Struct, frozen=True):
    reference: Any


class RayCluster:
    """See cluster.Cluster. Each node is asked by a task that is pinned to it, and that takes as many of its CPUs as attempts may run."""

    remark = ""  # other versions are refused by Ray itself
    patience_s = 50.0  # the head starts a process for each client

    def __init__(self, address: Address) -> None:
        self._address = address
        self._processors: dict[str, int] = {}

    def connect(self) -> None:
        place = self._address.place
        with told_as(f"there is no way to the Ray head at {place}"):
            socket.create_connection((self._address.host, self._address.port), _ANSWER_S).close()
            fresh = "ray" not in sys.modules
            self._ray = ray = needed("ray", _PURPOSE)
            if fresh:  # where it was in use already, it goes on saying what it says
                _quieten()
            self._context = ray.init(
                f"ray://{place}", allow_multiple=True, log_to_driver=False, logging_level=logging.CRITICAL
            )
            if fresh:
                hush("ray", "grpc")  # once more: this has made further loggers
            self._context.__enter__()  # from here on this thread speaks to that cluster

    def places(self) -> Sequence[Place]:
        with self._asking():
            nodes = [node for node in self._ray.nodes() if node["Alive"]]
        self._processors = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in nodes}
        return [self._place(node) for node in nodes if self._processors[node["NodeID"]]]

    def _place(self, node: Mapping[str, Any]) -> Place:
        """A node, with its own CPUs as slots where nothing else was said. Those without any are to run nothing."""
        number = node["NodeID"]
        name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        return Place(number, name, number, self._address.slots or self._processors[number])

    def start(self, place: Place, command: Sequence[str], letter: bytes) -> _Job:
        with self._asking():
            strategies: Any = needed("ray.util.scheduling_strategies", _PURPOSE)
            pinned = strategies.NodeAffinitySchedulingStrategy(place.worker, soft=False)
            taken = min(place.slots or 1, self._processors[place.worker])
            run = self._ray.remote(num_cpus=taken, max_retries=0, scheduling_strategy=pinned)(subprocess.run)
            return _Job(run.remote(list(command), input=letter, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))

    def ended(self, started: _Job) -> Ended | None:
        with self._asking():
            ready, _ = self._ray.wait([started.reference], timeout=0)
            if not ready:
                return None
            try:
                done = self._ray.get(started.reference, timeout=_ANSWER_S)
            except self._ray.exceptions.RayError as error:
                return _failed(error)
        return how_it_went(done.returncode, done.stderr)

    def close(self, started: Sequence[_Job]) -> None:
        with self._asking():
            for job in started:
                self._ray.cancel(job.reference, force=False)
        with contextlib.suppress(Exception):  # it has gone before us
            self._context.__exit__(None, None, None)
            self._context.disconnect()

    def _asking(self) -> Any:
        return told_as(f"the Ray head at {self._address.place} is gone")


def _failed(error: Exception) -> Ended:
    if type(error).__name__ in _LOST:
        return Ended("")
    return Ended(f"the agent cannot be started: {in_a_line(error)}")


def _quieten() -> None:
    """Ray says nothing on the terminal, also where threads of its own die with a connection."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    hush("ray", "grpc")
    warnings.filterwarnings("ignore", module=r"ray(\.|$)")
    usual = threading.excepthook

    def unless_in_ray(died: threading.ExceptHookArgs) -> None:
        if not _is_in_ray(died.exc_traceback):
            usual(died)

    threading.excepthook = unless_in_ray


def _is_in_ray(trace: TracebackType | None) -> bool:
    return any(frame.f_globals.get("__name__", "").startswith("ray.") for frame, _ in walk_tb(trace))
