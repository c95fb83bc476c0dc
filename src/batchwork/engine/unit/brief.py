"""What one coordinator is told of its step, and how the step ended: values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from batchwork.censor import Censor
from batchwork.model import Counts, Failure, StepStatus
from batchwork.plan.model import StepPlan
from batchwork.ports import Setting


class StepBrief(Struct, frozen=True):
    """Everything that a coordinator needs for one step.

    `scope` holds the names that are the same for every unit. `resumed`: there may be stored units and claims.
    `reopened`: pending units are read from the store and not from the source (`batchwork retry` on a finished step).
    """

    plan: StepPlan
    number: int
    run: str
    resumed: bool
    reopened: bool
    scope: Mapping[str, object]
    setting: Setting
    cookie: str
    censor: Censor


class StepEnd(Struct, frozen=True):
    """How a step ended. RUNNING: it was stopped and is to be resumed. `result` is the JSON text of a step without items."""

    status: StepStatus
    counts: Counts
    failure: Failure | None
    result: str | None
