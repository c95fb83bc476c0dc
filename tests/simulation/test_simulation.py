"""A short round of the simulation, the same each time: every history ends, keeps what must hold, and can be played again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from history import History, simulated

HISTORIES = 400
AT_ONCE = 100


@pytest.fixture(scope="module")
def folder() -> Iterator[str]:
    with simulated() as made:
        yield made


@pytest.mark.parametrize("first", range(1, HISTORIES, AT_ONCE))
@pytest.mark.promise("7.02")
def test_nothing_that_must_hold_is_broken(first: int, folder: str):
    for seed in range(first, first + AT_ONCE):
        history = History(seed, folder)
        wrong = history.happen()
        assert wrong is None, f"{history.story()}\nseed {seed}: {wrong} (`make simulate SEED={seed}` plays it again)"


@pytest.mark.parametrize("seed", [3, 170, 305, 1747])
def test_a_seed_plays_the_same_history_again(seed: int, folder: str):
    stories = []
    for _ in range(2):
        history = History(seed, folder)
        history.happen()
        stories.append(history.story())
    assert stories[0] == stories[1]
    assert len(stories[0]) > 500
