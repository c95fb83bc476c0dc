"""Workers on nodes keep the contract of executors: agents started by a command, two of them, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from batchwork.clock import SystemClock
from batchwork.ports import Executor, Staffing
from batchwork.testing.executor_contract import Deed, ExecutorContract
from batchwork.text.jsontext import Json
from batchwork.workers.nodes.factory import node_executors
from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.launch.command import CommandLauncher
from batchwork.workers.nodes.muster import Muster, Remarks
from executor_deeds import DEEDS, program


@pytest.fixture(scope="module")
def muster() -> Iterator[Muster]:
    """Two nodes that offer two slots each."""
    warnings: list[str] = []
    launcher = CommandLauncher("command:echo {1,2} >&2; exec {agent} --slots 2")
    mustered = Muster(Hub(), launcher, Remarks(warnings.append))
    yield mustered
    mustered.close()


class TestPythonOnNodes(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _mustered(self, muster: Muster) -> None:
        self.muster = muster

    def start(self, staffing: Staffing) -> Executor:
        return node_executors(self.muster, SystemClock())(program(DEEDS), staffing)

    def payload(self, deed: Deed, argument: Any = None) -> Json:
        return [deed, argument]
