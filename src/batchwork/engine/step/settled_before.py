"""What an earlier process had settled when it died, before it could say what comes of the step: its failure, its result."""

from __future__ import annotations

from batchwork.engine.step.gates.failures import failure_with
from batchwork.engine.step.step_failure import IN_DOUBT, refused_in_doubt
from batchwork.engine.unit.brief import StepBrief
from batchwork.model import Counts, Failure, UnitStatus
from batchwork.ports import Store


def failed_before(brief: StepBrief, store: Store, counts: Counts) -> Failure | None:
    """Why the step has failed, where it tolerates no failed unit and has one. This process would have ended with its own."""
    batch = brief.plan.batch
    if not counts.failed or (batch is not None and batch.continue_on_error):
        return None
    first = store.units(brief.number, UnitStatus.FAILED, 0, 1)[0].record
    return failure_with(first, "" if batch is None else batch.each)


def result_before(brief: StepBrief, store: Store) -> str | None:
    """JSON text of the result of a step without items, whose unit did not run now."""
    return next(iter(store.results(brief.number, 0, 1)), None)


def with_all_in_doubt(failure: Failure, brief: StepBrief, store: Store) -> Failure:
    """The step's failure with `on_in_doubt: stop`, which names all units in doubt: a dead worker's may come one after another."""
    if failure.type != IN_DOUBT or brief.on_in_doubt != "stop":
        return failure
    keys = [key for claim in store.claims(brief.number) for key in claim.keys]
    return refused_in_doubt(keys) if keys else failure
