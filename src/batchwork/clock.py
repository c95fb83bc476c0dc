"""The only importer of time and randomness; everything else takes a Clock as an argument."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time, randomness and ids, so that tests can hold them still."""

    def now(self) -> float:
        """Seconds on a clock that never jumps (CLOCK_MONOTONIC); for durations, timeouts and delays."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970 UTC; for people only, nothing is decided by it."""
        ...

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def run_id(self) -> str:
        """A new run id: sorts by time, unique, `[0-9a-z-]`."""
        ...

    def execution_id(self) -> str:
        """128 random bits, in hexadecimal digits."""
        ...


class SystemClock:
    """The machine's clock and its randomness."""

    def now(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def random(self) -> float:
        import random  # few runs wait before another attempt

        return random.random()  # jitter, not secrecy

    def run_id(self) -> str:
        return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.urandom(3).hex()}"

    def execution_id(self) -> str:
        return os.urandom(16).hex()


def since_boot() -> float:
    """Seconds since the machine was started, those that it slept included; for leases, which end while a machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def iso(wall_ms: int) -> str:
    """The wall clock in ISO 8601, UTC, milliseconds: `2026-11-24T03:42:38.123+00:00`."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="milliseconds")
