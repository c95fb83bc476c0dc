"""When a failed unit gets another attempt."""

import pytest

from batchwork.engine.unit.settlement import Again, GivenUp, settlement
from batchwork.model import Failure
from batchwork.retry import may_retry, next_delay
from batchwork.spec.fields.retry import RetryPolicy


def half() -> float:
    return 0.5


THREE = RetryPolicy(max_attempts=3, delay_s=1.0, backoff=2.0, max_delay_s=10.0)


@pytest.mark.fault("G03")
@pytest.mark.parametrize(
    ("attempt", "delay"),
    [(1, 1.0), (2, 2.0), (3, None), (4, None)],
)
@pytest.mark.promise("6.20")
def test_delays_grow_until_the_attempts_are_used_up(attempt: int, delay: float | None):
    assert next_delay(THREE, attempt, Failure("ValueError", "x"), half) == delay


@pytest.mark.promise("6.20")
def test_a_delay_is_never_longer_than_the_longest():
    policy = RetryPolicy(max_attempts=5000, delay_s=1.0, backoff=2.0, max_delay_s=10.0)
    assert next_delay(policy, 4000, Failure("ValueError", "x"), half) == 10.0


@pytest.mark.promise("6.20")
def test_jitter_is_full():
    policy = RetryPolicy(max_attempts=3, delay_s=4.0, jitter=True)
    assert next_delay(policy, 1, Failure("ValueError", "x"), half) == 2.0


@pytest.mark.fault("G05")
def test_retry_after_is_a_lower_bound_over_the_longest_delay_up_to_an_hour():
    asked = Failure("http", "busy", status_code=429, retry_after_s=5.0)
    assert next_delay(THREE, 1, asked, half) == 5.0
    assert next_delay(THREE, 1, Failure("http", "busy", status_code=503, retry_after_s=99.0), half) == 99.0
    assert next_delay(THREE, 1, Failure("http", "busy", status_code=503, retry_after_s=1e6), half) == 3600.0
    assert next_delay(THREE, 1, Failure("http", "busy", status_code=429, retry_after_s=0.5), half) == 1.0


@pytest.mark.fault("G03", "G04")
@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (Failure("http", "", status_code=404), False),
        (Failure("http", "", status_code=408), True),
        (Failure("http", "", status_code=425), True),
        (Failure("http", "", status_code=429), True),
        (Failure("http", "", status_code=500), True),
        (Failure("exit", "", exit_code=1), True),
        (Failure("exit", "", exit_code=126), False),
        (Failure("exit", "", exit_code=127), False),
        (Failure("result", "", retryable=False), False),
        (Failure("timeout", ""), True),
    ],
)
@pytest.mark.promise("6.22")
def test_what_is_worth_another_attempt(failure: Failure, again: bool):
    assert may_retry(RetryPolicy(max_attempts=2), failure) is again


@pytest.mark.parametrize("on", [("exit",), (127,), ("timeout", 127)])
@pytest.mark.promise("6.21")
def test_what_is_named_is_retried_whatever_it_is(on: tuple[str | int, ...]):
    assert may_retry(RetryPolicy(max_attempts=2, on=on), Failure("exit", "", exit_code=127))


def test_what_is_not_named_is_not_retried():
    assert not may_retry(RetryPolicy(max_attempts=2, on=("timeout",)), Failure("exit", "", exit_code=1))


@pytest.mark.fault("D11")
@pytest.mark.promise("6.22")
def test_the_second_death_of_a_worker_is_the_last():
    died = Failure("worker died", "SIGSEGV")
    assert settlement(THREE, 1, died, 1, half) == Again(1.0)
    assert settlement(THREE, 2, died, 2, half) == GivenUp()
    named = RetryPolicy(max_attempts=3, on=("worker died",))
    assert settlement(named, 2, died, 2, half) == Again(0.0)


@pytest.mark.promise("6.21")
def test_a_type_that_an_error_derives_from_names_it_too():
    reset = Failure("ConnectionResetError", "", kinds=["OSError"])
    assert may_retry(RetryPolicy(max_attempts=2, on=("OSError",)), reset)
    assert not may_retry(RetryPolicy(max_attempts=2, on=("ValueError",)), reset)
