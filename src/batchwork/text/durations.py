"""Lengths of time as people write them: seconds, or 100ms, 30s, 5m, 2h, 1d."""

from __future__ import annotations

from batchwork.text.patterns import pattern

_DURATION = pattern(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|sec|m|min|h|d)?\s*\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def seconds_of(text: str) -> float | None:
    """The seconds that a text means; None where it means none."""
    match = _DURATION.match(text)
    return float(match[1]) * _UNITS[match[2]] if match else None
