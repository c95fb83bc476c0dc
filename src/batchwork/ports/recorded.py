"""What a recorded unit says of itself to people and templates: its value, its error. Nothing is read from a store here."""

from __future__ import annotations

from msgspec import Struct

from batchwork.model import Failure, UnitNote, UnitRecord
from batchwork.text.jsontext import Json, decode


class ErrorView(Struct, frozen=True):
    """What `error` is in templates and code: a failure after `attempts` attempts."""

    type: str
    message: str
    attempts: int
    exit_code: int | None
    status_code: int | None

    @classmethod
    def of(cls, failure: Failure, attempts: int) -> ErrorView:
        return cls(failure.type, failure.message, attempts, failure.exit_code, failure.status_code)

    def __str__(self) -> str:
        return self.message


def value_text(record: UnitRecord) -> str | None:
    """The value as JSON text: as stored, else the key says it. None where neither does (a written key says nothing)."""
    if record.value is not None:
        return record.value
    if record.note in (UnitNote.IN_DOUBT, UnitNote.CLAIMED):
        return None
    return record.key or "null"


def item_of(record: UnitRecord) -> Json:
    """The value; None where it is not known."""
    text = value_text(record)
    if text is None:
        return None
    return decode(text)


def unit_failure(record: UnitRecord) -> Failure:
    """Why a failed unit failed."""
    return record.failure if record.failure is not None else Failure("unknown", "no reason is recorded")
