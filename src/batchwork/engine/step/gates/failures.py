"""The gates that failed units close: the first one, or too many of them, end the step."""

from __future__ import annotations

from batchwork.engine.step.gates.gate import Gate, Settled
from batchwork.model import Counts, Failure, UnitRecord
from batchwork.plan.model import BatchPlan
from batchwork.spec.written import Threshold

SHARE_MEANS_FROM = 20
"""Finished units from which on a percentage means something."""


class FirstFailure(Gate):
    """Without `continue_on_error` the first unit that fails ends the step. `each`: what a unit is called; empty without items."""

    each: str = ""

    @classmethod
    def of(cls, batch: BatchPlan | None) -> FirstFailure | None:
        if batch is None:
            return cls()
        if batch.continue_on_error:
            return None
        return cls(batch.each)

    def saw(self, settled: Settled) -> Failure | None:
        if not settled.failed:
            return None
        return failure_with(settled.failed[0], self.each)


class TooManyFailures(Gate):
    """`max_failures`: more of them end the step. What failed in an earlier process counts once a further unit has failed."""

    limit: Threshold
    failing: bool = False

    @classmethod
    def of(cls, batch: BatchPlan | None) -> TooManyFailures | None:
        if batch is None or not batch.continue_on_error or batch.max_failures is None:
            return None
        return cls(batch.max_failures)

    def saw(self, settled: Settled) -> Failure | None:
        self.failing = self.failing or bool(settled.failed)
        if not self.failing or not exceeded(self.limit, settled.counts):
            return None
        counts = settled.counts
        finished = counts.succeeded + counts.failed
        message = f"{counts.failed} of {finished} failed, more than max_failures: {_in_words(self.limit)}"
        return Failure("threshold", message)


def exceeded(threshold: Threshold, counts: Counts) -> bool:
    """Whether more units have failed than `max_failures` allows."""
    if threshold.count is not None:
        return counts.failed > threshold.count
    finished = counts.succeeded + counts.failed
    return threshold.share is not None and finished >= SHARE_MEANS_FROM and counts.failed > threshold.share * finished


def failure_with(record: UnitRecord, each: str) -> Failure:
    """The step's failure where a failed unit ends it."""
    assert record.failure is not None
    if not each:
        return record.failure
    tries = ""
    if record.attempts > 1:
        tries = f" after {record.attempts} attempts"
    message = f"{each} {record.key} failed{tries}: {record.failure.message}"
    return Failure(record.failure.type, message, exit_code=record.failure.exit_code)


def _in_words(limit: Threshold) -> str:
    if limit.share is not None:
        return f"{limit.share * 100:.4g}%"
    return str(limit.count)
