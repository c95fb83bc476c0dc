"""What the units of the contract of executors do, as Python code, and the contract of Python workers on nodes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from batchwork.clock import SystemClock
from batchwork.ports import Executor, Staffing
from batchwork.tasks.python.program import PythonProgram
from batchwork.testing.executor_contract import Deed, ExecutorContract
from batchwork.text.jsontext import Json
from batchwork.workers.nodes.factory import node_executors
from batchwork.workers.nodes.muster import Muster

DEEDS = """
import os, signal, subprocess, time
deed, argument = item
if deed == "give":
    return argument
if deed == "fail":
    raise ValueError("as told")
if deed == "sleep":
    time.sleep(argument)
if deed == "print":
    print(argument)
if deed == "overlap":
    for mark in "+-":
        fd = os.open(argument, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        os.write(fd, mark.encode() + b"\\n")
        os.close(fd)
        time.sleep(0.05 if mark == "+" else 0)
if deed == "child":
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    with open(argument, "w") as file:
        file.write(str(child.pid))
    time.sleep(300)
if deed == "die":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def program(code: str, **told: Any) -> PythonProgram:
    """Inline code that gets the payload as `item`, as the task type makes it."""
    prepare = {
        "kind": "code",
        "code": code,
        "file": "flow.yaml",
        "line": 1,
        "names": ["item"],
        "takes_item": True,
        "interpreter": sys.executable,
    }
    return PythonProgram({**prepare, **told}, frozenset({"item"}), takes_item=True)


class PythonOnNodes(ExecutorContract):
    """The tests are those of the module that inherits it and has a fixture `muster`."""

    @pytest.fixture(autouse=True)
    def _mustered(self, muster: Muster) -> None:
        self.muster = muster

    def start(self, staffing: Staffing) -> Executor:
        return node_executors(self.muster, SystemClock())(program(DEEDS), staffing)

    def payload(self, deed: Deed, argument: Any = None) -> Json:
        return [deed, argument]
