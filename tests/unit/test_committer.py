"""When a draft is committed, and what is known to be on disk."""

from __future__ import annotations

import pytest

from batchwork.engine.step.committer import CHECKPOINTS_MOST, COMMIT_AFTER_S, COMMIT_ROWS, Committer
from batchwork.errors import StoreError
from batchwork.model import Call, Checkpoint, Counts, Successes, Units
from batchwork.ports import Committed
from batchwork.store.memory import MemoryStore
from batchwork.testing.fakes import StillClock


class Later(MemoryStore):
    """Commits when it is told to."""

    def __init__(self) -> None:
        super().__init__(StillClock())
        self.orders: list[tuple[Checkpoint, Committed]] = []

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        self.orders.append((checkpoint, committed))


@pytest.fixture
def store() -> Later:
    return Later()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def committer(store: Later, clock: StillClock) -> Committer:
    return Committer(1, store, clock, lambda: None)


def test_rows_wait_a_little_and_claims_do_not(committer: Committer, store: Later, clock: StillClock):
    assert committer.idle
    committer.draft.touch(clock.now(), 1)
    committer.commit(waiting=True)
    assert store.orders == []
    assert committer.due_s() == pytest.approx(COMMIT_AFTER_S)
    clock.now_s += COMMIT_AFTER_S * 2
    committer.commit(waiting=True)
    assert len(store.orders) == 1
    committer.draft.claim(Call(1, 1, Units([0], [0], ["0"], [0]), [0]), clock.now())
    committer.commit(waiting=True)
    assert [claim.id for claim in store.orders[1][0].claims] == [1]


def test_many_rows_do_not_wait_nor_does_what_nothing_follows(committer: Committer, store: Later, clock: StillClock):
    committer.draft.touch(clock.now(), COMMIT_ROWS)
    committer.commit(waiting=True)
    committer.draft.touch(clock.now(), 1)
    committer.commit(waiting=False)
    assert len(store.orders) == 2


def test_while_the_disk_is_behind_nothing_more_is_handed_to_it(committer: Committer, store: Later, clock: StillClock):
    for _ in range(CHECKPOINTS_MOST + 3):
        committer.draft.touch(clock.now(), COMMIT_ROWS)
        committer.commit(waiting=True)
    assert len(store.orders) == CHECKPOINTS_MOST
    assert committer.full
    assert committer.due_s() is None
    store.orders[0][1](None)
    assert committer.due_s() == 0.0
    assert len(list(committer.on_disk())) == 1
    assert not committer.full
    assert not committer.idle


def test_counts_are_those_of_the_moment(committer: Committer, store: Later, clock: StillClock):
    committer.counts = Counts(total=5, succeeded=2)
    committer.draft.touch(clock.now(), 2)
    committer.commit(waiting=False)
    committer.counts = committer.counts.add(succeeded=1)
    store.orders[0][1](None)
    assert [counts.succeeded for _, counts in committer.on_disk()] == [2]
    assert committer.idle


def test_an_error_says_how_many_outcomes_it_costs(committer: Committer, store: Later, clock: StillClock):
    committer.draft.rows.successes.append(
        Successes(1, 0, "", [0, 1], [0, 1], ["0", "1"], [None, None], ["0", "1"], [1, 1])
    )
    committer.draft.touch(clock.now(), 2)
    committer.commit(waiting=False)
    store.orders[0][1](StoreError("the disk is full"))
    with pytest.raises(StoreError, match=r"the disk is full \(2 finished since"):
        list(committer.on_disk())


def test_who_waits_for_the_disk_is_told_though_there_is_nothing_to_write(
    committer: Committer, store: Later, clock: StillClock
):
    told: list[int] = []
    for number in (1, 2):  # the second while the first is under way
        committer.owe(lambda number=number: told.append(number))
        assert not committer.idle
        clock.now_s += COMMIT_AFTER_S * 2
        committer.commit(waiting=True)
    for _, committed in store.orders:
        committed(None)
        assert len(list(committer.on_disk())) == 1
    assert told == [1, 2]
    assert committer.idle
