"""The gates of a step: rates, and failures that end it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from step_plans import batch_plan

from batchwork.engine.step.gates.entrance import GATES, Entrance
from batchwork.engine.step.gates.failures import FirstFailure, TooManyFailures, exceeded
from batchwork.engine.step.gates.gate import UNLIMITED, Gate, Settled
from batchwork.engine.step.gates.rate import Throttle
from batchwork.model import Counts, Failure, UnitRecord, UnitStatus
from batchwork.spec.written import Rate, Threshold


@given(
    count=st.integers(1, 2000),
    per_s=st.sampled_from([1.0, 60.0, 3600.0]),
    pauses=st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
@pytest.mark.promise("6.18")
def test_no_span_holds_more_starts_than_the_rate_allows(count: int, per_s: float, pauses: list[float]):
    throttle = Throttle(Rate(count, per_s))
    now, starts = 0.0, []
    for pause in pauses:
        now += pause
        allowed = throttle.allows(now)
        throttle.spend(allowed)
        starts += [now] * allowed
    for first in starts:
        assert sum(1 for start in starts if first <= start < first + per_s) <= count


def test_starts_come_at_the_rate():
    throttle = Throttle(Rate(100, 1.0))
    started = 0
    for tick in range(1000):
        allowed = throttle.allows(tick / 100)
        throttle.spend(allowed)
        started += allowed
    assert 880 <= started <= 1000


def test_the_next_start_is_foretold():
    throttle = Throttle(Rate(10, 1.0))
    assert throttle.allows(0.0) == 1
    throttle.spend(1)
    assert throttle.allows(0.0) == 0
    assert throttle.allows(throttle.next_in()) == 1


@pytest.mark.promise("6.26")
def test_a_count_is_passed_by_one_more():
    assert not exceeded(Threshold(count=2), Counts(failed=2))
    assert exceeded(Threshold(count=2), Counts(failed=3))
    assert exceeded(Threshold(count=0), Counts(failed=1))


@pytest.mark.parametrize(
    ("succeeded", "failed", "meanwhile", "at_end"),
    [
        (0, 0, False, False),
        (0, 1, False, True),
        (9, 10, False, True),
        (18, 1, False, True),
        (10, 10, True, True),
        (19, 1, False, False),
        (94, 5, True, True),
        (95, 5, False, False),
    ],
)
@pytest.mark.promise("6.26")
def test_a_share_means_nothing_before_twenty_are_finished_but_at_the_end(
    succeeded: int, failed: int, meanwhile: bool, at_end: bool
):
    gate, counts = TooManyFailures(Threshold(share=0.05), failing=True), Counts(succeeded=succeeded, failed=failed)
    assert (gate.saw(Settled(counts)) is not None) is meanwhile
    assert (gate.at_end(counts) is not None) is at_end


def test_what_failed_before_counts_at_the_end():
    gate, counts = TooManyFailures(Threshold(count=1)), Counts(succeeded=5, failed=2)
    assert gate.saw(Settled(counts)) is None
    assert gate.at_end(counts) == Failure("threshold", "2 of 7 failed, more than max_failures: 1")


def test_attempts_that_start_a_little_late_keep_to_the_rate_all_the_same():
    throttle = Throttle(Rate(10, 1.0))
    now, starts = 0.0, []
    for late in [0.015] + [0.0] * 40:
        now += 0.0 if not starts else throttle.next_in()
        throttle.spend(throttle.allows(now))
        starts.append(now + late)
    for first in starts:
        assert sum(1 for start in starts if first <= start < first + 1.0) <= 10


def failed(key: str, attempts: int = 1) -> UnitRecord:
    return UnitRecord(0, 0, key, UnitStatus.FAILED, attempts, failure=Failure("exit", "code 3", exit_code=3))


def test_a_step_has_the_gates_that_its_plan_asks_for():
    def kinds(**changes: object) -> list[type[Gate]]:
        batch = batch_plan([1], **changes)
        return [type(gate) for of in GATES if (gate := of(batch)) is not None]

    assert kinds() == [FirstFailure]
    assert kinds(continue_on_error=True) == []
    assert kinds(continue_on_error=True, max_failures=Threshold(count=3)) == [TooManyFailures]
    assert kinds(rate_limit=Rate(5, 1.0)) == [Throttle, FirstFailure]
    assert [type(gate) for of in GATES if (gate := of(None)) is not None] == [FirstFailure]


def test_the_first_failure_ends_a_step_and_is_named():
    verdict = FirstFailure("item").saw(Settled(Counts(failed=1), [failed("7", attempts=3)]))
    assert verdict == Failure("exit", "item 7 failed after 3 attempts: code 3", exit_code=3)
    assert FirstFailure("item").saw(Settled(Counts(succeeded=5))) is None
    assert FirstFailure().saw(Settled(Counts(failed=1), [failed("")])) == failed("").failure


def test_too_many_failures_end_a_step_once_one_has_failed_in_this_process():
    gate = TooManyFailures(Threshold(share=0.1))
    assert gate.saw(Settled(Counts(succeeded=50, failed=50))) is None
    verdict = gate.saw(Settled(Counts(succeeded=50, failed=51), [failed("7")]))
    assert verdict is not None
    assert verdict.message == "51 of 101 failed, more than max_failures: 10%"


def test_a_gate_that_says_nothing_lets_all_start():
    gate = Gate()
    gate.spend(5)
    assert (gate.allows(1.0), gate.next_in(), gate.saw(Settled(Counts()))) == (UNLIMITED, 0.0, None)


def test_an_entrance_without_limits_holds_nothing_up():
    entrance = Entrance(batch_plan([1]))
    assert not entrance.limits
    assert entrance.claimable([4, 4], 1.0) == [4, 4]
    assert entrance.may_start(4, 1.0)
    assert entrance.held_s() is None


def test_claims_and_starts_pass_the_same_gates_each_for_itself():
    entrance = Entrance(batch_plan([1], rate_limit=Rate(10, 1.0)))
    assert entrance.claimable([3, 3], 1.0) == [1]
    entrance.claimed(1)
    assert entrance.may_start(1, 1.0)
    entrance.started(1)
    assert entrance.claimable([3], 1.0) == []
    assert not entrance.may_start(1, 1.0)
    held = entrance.held_s()
    assert held is not None
    assert 0 < held < 0.2
    assert entrance.may_start(1, 1.0 + held)
