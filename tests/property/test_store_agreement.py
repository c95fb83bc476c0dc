"""Random histories leave the same state in memory, SQLite and PostgreSQL, also when each checkpoint is executed twice."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

import postgres
from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    Handled,
    LogRecord,
    UnitNote,
    UnitRecord,
    UnitStatus,
)
from batchwork.ports import Opening, Store, UnitPage
from batchwork.store import open_store
from batchwork.store.tables.blocks import codec
from batchwork.testing.store_case import BROKE, EXITED, commit, picture, run_record, successes

SEQS = st.integers(0, 11)
FEW = st.lists(SEQS, max_size=6, unique=True)
FAILURES = st.sampled_from([None, BROKE, EXITED])


@st.composite
def records(draw: st.DrawFn, calm: bool = False) -> UnitRecord:
    seq = draw(SEQS)
    return UnitRecord(
        seq=seq,
        index=draw(st.sampled_from([None, seq, seq, seq, seq if calm else 11 - seq])),
        key=f"k{seq}",
        status=draw(st.sampled_from(UnitStatus)),
        attempts=draw(st.integers(0, 3)),
        value=draw(st.sampled_from([None, "1"])),
        result=draw(st.sampled_from([None, "2"])),
        failure=draw(FAILURES),
        base=draw(st.integers(0, 2)),
        doubts=draw(st.integers(0, 2)),
        note=draw(st.sampled_from([None, *UnitNote])),
        handled=draw(st.booleans()),
    )


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    seqs = draw(st.lists(SEQS, min_size=1, max_size=4, unique=True))
    number = draw(st.integers(1, 5))
    return Claim(number, draw(st.integers(1, 3)), seqs, [f"k{seq}" for seq in seqs])


@st.composite
def settled(draw: st.DrawFn, calm: bool = False):
    """What succeeded, in one part or two: a unit succeeds once in a checkpoint."""
    seqs = draw(st.lists(SEQS, max_size=9, unique=True) | st.builds(range, st.integers(0, 6), st.integers(6, 12)))
    at = draw(st.integers(0, len(seqs)))
    return [_successes(draw, part, calm) for part in (seqs[:at], seqs[at:]) if part]


def _successes(draw: st.DrawFn, seqs: Sequence[int], calm: bool):
    straight = calm or draw(st.booleans())
    return successes(
        seqs, seqs if straight else [11 - seq for seq in seqs], attempt=draw(st.sampled_from([1, 1, 2, 3]))
    )


ATTEMPTS = st.builds(AttemptRecord, SEQS, st.integers(1, 3), st.sampled_from([BROKE, EXITED]), st.just(1), st.just(2))


def checkpoints(calm: bool) -> st.SearchStrategy[Checkpoint]:
    """Whatever one may hold, or `calm`: nothing that gives a unit another place."""
    return st.builds(
        Checkpoint,
        step=st.just(1),
        claims=st.lists(claims(), max_size=2, unique_by=lambda claim: claim.id),
        successes=settled(calm),
        records=st.lists(records(calm), max_size=3),
        attempts=st.lists(ATTEMPTS, max_size=2),
        values=st.lists(st.tuples(SEQS, st.just("7"), st.none()), max_size=1),
        logs=st.lists(st.builds(LogRecord, SEQS, st.integers(1, 2), st.text(max_size=3)), max_size=2),
        handled=st.lists(st.builds(Handled, SEQS, FAILURES), max_size=2),
        ended=st.lists(st.integers(1, 5), max_size=2),
        moves=st.just([]) if calm else st.lists(st.tuples(SEQS, st.integers(0, 11)), max_size=4),
        counts=st.none() | st.builds(Counts, st.none() | st.integers(12, 20), SEQS, SEQS, SEQS),
    )


CHECKPOINTS = checkpoints(calm=False)
LOOKS = st.one_of(
    st.tuples(st.just("results"), SEQS, SEQS),
    st.tuples(st.just("units"), st.sampled_from(["pending", "failed", "succeeded", "skipped"]), st.just(0), SEQS),
    st.tuples(st.just("units"), st.none(), SEQS, SEQS, SEQS.map("k{}".format)),
    st.tuples(st.just("page"), st.integers(-1, 11), st.integers(1, 12)),
    st.tuples(st.sampled_from(["next_seq", "claims", "count", "was_reread"])),
    st.tuples(st.just("reopen"), st.none() | FEW),
    st.tuples(st.just("match"), st.lists(SEQS.map("k{}".format), max_size=4)),
)
CHANGES = st.one_of(
    st.tuples(st.just("reading")),
    st.tuples(st.just("sweep"), SEQS),
    st.tuples(st.just("match"), st.just([f"k{seq}" for seq in range(12)])),
    st.tuples(st.just("clear")),
)
ACTS = st.one_of(CHECKPOINTS, CHECKPOINTS, CHECKPOINTS, LOOKS, CHANGES)
CALM = st.one_of(checkpoints(calm=True), checkpoints(calm=True), LOOKS)
HISTORIES = st.one_of(
    st.lists(ACTS, min_size=1, max_size=12),
    st.builds(list.__add__, st.lists(CALM, min_size=1, max_size=8), st.lists(ACTS, max_size=4)),
)
LEAST = st.sampled_from([2, 5, codec.LEAST])
"""How many units are in a block at least: with 2 most of what succeeds is in one, with the store's own number nothing here."""


