"""Nodes that are all on this machine, without a network of their own: what a run has started, and what must hold at its end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

import psutil

from batchwork.proctree import environ_value
from cluster.rig import Rig, eventually, finish, whole

LEASE = ("--node-lease", "1s", "--node-wait", "20s")
TWO = "command:echo {1,2} >&2; exec {agent} --slots 1"
"""Two nodes of one slot."""


def below(run: subprocess.Popen[str], part: str) -> list[int]:
    """Processes that a run has started in whose command a text stands."""
    found = []
    for process in psutil.Process(run.pid).children(recursive=True):
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if part in command and "/bin/sh" not in command:
            found.append(process.pid)
    return found


def agents(run: subprocess.Popen[str]) -> list[int]:
    return below(run, "nodes.agent.main")


def supervisors(run: subprocess.Popen[str]) -> list[int]:
    return [pid for pid in below(run, "nodes.agent ") if pid not in agents(run)]


def traces(rig: Rig) -> list[int]:
    """Processes anywhere that have the ledger of this rig in their environment, or are agents that it has started."""
    return [pid for pid in psutil.pids() if environ_value(pid, "LEDGER") == str(rig.ledger)]


def check_stop(rig: Rig, signals: Sequence[signal.Signals], code: int) -> None:
    """A run of eight items on two nodes is stopped by signals: that is its exit code, nothing of nodes is left, and it can be resumed."""
    run = rig.start()
    eventually(lambda: len(rig.running()) == 2, "an item on each node")
    nodes = [*agents(run), *supervisors(run)]
    assert len(nodes) == 4
    for number in signals:
        told = len(rig.lines())
        run.send_signal(number)
        eventually(lambda told=told: len(rig.lines()) > told or run.poll() is not None, "it to go on")
    ended, said = finish(run)
    assert ended == code, said
    assert not [pid for pid in nodes if psutil.pid_exists(pid)]
    assert not traces(rig)
    assert finish(rig.resume())[0] == 0
    whole(rig, 8, twice=2 if len(signals) > 1 else 0)
