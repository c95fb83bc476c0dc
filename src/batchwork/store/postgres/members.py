"""Batches found by the keys of their members: a table that is filled when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from batchwork.model import UnitRecord
from batchwork.store.tables.matching import batches_found
from batchwork.store.tables.rows import first_id, integer_in, text_in
from batchwork.store.tables.session import Session
from batchwork.text import jsontext

NOTED_AT_ONCE: Final = 1_000


def note_members(session: Session, step: int) -> None:
    """Add the members of batches that were recorded since somebody asked last."""
    first, last = first_id(step), first_id(step + 1)
    while rows := session.rows("member_batches", (first, last, NOTED_AT_ONCE)):
        found: list[tuple[int, str]] = []
        for batch, text in rows:
            members: Any = jsontext.decode(text_in(text))
            found += [(integer_in(batch), jsontext.wash(key)) for key in members]
        session.many("member_add", found)
        first = integer_in(rows[-1][0]) + 1


def batches(session: Session, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
    """The batch of each of some items."""
    among = session.among([jsontext.wash(key) for key in keys])
    return batches_found(step, keys, session.rows("member_match", (among, step)))
