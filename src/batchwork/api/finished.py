"""A finished run as a value, whose results are read as they are used."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from msgspec import Struct

from batchwork.engine.run.request import RunEnd
from batchwork.engine.run.results import Results
from batchwork.errors import StoreError
from batchwork.model import Failure, RunStatus, StepRecord, StepStatus
from batchwork.plan.model import Plan
from batchwork.ports import Store
from batchwork.report import CountsJson, RunJson, counts_json, summarize, summary_json
from batchwork.text.jsontext import Json, decode


class StepOutcome(Struct, frozen=True):
    """How one step ended. `result` is what `steps.NAME.result` is: of a batch step a lazy sequence, else a value.

    `aggregate` is what `steps.NAME.aggregate` is, by name.
    """

    name: str
    status: StepStatus
    result: Results | Json
    error: Failure | None
    counts: CountsJson
    duration: float
    aggregate: Json = None


class FinishedRun:
    """A run that has ended, one way or another: `status` and `exit_code` say which. It keeps the store open for its results.

    `steps` has a StepOutcome for each step, by name, and `outputs` the results by their `outputs:` names.
    """

    def __init__(self, end: RunEnd, plan: Plan, store: Store) -> None:
        record = store.run(end.run)
        if record is None:
            raise StoreError(f"the run {end.run} is not in {store.describe()}")
        self._store = store
        self._end = end
        self.name = record.name
        steps = store.steps(end.run)
        self.summary: RunJson = summary_json(summarize(record, steps))
        self.steps: dict[str, StepOutcome] = {step.name: _outcome(step, store) for step in steps}
        self.outputs: dict[str, Results | Json] = {
            step.outputs: self.steps[step.name].result
            for step in plan.steps
            if step.outputs and step.name in self.steps
        }

    @property
    def id(self) -> str:
        return self._end.run

    @property
    def status(self) -> RunStatus:
        return self._end.status

    @property
    def exit_code(self) -> int:
        """As the command would have ended."""
        return self._end.exit_code

    @property
    def message(self) -> str:
        """What a person may do next; it may be empty."""
        return self._end.message

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.name}: {self.status}>"

    def close(self) -> None:
        """Close the store; results that have not been read cannot be read any more."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _outcome(step: StepRecord, store: Store) -> StepOutcome:
    duration = step.duration_ms / 1000
    result: Results | Json = None
    aggregate = None
    if step.batch:
        aggregate = None if step.result is None else decode(step.result)
        result = Results(store, step.number, step.name, step.counts, duration)
    elif step.result is not None:
        result = decode(step.result)
    return StepOutcome(step.name, step.status, result, step.failure, counts_json(step.counts), duration, aggregate)
