"""One task run once, outside the store: what `on_error` does. Steps and their units are the coordinator's."""

from __future__ import annotations

from msgspec import Struct

from batchwork.engine.stopping.stop_level import KILL, TERMINATE, Control
from batchwork.errors import BatchworkError
from batchwork.model import Call, Failure, Report, Units
from batchwork.plan.model import TaskPlan
from batchwork.ports import Executor, ExecutorFactory, Program, Scope, Setting, Staffing


class Done(Struct, frozen=True):
    """What came of it: `said` is the JSON text of a message to be printed."""

    failure: Failure | None
    said: str | None = None


def run_once(
    task: TaskPlan, setting: Setting, scope: Scope, executors: ExecutorFactory, staffing: Staffing, control: Control
) -> Done:
    """Run the task with these names, to its end or until it is to be terminated. Never raises what a person can mend."""
    try:
        program = task.compiled.program(setting)
        payload = None if program.takes_item else program.bind(scope)
        call = Call(0, 1, Units([0], [0], [""], [None]), [payload])
        executor = executors(program, staffing)
    except BatchworkError as error:
        return Done(Failure(type(error).__name__, error.message))
    unregister = control.register(executor.wake)
    try:
        return _outcome(program, executor, call, control)
    except BatchworkError as error:
        return Done(Failure(type(error).__name__, error.message))
    finally:
        unregister()
        executor.close()


def _outcome(program: Program, executor: Executor, call: Call, control: Control) -> Done:
    executor.submit(0, call)
    told = 0
    while True:
        if control.level >= KILL > told:
            executor.kill()
        elif control.level >= TERMINATE > told:
            executor.cancel()
        told = control.level
        for report in executor.poll(None):
            if report.returned and told < TERMINATE:
                executor.submit(0, call)
            elif (done := _read(program, report)) is not None:
                return done


def _read(program: Program, report: Report) -> Done | None:
    if report.done:
        return Done(None, report.results[0] if program.says else None)
    if report.failures:
        return Done(report.failures[0][1])
    if report.cancelled or report.returned:
        return Done(Failure("cancelled", "it was stopped before it had ended"))
    if report.lost:
        return Done(Failure("worker died", "its worker died"))
    return None
