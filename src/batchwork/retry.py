"""Whether and when a failed unit gets another attempt: one policy, one pure function."""

from __future__ import annotations

from collections.abc import Callable

from batchwork.model import Failure
from batchwork.spec.fields.retry import RetryPolicy

NEVER_AGAIN_EXITS = frozenset({126, 127})
AGAIN_STATUSES = frozenset({408, 425, 429})
ASKED_MAX_S = 3600.0
"""The longest wait that a server may ask for."""


def next_delay(policy: RetryPolicy, attempt: int, failure: Failure, random: Callable[[], float]) -> float | None:
    """Seconds to wait before attempt `attempt + 1`, or None when the unit is given up.

    Exponential, `min(max_delay, delay * backoff ** (attempt - 1))`; with jitter uniform between 0 and that (M. Brooker,
    "Exponential Backoff and Jitter", 2015). A server's `Retry-After` is a lower bound whatever `max_delay` says, for it
    refuses what comes before; at most an hour. Attempts count from 1; `random` gives a number in [0, 1).
    """
    if attempt >= policy.max_attempts or not may_retry(policy, failure):
        return None
    try:
        delay = min(policy.max_delay_s, policy.delay_s * policy.backoff ** (attempt - 1))
    except OverflowError:
        delay = policy.max_delay_s
    if policy.jitter:
        delay *= random()
    if failure.retry_after_s is not None:
        delay = max(delay, min(failure.retry_after_s, ASKED_MAX_S))
    return delay


def may_retry(policy: RetryPolicy, failure: Failure) -> bool:
    """Whether a failure of this kind is worth another attempt. What `on` names always is; else what can change is."""
    if policy.on:
        return is_named(policy, failure)
    if not failure.retryable or failure.exit_code in NEVER_AGAIN_EXITS:
        return False
    status = failure.status_code
    return status is None or not 400 <= status < 500 or status in AGAIN_STATUSES


def is_named(policy: RetryPolicy, failure: Failure) -> bool:
    """Whether `on` names this failure: its type or one that it derives from, its exit code, its HTTP status."""
    names = {failure.type, *failure.kinds, failure.exit_code, failure.status_code} - {None}
    return not names.isdisjoint(policy.on)
