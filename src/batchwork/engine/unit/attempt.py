"""Attempts: units that are about to have one, together."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from batchwork.model import Units

DOUBTS_MOST: Final = 3
"""A unit that was in doubt so often without finishing is taken for the cause: `poison`."""


class Piece(Struct, frozen=True):
    """Units whose next attempt has the same number. `base` is the number of attempts before they were given fresh ones."""

    attempt: int
    base: int
    units: Units
