"""What the store knows of a unit's value, and whether that is enough to run the unit again. Nothing is read here."""

from __future__ import annotations

from typing import Final

from batchwork.model import UnitRecord
from batchwork.secrets import MASK
from batchwork.text.jsontext import Json, decode

MASKED: Final = "masked"
"""Note of a unit that has not succeeded and whose value is stored without the secret that stands in it."""
IN_DOUBT: Final = "in doubt"
"""Note of a unit that was claimed when a process died; if that was its first attempt, its value is not stored."""
CLAIMED: Final = "claimed"
"""Note of what a claim alone tells."""


def value_text(record: UnitRecord) -> str | None:
    """The value as JSON text: as stored, else the key says it. None where neither does (a written key says nothing)."""
    if record.value is not None:
        return record.value
    if record.note in (IN_DOUBT, CLAIMED):
        return None
    return record.key or "null"


def item_of(record: UnitRecord) -> Json:
    """The value; None where it is not known."""
    text = value_text(record)
    return None if text is None else decode(text)


def can_run_again(record: UnitRecord) -> bool:
    """Whether what is stored is the value that the unit had, so that it can be run without its source."""
    text = value_text(record)
    if text is None or record.note == MASKED:
        return False
    return record.note != IN_DOUBT or MASK not in text
