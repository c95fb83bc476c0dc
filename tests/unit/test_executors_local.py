"""The right executor for a program, started; what is not used is not imported."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from batchwork.clock import SystemClock
from batchwork.errors import WorkerError
from batchwork.ports import Staffing, WorkerKind
from batchwork.workers.local import local_executors
from batchwork.workers.python.executor import Pauses


@dataclass
class Program:
    worker: WorkerKind
    prepare: dict[str, Any] = field(default_factory=lambda: {"kind": "shell", "capture_limit": 10})
    takes_item: bool = False
    says: bool = False
    uses: frozenset[str] = frozenset()

    def bind(self, scope: object) -> None:
        return None


@pytest.mark.parametrize(
    ("worker", "name", "lanes", "width"),
    [("reactor", "ReactorExecutor", 1, 3), ("python", "PythonExecutor", 3, 1), ("inline", "InlineExecutor", 1, None)],
)
def test_each_kind_of_worker_has_its_executor(worker: WorkerKind, name: str, lanes: int, width: int | None) -> None:
    staffing = Staffing(3, None, "cookie", dict(os.environ), os.getcwd())
    executor = local_executors(SystemClock())(Program(worker), staffing)
    assert type(executor).__name__ == name
    assert executor.lanes == lanes
    assert width is None or executor.width == width
    assert sum(executor.load()) == 0
    executor.close()


def test_choosing_imports_no_executor() -> None:
    code = (
        "import sys; from batchwork.workers.local import local_executors\n"
        "print([name for name in sys.modules if name.startswith('batchwork.workers.') or name == 'pycurl'])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "['batchwork.workers.local']\n"


def test_a_kind_of_worker_that_nobody_has_is_named() -> None:
    staffing = Staffing(3, None, "cookie", dict(os.environ), os.getcwd())
    with pytest.raises(WorkerError, match="there is no executor for workers of the kind `moon`"):
        local_executors(SystemClock())(Program("moon"), staffing)


def test_a_pause_is_known_wherever_it_was() -> None:
    pauses = Pauses(0.0)
    assert pauses.look(0.4, 0.0) == 0.4  # work
    pauses.look(1.4, 1.0)  # it waited as long as was asked for
    pauses.look(9.0, None)  # and so long as it took
    assert pauses.since(0.0) == 0.0
    pauses.look(19.0, 1.0)  # stood still while it waited
    pauses.look(24.0, 0.0)  # and while it worked
    assert [pauses.since(began) for began in (0.0, 18.9, 19.1, 24.1)] == [15.0, 15.0, 5.0, 0.0]
