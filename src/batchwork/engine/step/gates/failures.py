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

    def spare(self, counts: Counts) -> int | None:
        return 0

    def saw(self, settled: Settled) -> Failure | None:
        if not settled.failed:
            return None
        return failure_with(settled.failed[0], self.each)


class TooManyFailures(Gate):
    """`max_failures`: more of them end the step. What failed in an earlier process counts once a further unit has failed.

    At the end all of them count, and a share whatever the number of units.
    """

    limit: Threshold
    failing: bool = False

    @classmethod
    def of(cls, batch: BatchPlan | None) -> TooManyFailures | None:
        if batch is None or not batch.continue_on_error or batch.max_failures is None:
            return None
        return cls(batch.max_failures)

    def saw(self, settled: Settled) -> Failure | None:
        self.failing = self.failing or bool(settled.failed)
        counts = settled.counts
        if counts.succeeded + counts.failed < self._means_from():
            return None
        return self._failure(counts) if self.failing and exceeded(self.limit, counts) else None

    def spare(self, counts: Counts) -> int | None:
        if self.limit.share is None:
            return max(0, (self.limit.count or 0) - counts.failed)
        if self.limit.share >= 1:
            return None
        finished = counts.succeeded + counts.failed
        by_share = (self.limit.share * finished - counts.failed) / (1 - self.limit.share)
        return max(0, int(by_share), self._means_from() - 1 - finished)

    def at_end(self, counts: Counts) -> Failure | None:
        return self._failure(counts) if exceeded(self.limit, counts) else None

    def _means_from(self) -> int:
        """How many must be finished for it to mean something: a share of few says nothing yet."""
        return SHARE_MEANS_FROM if self.limit.count is None else 0

    def _failure(self, counts: Counts) -> Failure:
        finished = counts.succeeded + counts.failed
        message = f"{counts.failed} of {finished} failed, more than max_failures: {_in_words(self.limit)}"
        return Failure("threshold", message)


def exceeded(threshold: Threshold, counts: Counts) -> bool:
    """Whether more units have failed than `max_failures` allows, of those that are finished."""
    if threshold.count is not None:
        return counts.failed > threshold.count
    return threshold.share is not None and counts.failed > threshold.share * (counts.succeeded + counts.failed)


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
