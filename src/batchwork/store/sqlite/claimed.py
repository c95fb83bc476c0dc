"""What of the claims on disk is not settled: what a resume has to look at, and what is in doubt after a crash. Read only."""

from __future__ import annotations

import apsw

from batchwork.model import Claim
from batchwork.store.sqlite.rows import claim_units, first_id, integer, text_in
from batchwork.store.sqlite.statements import statement
from batchwork.text import jsontext


def unsettled(connection: apsw.Connection, step: int) -> list[Claim]:
    """Each claim with those of its units that are neither final nor have a failed attempt of its number."""
    found = []
    for number, attempt, text in connection.execute(statement("claims"), (step,)).fetchall():
        seqs, keys = claim_units(text_in(text))
        settled = _settled(connection, first_id(step), seqs, integer(attempt))
        left = [(seq, key) for seq, key in zip(seqs, keys, strict=True) if seq not in settled]
        found.append(Claim(integer(number), integer(attempt), [seq for seq, _ in left], [key for _, key in left]))
    return found


def count_unsettled(connection: apsw.Connection, step: int) -> int:
    return len({seq for claim in unsettled(connection, step) for seq in claim.seqs})


def highest_claimed(connection: apsw.Connection, step: int) -> int:
    """The largest seq in any claim, -1 where there is none."""
    rows = connection.execute(statement("claims"), (step,)).fetchall()
    return max((max(claim_units(text_in(text))[0], default=-1) for _, _, text in rows), default=-1)


def _settled(connection: apsw.Connection, first: int, seqs: list[int], attempt: int) -> set[int]:
    among = jsontext.encode(seqs)
    final = connection.execute(statement("claim_settled_final"), (first, among)).fetchall()
    failed = connection.execute(statement("claim_settled_failed"), (first, among, attempt)).fetchall()
    return {integer(seq) for rows in (final, failed) for (seq,) in rows}
