"""A Dask cluster of this machine: a scheduler and workers, each on an address of its own, as on a host of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SCHEDULER = "distributed.cli.dask_scheduler"
WORKER = "distributed.cli.dask_worker"
READY_S = 60.0


class DaskCluster:
    """`where` gives the words before a command that runs on a host (none: here), by its number; hosts count from 1."""

    def __init__(self, folder: Path, address: str, where: dict[int, Sequence[str]] | None = None) -> None:
        self._folder, self._where = folder, where or {}
        self.address, self.port = address, free_port()
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self._secured: list[str] = []
        self._scheme = "tcp"

    @property
    def url(self) -> str:
        return f"dask://{self.address}:{self.port}"

    def secure(self, authority: Path, certificate: Path, key: Path) -> None:
        """From now on all is started with TLS."""
        self._secured = ["--tls-ca-file", str(authority), "--tls-cert", str(certificate), "--tls-key", str(key)]
        self._scheme = "tls"

    def start_scheduler(self) -> None:
        words = [sys.executable, "-m", SCHEDULER, "--host", self.address, "--port", str(self.port), "--no-dashboard"]
        self.scheduler = self._start("scheduler", [*words, *self._secured])
        self._wait_for("scheduler", "Scheduler at:")

    def start_worker(self, host: int, address: str, *words: str) -> None:
        """A worker on a host, which may have one already, with one thread and a nanny."""
        name = f"worker-{len(self.workers)}"
        scheduler = f"{self._scheme}://{self.address}:{self.port}"
        command = [sys.executable, "-m", WORKER, scheduler, "--host", address, "--nthreads", "1", "--no-dashboard"]
        command += ["--local-directory", str(self._folder / name), *words, *self._secured]
        self.workers[len(self.workers)] = self._start(name, [*self._where.get(host, ()), *command])
        self._wait_for(name, "Registered to:")

    def worker_processes(self, number: int) -> list[int]:
        """The processes of a worker, the one that runs tasks last."""
        return [self.workers[number].pid, *below(self.workers[number].pid, "spawn_main")]

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    def close(self) -> None:
        for process in [*self.workers.values(), *filter(None, [self.scheduler])]:
            process.send_signal(signal.SIGTERM)
        for process in [*self.workers.values(), *filter(None, [self.scheduler])]:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def said(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with open(self._folder / f"{name}.log", "wb") as log:
            return subprocess.Popen(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait_for(self, name: str, words: str) -> None:
        deadline = time.monotonic() + READY_S
        while words not in self.said(name):
            assert time.monotonic() < deadline, f"{name} is not ready:\n{self.said(name)}"
            time.sleep(0.05)


@contextmanager
def dask_cluster(folder: Path, workers: int, *words: str) -> Iterator[DaskCluster]:
    """A scheduler and workers at 127.0.0.2, 127.0.0.3 …: as many hosts."""
    cluster = DaskCluster(folder, "127.0.0.1")
    try:
        cluster.start_scheduler()
        for number in range(workers):
            cluster.start_worker(0, f"127.0.0.{number + 2}", *words)
        yield cluster
    finally:
        cluster.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def below(pid: int, part: str) -> list[int]:
    """The processes below one in whose command a text stands."""
    import psutil

    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if part in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def agents_below(pid: int) -> list[int]:
    """The supervisors of agents that were started below a process."""
    return below(pid, "batchwork.workers.nodes.agent ") or below(pid, "-m batchwork.workers.nodes.agent")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
