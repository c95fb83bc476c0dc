"""Machines of a cluster on one machine: a network namespace for each, joined by a bridge, so that each can be cut off."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None,
    reason="machines are network namespaces here, and these need root and iproute2",
)


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Hosts:
    """So many machines, numbered from 1, in a network of their own with this one."""

    def __init__(self, name: str, count: int, network: str) -> None:
        self._name, self._network = name, network
        self.numbers = range(1, count + 1)

    @property
    def here(self) -> str:
        """The address of this machine in their network."""
        return f"{self._network}.1"

    def address(self, number: int) -> str:
        return f"{self._network}.{number + 1}"

    def words(self, number: int) -> list[str]:
        """What stands before a command that runs on a machine."""
        return ["ip", "netns", "exec", self.namespace(number)]

    def namespace(self, number: int) -> str:
        return f"{self._name}-{number}"

    def executor(self, agent: str = "{agent} --slots 1") -> str:
        """What `--executor` says: an agent on each."""
        numbers = ",".join(map(str, self.numbers))
        return f"command:ip netns exec {self._name}-{{{numbers}}} {agent}"

    def cut(self, number: int) -> None:
        """From now on nothing goes to or comes from a machine; nobody is told."""
        ip("link", "set", self._link(number), "down")

    def mend(self, number: int) -> None:
        ip("link", "set", self._link(number), "up")

    def _link(self, number: int) -> str:
        return f"{self._name}v{number}"

    def processes(self, number: int, part: str) -> list[int]:
        """The processes on a machine in whose command a text stands."""
        found = []
        for pid in map(int, ip("netns", "pids", self.namespace(number)).split()):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if part in command:
                found.append(pid)
        return found

    def agents(self, number: int) -> list[int]:
        """The agents on a machine, without their supervisors."""
        return self.processes(number, "nodes.agent.main")

    def supervisors(self, number: int) -> list[int]:
        return [pid for pid in self.processes(number, "nodes.agent ") if pid not in self.agents(number)]


@contextmanager
def hosts(count: int) -> Iterator[Hosts]:
    """The machines, and at the end no trace of them."""
    name = f"bw{uuid.uuid4().hex[:5]}"
    network = f"10.{77 + os.getpid() % 100}.{int(name[2:4], 16)}"
    made = Hosts(name, count, network)
    with ExitStack() as undo:
        ip("link", "add", name, "type", "bridge")
        undo.callback(ip, "link", "del", name)
        ip("addr", "add", f"{made.here}/24", "dev", name)
        ip("link", "set", name, "up")
        for number in made.numbers:
            space, link = made.namespace(number), f"{name}v{number}"
            ip("netns", "add", space)
            undo.callback(_remove, space)
            ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", link, "master", name, "up")
            ip("-n", space, "addr", "add", f"{made.address(number)}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "link", "set", "lo", "up")
        yield made


def _remove(space: str) -> None:
    for pid in ip("netns", "pids", space).split():
        subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
    ip("netns", "del", space)
