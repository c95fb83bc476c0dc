"""At which failures calls end early: a table of what a step may ask for, and what gates have to spare."""

from __future__ import annotations

import pytest

from batchwork.engine.step.gates.call_ends import CallEnds
from batchwork.engine.step.gates.failures import FirstFailure, TooManyFailures, exceeded
from batchwork.model import Counts, Failure, Report
from batchwork.spec.written import Threshold

NEVER = (None, False)


def ends(
    *, in_order: bool = False, stops: bool = False, handled: bool = False, attempts: int = 1, chosen: bool = False
) -> CallEnds:
    return CallEnds(in_order, stops, handled, attempts, chosen)


@pytest.mark.parametrize(
    ("step", "tries", "spare", "expected"),
    [
        (ends(), 1, None, NEVER),
        (ends(attempts=3), 1, None, NEVER),
        (ends(handled=True), 1, None, NEVER),
        (ends(in_order=True), 1, None, NEVER),
        (ends(in_order=True, attempts=3), 3, None, NEVER),
        (ends(in_order=True, attempts=3), 2, None, (1, False)),
        (ends(in_order=True, handled=True), 1, None, (1, False)),
        (ends(in_order=True, handled=True, attempts=3), 3, 5, (1, False)),
        (ends(in_order=True, stops=True), 1, 0, (1, False)),
        (ends(in_order=True, stops=True), 1, 4, (5, False)),
        (ends(stops=True), 1, 0, (1, False)),
        (ends(stops=True), 1, 7, (8, False)),
        (ends(stops=True, attempts=3), 1, 0, (1, True)),
        (ends(stops=True, attempts=3), 3, 0, (1, False)),
        (ends(stops=True, attempts=3, chosen=True), 1, 0, (1, False)),
    ],
)
def test_a_call_ends_only_at_failures_that_matter(
    step: CallEnds, tries: int, spare: int | None, expected: tuple[int | None, bool]
) -> None:
    assert step.at(tries, spare) == expected


@pytest.mark.parametrize("step", [ends(in_order=True), ends(stops=True)])
def test_a_second_call_in_a_worker_would_start_in_spite_of_a_failure(step: CallEnds) -> None:
    assert step.alone
    assert not ends(handled=True, attempts=3).alone


def test_the_first_failure_leaves_nothing_to_spare() -> None:
    assert FirstFailure().spare(Counts(succeeded=9)) == 0


@pytest.mark.parametrize(
    "limit", [Threshold(count=0), Threshold(count=5), *(Threshold(share=share / 20) for share in range(20))]
)
@pytest.mark.parametrize("failed", [0, 1, 3, 10])
@pytest.mark.parametrize("succeeded", [0, 5, 18, 19, 40, 500])
def test_so_many_failures_in_a_row_end_no_step_and_one_more_does(limit: Threshold, succeeded: int, failed: int) -> None:
    gate, counts = TooManyFailures(limit), Counts(succeeded=succeeded, failed=failed)
    spare = gate.spare(counts)
    assert spare is not None

    def over(more: int) -> bool:
        after = counts.add(failed=more)
        return after.succeeded + after.failed >= gate._means_from() and exceeded(limit, after)

    if not over(0):
        assert not over(spare)
        assert over(spare + 2), "but for a rounding"


def test_a_share_of_all_is_never_exceeded() -> None:
    assert TooManyFailures(Threshold(share=1.0)).spare(Counts(succeeded=1, failed=99)) is None


FAILED = (1, Failure("ValueError", "no"), 5)


@pytest.mark.parametrize(
    ("step", "report", "expected"),
    [
        (ends(in_order=True), Report(1, [0, 1]), True),
        (ends(in_order=True, handled=True, attempts=3), Report(1, [0, 1]), True),
        (ends(in_order=True), Report(1, [0], failures=[FAILED]), True),
        (ends(attempts=3), Report(1, [0], failures=[FAILED]), False),
        (ends(in_order=True, attempts=2), Report(1, [0], failures=[FAILED]), False),
        (ends(in_order=True, handled=True), Report(1, [0], failures=[FAILED]), False),
        (ends(in_order=True), Report(1, [0], returned=[1]), False),
        (ends(in_order=True), Report(1, [0], cancelled=[1]), False),
        (ends(in_order=True), Report(1, [0], lost=[1]), False),
        (ends(stops=True), Report(1, [0, 1]), False),
    ],
)
def test_the_next_call_waits_for_what_is_decided_only_where_that_could_change_it(
    step: CallEnds, report: Report, expected: bool
) -> None:
    assert step.goes_on_after(report) is expected
