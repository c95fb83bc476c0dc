"""A step with what is made of its outcomes: files, aggregates. From its begin to its end, and what becomes of the step by them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from batchwork.engine.run.outcome.aggregates import AggregateError, aggregated
from batchwork.engine.run.outcome.failed_items import write_failed_items
from batchwork.engine.run.outcome.results_file import ResultsFile
from batchwork.engine.step.fate import Fate, StepDone, StepFailed
from batchwork.engine.step.step_failure import with_hint
from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import BatchworkError, StoreError
from batchwork.model import Counts
from batchwork.plan.model import BatchPlan
from batchwork.ports import Store


def with_outcomes(batch: BatchPlan, brief: StepBrief, store: Store, run: Callable[[], Fate], before: Counts) -> Fate:
    """Run the step and make of its outcomes what it asks for: its fate after that. Raises StoreError.

    Nothing runs where a file cannot be begun; the counts are those `before` then. There is something only of a step that is
    done; the file that was there before stays otherwise.
    """
    try:
        file = ResultsFile(batch.results, brief, store) if batch.results is not None else None
    except BatchworkError as error:
        return StepFailed(before, with_hint("results", error))
    try:
        fate = run()
        return _made(batch, brief, store, fate, file) if isinstance(fate, StepDone) else fate
    finally:
        if file is not None:
            file.give_up()


def _made(batch: BatchPlan, brief: StepBrief, store: Store, done: StepDone, file: ResultsFile | None) -> Fate:
    try:
        if batch.aggregate:
            done = replace(done, result=aggregated(batch.aggregate, brief, store))
        if file is not None:
            file.finish()
        if batch.results is not None:
            write_failed_items(batch.results, brief, store)
    except StoreError:
        raise
    except BatchworkError as error:
        kind = "aggregate" if isinstance(error, AggregateError) else "results"
        return StepFailed(done.counts, with_hint(kind, error), complete=True)
    return done
