"""A step with the files that are made of its outcomes: from its begin to its end, and what becomes of the step by them."""

from __future__ import annotations

from collections.abc import Callable

from batchwork.engine.run.outcome.failed_items import write_failed_items
from batchwork.engine.run.outcome.results_file import ResultsFile
from batchwork.engine.step.fate import Fate, StepDone, StepFailed, StepStopped
from batchwork.engine.step.step_failure import with_hint
from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import BatchworkError, StoreError
from batchwork.model import Counts
from batchwork.plan.model import ResultsPlan
from batchwork.ports import Store

RESULTS = "results"
"""The type of a step's failure whose file cannot be written."""


def with_files(plan: ResultsPlan, brief: StepBrief, store: Store, run: Callable[[], Fate], before: Counts) -> Fate:
    """Run the step and write its files: its fate after that. Raises StoreError.

    Nothing runs where a file cannot be begun; the counts are those `before` then. There are files only of a step that is
    done; what another one had before stays.
    """
    try:
        file = ResultsFile(plan, brief, store)
    except BatchworkError as error:
        return StepFailed(before, with_hint(RESULTS, error))
    fate: Fate = StepStopped(before)
    try:
        fate = run()
        if isinstance(fate, StepDone):
            file.finish()
            write_failed_items(plan, brief, store)
    except StoreError:
        raise
    except BatchworkError as error:
        return StepFailed(fate.counts, with_hint(RESULTS, error), complete=True)
    finally:
        file.give_up()
    return fate
