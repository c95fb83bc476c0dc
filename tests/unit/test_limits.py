"""Rates and thresholds."""

from hypothesis import given
from hypothesis import strategies as st

from batchwork.engine.step.gates.rate import Throttle, exceeded
from batchwork.model import Counts
from batchwork.spec.written import Rate, Threshold


@given(
    count=st.integers(1, 2000),
    per_s=st.sampled_from([1.0, 60.0, 3600.0]),
    pauses=st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
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


def test_a_count_is_passed_by_one_more():
    assert not exceeded(Threshold(count=2), Counts(failed=2))
    assert exceeded(Threshold(count=2), Counts(failed=3))
    assert exceeded(Threshold(count=0), Counts(failed=1))


def test_a_share_means_nothing_before_twenty_are_finished():
    assert not exceeded(Threshold(share=0.05), Counts(succeeded=9, failed=10))
    assert exceeded(Threshold(share=0.05), Counts(succeeded=10, failed=10))
    assert not exceeded(Threshold(share=0.05), Counts(succeeded=95, failed=5))


def test_without_a_threshold_nothing_is_too_much():
    assert not exceeded(None, Counts(failed=10_000))


def test_attempts_that_start_a_little_late_keep_to_the_rate_all_the_same():
    throttle = Throttle(Rate(10, 1.0))
    now, starts = 0.0, []
    for late in [0.015] + [0.0] * 40:
        now += 0.0 if not starts else throttle.next_in()
        throttle.spend(throttle.allows(now))
        starts.append(now + late)
    for first in starts:
        assert sum(1 for start in starts if first <= start < first + 1.0) <= 10
