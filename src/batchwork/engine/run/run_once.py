"""One task run once, outside the store: what `on_error` does."""

from __future__ import annotations

from msgspec import Struct

from batchwork.engine.step.desk import Desk
from batchwork.engine.stopping.stop_level import TERMINATE, Control
from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import BatchworkError
from batchwork.model import Call, Failure, Report, Units
from batchwork.plan.model import TaskPlan
from batchwork.ports import ExecutorFactory, Program, Setting


class RanOnce(Struct, frozen=True):
    """What came of it: `said` is the JSON text of a message to be printed."""

    failure: Failure | None
    said: str | None = None


def run_once(
    task: TaskPlan, setting: Setting, brief: StepBrief, executors: ExecutorFactory, control: Control
) -> RanOnce:
    """Run the task for a step, to its end or until it is to be terminated. Never raises what a person can mend."""
    try:
        program = task.compiled.program(setting)
        payload = None
        if not program.takes_item:
            payload = program.bind(setting.constants)
        desk = Desk(executors(program, brief.staffing(1, task.timeout_s, "it is what `on_error` does")), brief.censor)
    except BatchworkError as error:
        return RanOnce(Failure(type(error).__name__, error.message))
    unregister = control.register(desk.wake)
    try:
        return _outcome(program, desk, Call(0, 1, Units([0], [0], [""], [None]), [payload]), control)
    except BatchworkError as error:
        return RanOnce(Failure(type(error).__name__, error.message))
    finally:
        unregister()
        desk.close()


def _outcome(program: Program, desk: Desk, call: Call, control: Control) -> RanOnce:
    desk.submit(call)
    while True:
        desk.obey(control.level)
        for report in desk.hear(None):
            if report.returned and desk.level < TERMINATE:
                desk.submit(call)
            elif (outcome := _read(program, report)) is not None:
                return outcome


def _read(program: Program, report: Report) -> RanOnce | None:
    if report.done:
        return RanOnce(None, report.results[0] if program.says else None)
    if report.failures:
        return RanOnce(report.failures[0][1])
    if report.cancelled or report.returned:
        return RanOnce(Failure("cancelled", "it was stopped before it had ended"))
    if report.lost:
        return RanOnce(Failure("worker died", "its worker died"))
    return None
