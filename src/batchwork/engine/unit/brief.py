"""What one coordinator is told of its step, and what it works with: values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from batchwork.censor import Censor
from batchwork.clock import Clock
from batchwork.plan.model import StepPlan
from batchwork.ports import EventSink, ExecutorFactory, Setting, Staffing, Store


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

    @property
    def in_order(self) -> bool:
        """Whether one unit runs after another."""
        return self.plan.batch is None or not self.plan.batch.parallel

    @property
    def strict(self) -> bool:
        """Whether a call ends at its first failure, because failures stop the step or order counts."""
        return self.in_order or self.plan.batch is None or not self.plan.batch.continue_on_error

    @property
    def slots(self) -> int:
        """Attempts at once."""
        return self.plan.batch.slots if self.plan.batch is not None else 1

    @property
    def written_key(self) -> bool:
        """Whether the keys of units say nothing of their values."""
        return self.plan.batch is not None and self.plan.batch.key is not None

    def staffing(self, slots: int, strict: bool, timeout_s: float | None) -> Staffing:
        """What an executor needs to know that works for this step."""
        return Staffing(
            slots=slots,
            timeout_s=timeout_s,
            strict=strict,
            cookie=self.cookie,
            environ=self.setting.environ,
            cwd=self.setting.cwd,
        )


class Equipment(Struct, frozen=True):
    """What a step works with, beside its brief."""

    store: Store
    executors: ExecutorFactory
    sink: EventSink
    clock: Clock
