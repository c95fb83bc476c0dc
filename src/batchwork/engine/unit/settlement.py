"""What a failed attempt means for its unit: another one later, or the end. A decision on values, the same in a run and after a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from batchwork.model import Failure
from batchwork.retry import is_named, next_delay
from batchwork.spec.fields.retry import RetryPolicy


class Again(Struct, frozen=True):
    """Settlement: the unit gets another attempt `delay_s` seconds from now."""

    delay_s: float


class GivenUp(Struct, frozen=True):
    """Settlement: the unit has failed for good."""


Settlement: TypeAlias = Again | GivenUp


def settlement(
    policy: RetryPolicy, attempt: int, failure: Failure, deaths: int, random: Callable[[], float]
) -> Settlement:
    """What a failed attempt means. `attempt` counts from 1 since the unit was last given fresh ones; `deaths` of workers."""
    if deaths > 1 and not is_named(policy, failure):
        return GivenUp()
    delay = next_delay(policy, attempt, failure, random)
    if delay is None:
        return GivenUp()
    return Again(delay)
