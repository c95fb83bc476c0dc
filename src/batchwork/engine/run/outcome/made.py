"""A step from its start to its fate where files or aggregates are made of its outcomes: they can make it fail, too."""

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
    """Run the step, and make of its outcomes what it asks for; its fate after that. Raises StoreError.

    Where a file cannot be begun nothing runs, and the step fails with the counts that it had `before`. Only a step that is
    done leaves files and aggregates; after any other fate an older file is still there.
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