def _plain(answer: object) -> object:
    """A page's columns as lists: what kind of sequences they are is the store's own business."""
    if isinstance(answer, UnitPage):
        return [list(column) for column in astuple(answer)[:-1]]
    return answer


@settings(max_examples=100)
@given(HISTORIES, st.booleans(), st.booleans(), LEAST)
def test_memory_and_sqlite_agree(acts: list, twice: bool, owned: bool, least: int) -> None:
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(codec, "LEAST", least):
        _agree(open_store(str(Path(folder) / "s.db"), Opening(durability="fast")), acts, twice, owned)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES, st.booleans(), st.booleans(), LEAST)
def test_memory_and_postgresql_agree(
    postgres_server: postgres.Server, work: Path, acts: list, twice: bool, owned: bool, least: int
) -> None:
    url = postgres_server.schema()
    with mock.patch.object(codec, "LEAST", least):
        _agree(open_store(url, Opening(durability="fast")), acts, twice, owned)
    postgres_server.drop(url)


def _agree(other: Store, acts: list, twice: bool, owned: bool) -> None:
    """That a store is in the same state as the one in memory after the same history."""
    memory = open_store("memory:")
    stores = [memory, other]
    for store in stores:
        store.create_run(run_record(), [("s", True)])
    leases = [store.lease("r1") for store in stores if owned]
    for act in acts:
        answers = []
        for store in stores:
            if isinstance(act, Checkpoint):
                commit(store, act)
            else:
                name, *arguments = act
                answers.append(_plain(getattr(store, name)(1, *arguments)))
        assert answers[1:] == answers[:1]
        if twice and isinstance(act, Checkpoint) and not act.moves:
            commit(memory, act)
            commit(other, act)
    assert picture(other, "r1") == picture(memory, "r1")
    assert [lease.release() for lease in leases] == [None] * len(leases)
    for store in stores:
        store.close()


@settings(max_examples=40)
@given(st.lists(CHECKPOINTS, min_size=1, max_size=8))
def test_executing_a_checkpoint_again_at_once_changes_nothing(checkpoints: list[Checkpoint]) -> None:
    store = open_store("memory:")
    store.create_run(run_record(), [("s", True)])
    for checkpoint in checkpoints:
        commit(store, checkpoint)
        before = picture(store, "r1")
        commit(store, checkpoint)
        assert picture(store, "r1") == before
    store.close()
