"""How the steps of one run stand while it goes on: their records, what is to happen next, what later steps see of earlier ones."""

from __future__ import annotations

from collections.abc import Mapping

from batchwork.engine.run.scheduling import ENDED, Moves, next_finalizers, next_moves, run_status
from batchwork.engine.run.scope import Names
from batchwork.model import RunStatus, StepRecord, StepStatus
from batchwork.plan.model import StepPlan


class StepStates:
    """The steps of a run by name. `names` know what those that have ended give."""

    def __init__(self, steps: tuple[StepPlan, ...], known: Mapping[str, StepRecord], names: Names) -> None:
        self._steps, self.names = steps, names
        self._records = {step.name: known[step.name] for step in steps}
        self._failed_before = frozenset(self.failed())
        self._begun: set[str] = set()
        for record in self._records.values():
            if record.status in ENDED:
                names.ended(record)

    def record(self, step: str) -> StepRecord:
        return self._records[step]

    def begun(self, record: StepRecord) -> None:
        """The step is not to begin again in this execution."""
        self._records[record.name] = record
        self._begun.add(record.name)

    def ended(self, record: StepRecord) -> None:
        """The step has ended, or was stopped."""
        self.begun(record)
        self.names.ended(record)

    def failed(self) -> list[str]:
        return [name for name, record in self._records.items() if record.status is StepStatus.FAILED]

    def next_moves(self, stopping: bool) -> Moves:
        """What to do with the steps that are not finalizers."""
        return next_moves(self._steps, self._statuses(), self._begun, stopping, self._failed_before)

    def next_finalizers(self) -> Moves:
        return Moves(next_finalizers(self._steps, self._statuses(), self._begun))

    def run_status(self, stopped: bool, finalizers: bool = True) -> RunStatus:
        """How the run stands if nothing more happens; with or without its finalizers."""
        steps = [step for step in self._steps if finalizers or not step.finalizer]
        return run_status(steps, self._statuses(), self._failed_units(), stopped)

    def _statuses(self) -> dict[str, StepStatus]:
        return {name: record.status for name, record in self._records.items()}

    def _failed_units(self) -> bool:
        succeeded = (record for record in self._records.values() if record.status is StepStatus.SUCCEEDED)
        return any(record.counts.failed > 0 for record in succeeded)
