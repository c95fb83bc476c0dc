"""Numbers in JSON that others wrote: those that Python would take for infinite, or not read at all, are named. Nothing else is read here."""

from __future__ import annotations

import sys


def finite(text: str) -> float:
    """The number that a text writes. Raises ValueError where it is too large for a float."""
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def whole(text: str) -> int:
    """The whole number that a text writes. Raises ValueError where it has more digits than Python reads."""
    limit = sys.get_int_max_str_digits()
    if 0 < limit < len(text):
        raise ValueError(f"a number of {len(text):,} digits; more than {limit:,} must be quoted, as text")
    return int(text)
