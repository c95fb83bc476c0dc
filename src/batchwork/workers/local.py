"""Choosing the executor for a program: the one that is named by its kind of worker."""

from __future__ import annotations

from batchwork.clock import Clock
from batchwork.errors import UsageError, WorkerError
from batchwork.plugins import find_executor
from batchwork.ports import Executor, ExecutorFactory, Pager, Program, Staffing


def local_executors(clock: Clock) -> ExecutorFactory:
    """A factory that makes and starts the executor for a program's kind of worker. It raises WorkerError."""

    def make(program: Program, staffing: Staffing, pages: Pager | None = None) -> Executor:
        try:
            executor = find_executor(program.worker)(clock)
        except KeyError:
            raise WorkerError(f"there is no executor for workers of the kind `{program.worker}`") from None
        except UsageError as error:
            raise WorkerError(error.message, error.hint) from error
        executor.start(program, staffing, pages)
        return executor

    return make
