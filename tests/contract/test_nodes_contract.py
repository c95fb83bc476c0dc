"""Workers on nodes keep the contract of executors, Python's and the reactor's: agents started by a command, two of them, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from test_reactor_contract import SCRIPTS

from batchwork.clock import SystemClock
from batchwork.ports import Executor, Staffing
from batchwork.testing.executor_contract import Deed, ExecutorContract, running
from batchwork.text.jsontext import Json
from batchwork.workers.nodes.factory import node_executors
from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.launch.command import CommandLauncher
from batchwork.workers.nodes.muster import Muster, Remarks
from crash.reactors import Prepared as PreparedReactor
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

    def test_a_narrow_window_holds_nothing_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is counted as on the way is counted as taken, to the last byte."""
        monkeypatch.setattr(self.muster, "window", 1000)
        with running(self, self.staffing()) as drive:
            for number in range(400):
                drive.hand(number % drive.executor.lanes, [self.payload("give", f"n{number}.")], number)
                drive.collect()
            drive.hand(0, [self.payload("give", "x" * 200_000)], 400)
            tally = drive.collect()
        assert len(tally.done) == 401


class TestReactorOnNodes(ExecutorContract):
    blames = False

    @pytest.fixture(autouse=True)
    def _mustered(self, muster: Muster) -> None:
        self.muster = muster

    def start(self, staffing: Staffing) -> Executor:
        return node_executors(self.muster, SystemClock())(
            PreparedReactor({"kind": "shell", "capture_limit": 1 << 20}), staffing
        )

    def payload(self, deed: Deed, argument: Any = None) -> Json:
        words = ["/bin/sh", "-c", SCRIPTS[deed], "sh", "" if argument is None else str(argument)]
        return {"argv": words, "env": {}, "cwd": os.getcwd(), "stdin": None}
