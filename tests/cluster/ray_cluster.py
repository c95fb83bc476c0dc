"""A Ray cluster: a head and worker nodes, each on a machine of its own, with all their files in one folder."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

RAY = str(Path(sys.executable).with_name("ray"))
READY_S = 90.0
PORT = 26001
"""With those that follow it, outside of the range that Ray takes for its workers."""
HEAD_PARTS = ("gcs_server", "ray.util.client.server", "raylet/raylet", "ray start")

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed here: `make cluster` runs these tests with it"
)


class RayCluster:
    """`where` gives the words before a command that runs on a host, by its number: 0 is the head's."""

    def __init__(self, folder: Path, head: str, where: dict[int, Sequence[str]] | None = None) -> None:
        self._folder, self._where = folder, where or {}
        self.head, self.port = head, PORT
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._sockets = f"/tmp/bwray-{uuid.uuid4().hex[:6]}"  # paths of sockets have to be short

    @property
    def url(self) -> str:
        return f"ray://{self.head}:{self.port}"

    def start_head(self, processors: int) -> None:
        """Without processors nothing runs there."""
        words = [
            "--head",
            "--port",
            str(self.port + 1),
            "--ray-client-server-port",
            str(self.port),
            "--temp-dir",
            self._sockets,
        ]
        self._start(0, self.head, [*words, "--include-dashboard=false", "--num-cpus", str(processors)])

    def start_worker(self, number: int, address: str, processors: int) -> None:
        self._start(number, address, ["--address", f"{self.head}:{self.port + 1}", "--num-cpus", str(processors)])

    def _start(self, number: int, address: str, words: Sequence[str]) -> None:
        command = [*self._where.get(number, ()), RAY, "start", "--block", "--node-ip-address", address, *words]
        command += ["--runtime-env-agent-port", str(self.port + 2 + number), "--object-store-memory", "80000000"]
        log = self._folder / f"ray-{number}.log"
        environ = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_MEMORY_MONITOR": "1"}
        with open(log, "wb") as file:
            self.processes[number] = subprocess.Popen(
                [*command, "--disable-usage-stats"], env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        deadline = time.monotonic() + READY_S
        while b"Ray runtime started" not in log.read_bytes():
            assert self.processes[number].poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    def below(self, number: int, part: str = "") -> list[int]:
        """Processes of a node in whose command a text stands."""
        return [pid for pid, command in _commands(self.processes[number].pid).items() if part in command]

    def kill_head(self) -> None:
        """All that makes a head one, at once."""
        pids = [pid for part in HEAD_PARTS for pid in self.below(0, part)]
        for pid in [self.processes[0].pid, *pids]:
            _kill(pid, signal.SIGKILL)
        self.processes[0].wait()

    def close(self) -> None:
        left = {pid for process in self.processes.values() for pid in _commands(process.pid)}
        for pid in left:
            _kill(pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _commands(pid: int) -> dict[int, str]:
    """The process and those below it, with their commands."""
    found = {}
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return {}
    for process in tree:
        try:
            found[process.pid] = " ".join(process.cmdline())
        except psutil.Error:
            continue
    return found
