"""Choosing the executor for a program on this machine. The executors themselves are beside this file, imported when used."""

from __future__ import annotations

from batchwork.clock import Clock
from batchwork.ports import Executor, ExecutorFactory, Program, Staffing


def local_executors(clock: Clock) -> ExecutorFactory:
    """A factory that makes and starts the executor for a program's kind of worker."""

    def make(program: Program, staffing: Staffing) -> Executor:
        executor = _choose(program, clock)
        executor.start(program, staffing)
        return executor

    return make


def _choose(program: Program, clock: Clock) -> Executor:
    if program.worker == "python":
        from batchwork.workers.python.executor import PythonExecutor

        return PythonExecutor(clock)
    if program.worker == "reactor":
        from batchwork.workers.reactor.executor import ReactorExecutor

        return ReactorExecutor(clock)
    from batchwork.workers.inline import InlineExecutor

    return InlineExecutor(clock)
