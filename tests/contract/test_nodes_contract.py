"""Workers on nodes keep the contract of executors: agents started by a command, two of them, on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.launch.command import CommandLauncher
from batchwork.workers.nodes.muster import Muster, Remarks
from executor_deeds import PythonOnNodes


@pytest.fixture(scope="module")
def muster() -> Iterator[Muster]:
    """Two nodes that offer two slots each."""
    warnings: list[str] = []
    launcher = CommandLauncher("command:echo {1,2} >&2; exec {agent} --slots 2")
    mustered = Muster(Hub(), launcher, Remarks(warnings.append))
    yield mustered
    mustered.close()


class TestPythonOnNodes(PythonOnNodes):
    """See executor_deeds."""
