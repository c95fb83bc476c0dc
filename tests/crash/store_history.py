"""A short history that is recorded while things go wrong, and what a store must have afterwards. No test is here."""

from __future__ import annotations

from batchwork.model import AttemptRecord, Checkpoint, Claim, Counts, UnitStatus
from batchwork.store import open_store
from batchwork.testing.store_case import BROKE, commit, picture, run_record, successes, unit

POINTS = ["state.write", "state.commit", "fsync", "claim.before_commit", "claim.after_commit"]
POINTS += ["flush.before_commit", "flush.commit", "flush.after_commit"]


def history() -> list[Checkpoint]:
    """A run as a coordinator writes it: claims with the outcomes of the claims before, a failed attempt, its retry."""
    made = [Checkpoint(1, claims=[Claim(0, 1, [0, 1], ["k0", "k1"])])]
    for number in range(1, 6):
        seqs = [2 * number - 2, 2 * number - 1]
        claim = Claim(number, 1, [2 * number, 2 * number + 1], [f"k{2 * number}", f"k{2 * number + 1}"])
        made.append(
            Checkpoint(
                1,
                claims=[claim],
                successes=[successes(seqs[:1])],
                records=[unit(seqs[1], UnitStatus.FAILED, 1, BROKE)],
                attempts=[AttemptRecord(seqs[1], 1, BROKE, 0, 0)],
                ended=[number - 1],
                counts=Counts(None, number, number),
            )
        )
    return made


def expected() -> object:
    store = open_store("memory:")
    store.create_run(run_record(), [("s", True)])
    for checkpoint in history():
        commit(store, checkpoint)
    return picture(store, "r1")
