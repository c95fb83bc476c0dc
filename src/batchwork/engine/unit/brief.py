"""What one coordinator is told of its step, and what it works with: values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from batchwork.censor import Censor
from batchwork.clock import Clock
from batchwork.plan.model import StepPlan
from batchwork.ports import Elsewhere, EventSink, ExecutorFactory, Setting, Staffing, Store
from batchwork.ports.journals import NO_JOURNALS, StepJournals


class Start(Enum):
    """How a step begins."""

    FRESH = "fresh"
    RESUMED = "resumed"
    """There may be stored units and claims."""
    REOPENED = "reopened"
    """So there may, and pending units are read from them and not from the source (`batchwork retry` on a finished step)."""
    REREAD = "reread"
    """As resumed; what is recorded runs with the value that the source has now."""
    RENEWED = "renewed"
    """As reopened, but pending units get the values that the source has now, and the places of bad rows are taken anew."""

    @classmethod
    def of(cls, fresh: bool, reopened: bool, reread: bool = False) -> Start:
        """How a step begins that has not run before (`fresh`), or whose failed units a retry has reopened."""
        if reopened:
            return cls.RENEWED if reread else cls.REOPENED
        if reread and not fresh:
            return cls.REREAD
        return cls.FRESH if fresh else cls.RESUMED


class StepBrief(Struct, frozen=True):
    """Everything that a coordinator needs for one step.

    `scope` holds the names that are the same for every unit; `created_ms` tells the run from those that have its id elsewhere.
    `declared`: which of the environment the workflow asks for; `on_nodes`: the run has other machines.
    """

    plan: StepPlan
    number: int
    run: str
    start: Start
    scope: Mapping[str, object]
    setting: Setting
    cookie: str
    censor: Censor
    created_ms: int = 0
    declared: tuple[str, ...] = ()
    on_nodes: bool = False

    @property
    def origin(self) -> str:
        """What the idempotency keys of the step begin with: another one in another run, and in another store."""
        return f"{self.run}.{self.created_ms:x}/{self.plan.name}"

    @property
    def resumed(self) -> bool:
        """Whether there may be stored units and claims."""
        return self.start is not Start.FRESH

    @property
    def reopened(self) -> bool:
        """Whether pending units are read from the store and not from the source."""
        return self.start is Start.REOPENED

    @property
    def reread(self) -> bool:
        """Whether what is recorded runs with the values that the source has now."""
        return self.start in (Start.REREAD, Start.RENEWED)

    @property
    def in_order(self) -> bool:
        """Whether one unit runs after another."""
        return self.plan.batch is None or not self.plan.batch.parallel

    @property
    def slots(self) -> int:
        """Attempts at once."""
        return self.plan.batch.slots if self.plan.batch is not None else 1

    @property
    def on_in_doubt(self) -> str:
        """What is done with units that may have run or not: `retry`, `fail` or `stop`."""
        return self.plan.batch.on_in_doubt if self.plan.batch is not None else "retry"

    @property
    def written_key(self) -> bool:
        """Whether the keys of units say nothing of their values."""
        return self.plan.batch is not None and self.plan.batch.key is not None

    @property
    def stays_here(self) -> str:
        """Why the units of the step run on this machine, in a run that has others; else empty."""
        return self.plan.stays if self.on_nodes else ""

    @property
    def _room(self) -> int:
        return 1 if self.plan.batch is None else self.plan.batch.room

    def staffing(self, slots: int, timeout_s: float | None, stays: str = "") -> Staffing:
        """What an executor needs to know that works for this step. `stays`: why it must be here."""
        return Staffing(
            slots=slots,
            timeout_s=timeout_s,
            cookie=self.cookie,
            environ=self.setting.environ,
            cwd=self.setting.cwd,
            asked=tuple(name for name in self.plan.retry.on if isinstance(name, str)),
            elsewhere=Elsewhere(stays or self.plan.stays, self._room, self.declared),
        )


class Equipment(Struct, frozen=True):
    """What a step works with, beside its brief."""

    store: Store
    executors: ExecutorFactory
    sink: EventSink
    clock: Clock
    journals: StepJournals = NO_JOURNALS
