"""Claims: their units as text, and which of them are not settled. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from batchwork.model import Claim
from batchwork.store.tables.blocks import reading as blocks
from batchwork.store.tables.rows import first_id, integer_in, same, text_in
from batchwork.store.tables.session import Session
from batchwork.text import jsontext
from batchwork.text.jsontext import Json
from batchwork.text.numerals import Numerals


def claim_text(claim: Claim) -> str:
    """The units of a claim as JSON text; consecutive seqs, and keys that are numbers in a row, are written as where they begin."""
    seqs, keys = claim.seqs, claim.keys
    tree: dict[str, Json] = {"seqs": [*seqs]}
    if seqs and same(seqs, range(seqs[0], seqs[0] + len(seqs))):
        tree = {"first": seqs[0]}
    if isinstance(keys, Numerals) and isinstance(keys.numbers, range):
        tree["numbers"] = [keys.numbers.start, keys.numbers.stop, keys.numbers.step]
    else:
        tree["keys"] = [*keys]
    if claim.members is not None:
        tree["members"] = [[*keys] for keys in claim.members]
    return jsontext.encode(tree)


class ClaimUnits(NamedTuple):
    """The units of a claim, column by column."""

    seqs: Sequence[int]
    keys: Sequence[str]
    members: list[list[str]] | None


def claim_units(text: str) -> ClaimUnits:
    """What stands in a text written by `claim_text`."""
    tree: Any = jsontext.decode(text)
    keys: Sequence[str] = Numerals(range(*tree["numbers"])) if "numbers" in tree else tree["keys"]
    seqs = tree["seqs"] if "seqs" in tree else range(tree["first"], tree["first"] + len(keys))
    return ClaimUnits(seqs, keys, tree.get("members"))


def unsettled(session: Session, step: int) -> list[Claim]:
    """Each claim with those of its units that are neither final nor have a failed attempt of its number."""
    found = []
    for number, attempt, text in session.rows("claims", (step,)):
        seqs, keys, members = claim_units(text_in(text))
        settled = _settled(session, first_id(step), seqs, integer_in(attempt))
        left = [offset for offset, seq in enumerate(seqs) if seq not in settled]
        found.append(Claim(integer_in(number), integer_in(attempt), seqs, keys, members=members).part(left))
    return found


def highest_claimed(session: Session, step: int) -> int:
    """The largest seq in any claim, -1 where there is none."""
    rows = session.rows("claims", (step,))
    return max((max(claim_units(text_in(text)).seqs, default=-1) for _, _, text in rows), default=-1)


def _settled(session: Session, first: int, seqs: Sequence[int], attempt: int) -> set[int]:
    among = session.among(seqs)
    final = session.rows("claim_settled_final", (first, among))
    failed = session.rows("claim_settled_failed", (first, among, attempt))
    packed = blocks.covered(session, first, seqs)
    return packed.union(integer_in(seq) for rows in (final, failed) for (seq,) in rows)
