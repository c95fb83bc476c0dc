"""A unit's value as the store keeps it: the text of it, and whether that is enough to run the unit again. Nothing is read here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from batchwork.model import UnitNote, UnitRecord, Units
from batchwork.plan.model import BatchPlan
from batchwork.ports import BadRow, Row
from batchwork.ports.recorded import value_text
from batchwork.secrets import MASK
from batchwork.text.jsontext import Json, default_key, encode
from batchwork.text.jsontexts import Texts
from batchwork.text.numerals import Numerals


def can_run_again(record: UnitRecord) -> bool:
    """Whether what is stored is the value that the unit had, so that it can be run without its source."""
    text = value_text(record)
    if text is None or record.note in (UnitNote.MASKED, UnitNote.BAD_ROW):
        return False
    return record.note is not UnitNote.IN_DOUBT or MASK not in text


def key_is_value(key: str) -> bool:
    """Whether a default key is the value's JSON text itself: not a hash, and not a duplicate's `KEY#n`."""
    return not key.startswith("sha256:") and (key[-1:] in '"]}' or "#" not in key)


def value_said(key: str, batch: BatchPlan | None) -> str | None:
    """JSON text of the value of a unit of which only the key is known, None where that does not say it."""
    if batch is None or batch.key is not None or batch.each == "batch" or MASK in key or not key_is_value(key):
        return None
    return key or "null"


def value_texts(units: Units, written_key: bool) -> list[str | None]:
    """JSON text of each unit's value, None where the key says it already (a million keys need no second copy)."""
    if written_key or units.members is not None:
        return [*_texts(units.values)]
    if isinstance(units.keys, Numerals) or all(map(str.isdigit, units.keys)):
        return [None] * len(units)
    said = list(map(key_is_value, units.keys))
    if all(said):
        return [None] * len(units)
    return [None if is_said else text for is_said, text in zip(said, _texts(units.values), strict=True)]


def _texts(values: Sequence[Json]) -> Iterable[str]:
    return values.texts if isinstance(values, Texts) else map(encode, values)


def own_text(units: Units, written_key: bool) -> str | None:
    """JSON text of the first unit's value, None where its key says it: a key that a censor has changed does not."""
    key = units.keys[0] or "null"
    value: Row = units.values[0]
    if isinstance(value, BadRow):
        return encode(value.text)
    said = not written_key and units.members is None and key_is_value(key) and key == default_key(value)
    if said:
        return None
    return next(iter(_texts(units.values)))


def member_texts(units: Units) -> list[str | None] | None:
    """JSON lists of the members' keys, where units are batches."""
    if units.members is None:
        return None
    return [encode(list(keys)) for keys in units.members]
