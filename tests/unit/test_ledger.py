"""When a draft is committed, and what is known to be on disk."""

from __future__ import annotations

import pytest

from batchwork.engine.step.ledger import CHECKPOINTS_MOST, COMMIT_AFTER_S, COMMIT_ROWS, Ledger
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
def ledger(store: Later, clock: StillClock) -> Ledger:
    return Ledger(1, store, clock, lambda: None)


def test_rows_wait_a_little_and_claims_do_not(ledger: Ledger, store: Later, clock: StillClock):
    assert ledger.idle
    ledger.draft.touch(clock.now(), 1)
    ledger.commit(waiting=True)
    assert store.orders == []
    assert ledger.due_s() == pytest.approx(COMMIT_AFTER_S)
    clock.now_s += COMMIT_AFTER_S * 2
    ledger.commit(waiting=True)
    assert len(store.orders) == 1
    ledger.draft.claim(Call(1, 1, Units([0], [0], ["0"], [0]), [0]), clock.now())
    ledger.commit(waiting=True)
    assert [claim.id for claim in store.orders[1][0].claims] == [1]


def test_many_rows_do_not_wait_nor_does_what_nothing_follows(ledger: Ledger, store: Later, clock: StillClock):
    ledger.draft.touch(clock.now(), COMMIT_ROWS)
    ledger.commit(waiting=True)
    ledger.draft.touch(clock.now(), 1)
    ledger.commit(waiting=False)
    assert len(store.orders) == 2


def test_while_the_disk_is_behind_nothing_more_is_handed_to_it(ledger: Ledger, store: Later, clock: StillClock):
    for _ in range(CHECKPOINTS_MOST + 3):
        ledger.draft.touch(clock.now(), COMMIT_ROWS)
        ledger.commit(waiting=True)
    assert len(store.orders) == CHECKPOINTS_MOST
    assert ledger.full
    assert ledger.due_s() is None
    store.orders[0][1](None)
    assert ledger.due_s() == 0.0
    assert len(list(ledger.on_disk())) == 1
    assert not ledger.full
    assert not ledger.idle


def test_counts_are_those_of_the_moment(ledger: Ledger, store: Later, clock: StillClock):
    ledger.counts = Counts(total=5, succeeded=2)
    ledger.draft.touch(clock.now(), 2)
    ledger.commit(waiting=False)
    ledger.counts = ledger.counts.add(succeeded=1)
    store.orders[0][1](None)
    assert [counts.succeeded for _, counts in ledger.on_disk()] == [2]
    assert ledger.idle


def test_an_error_says_how_many_outcomes_it_costs(ledger: Ledger, store: Later, clock: StillClock):
    ledger.draft.successes.append(Successes(1, 0, "", [0, 1], [0, 1], ["0", "1"], [None, None], ["0", "1"], [1, 1]))
    ledger.draft.touch(clock.now(), 2)
    ledger.commit(waiting=False)
    store.orders[0][1](StoreError("the disk is full"))
    with pytest.raises(StoreError, match=r"the disk is full \(2 finished since"):
        list(ledger.on_disk())
