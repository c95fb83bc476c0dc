"""Each executor keeps the contract: Python workers here, the reactor in test_reactor_contract.py, echo as far as it can."""

from __future__ import annotations

from typing import Any

from batchwork.ports import Executor, Staffing
from batchwork.testing.executor_contract import Deed, ExecutorContract, running
from batchwork.text.jsontext import Json
from batchwork.workers.inline import InlineExecutor
from batchwork.workers.python.executor import PythonExecutor
from executor_deeds import DEEDS, program


class TestPythonExecutor(ExecutorContract):
    def start(self, staffing: Staffing) -> Executor:
        executor = PythonExecutor()
        executor.start(program(DEEDS), staffing)
        return executor

    def payload(self, deed: Deed, argument: Any = None) -> Json:
        return [deed, argument]


class TestInlineExecutor:
    """Echo starts no processes, so only the reporting is left of the contract."""

    def test_each_message_is_its_own_result(self) -> None:
        contract = _Inline()
        with running(contract, contract.staffing()) as drive:
            drive.hand(0, ["a", "b"])
            drive.hand(0, ["ü"], 2)
            tally = drive.collect()
        assert tally.done == {0: '"a"', 1: '"b"', 2: '"ü"'}

    def test_what_has_not_run_can_be_recalled(self) -> None:
        contract = _Inline()
        with running(contract, contract.staffing()) as drive:
            drive.hand(0, ["a"])
            drive.executor.recall()
            assert drive.collect().returned == [0]

    def test_waking_ends_the_wait(self) -> None:
        _Inline().test_waking_ends_the_wait()


class _Inline(ExecutorContract):
    __test__ = False

    def start(self, staffing: Staffing) -> Executor:
        executor = InlineExecutor()
        executor.start(program(""), staffing)
        return executor

    def payload(self, deed: Deed, argument: Any = None) -> Json:
        return argument
