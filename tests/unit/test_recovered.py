"""Outcomes that journals kept when a process died: they get what was not recorded of them, whatever happens before the source is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from test_coordinator import Bench
from test_found_histories import stopped

from batchwork.engine.feed.in_doubt import commit_and_wait
from batchwork.engine.step.fate import StepDone
from batchwork.items.grouping import batch_key
from batchwork.model import Checkpoint, Claim, Failure, UnitStatus
from batchwork.ports.journals import NoJournals, Noted
from batchwork.template import compile_template
from batchwork.text.jsontext import Json, decode

ITEMS: list[Json] = [{"id": f"k{number}", "text": "x" * 300} for number in range(6)]
BROKE = Failure("ValueError", "no", retryable=False)


class Left(NoJournals):
    """What one execution left of a step, until that is recorded."""

    def __init__(self, *calls: tuple[int, Noted]) -> None:
        self.calls = dict(calls)

    def read(self, *_: object) -> Mapping[int, Noted] | None:
        return self.calls

    def forget(self, *_: object) -> None:
        self.calls = {}


OUTCOMES: dict[str, Callable[[], Noted]] = {
    "succeeded": lambda: Noted("w", done={0: (5, '"done"')}),
    "failed": lambda: Noted("w", failed={0: (5, 1, BROKE)}),
    "in doubt": lambda: Noted("w", started={0}),
}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def died(bench: Bench, claim: Claim, noted: Noted) -> None:
    """A process that claimed this has died, and its worker has noted what came of it."""
    commit_and_wait(bench.store, Checkpoint(bench.number, claims=[claim]))
    bench.journals = Left((claim.id, noted))


def values(bench: Bench) -> dict[str, Json]:
    views = bench.store.units(bench.number)
    return {view.record.key: decode(view.record.value or "null") for view in views}


@pytest.mark.parametrize(
    ("outcome", "moved", "each"),
    [
        (outcome, moved, each)
        for outcome in OUTCOMES
        for moved in (0, 1)
        for each in ("item", "batch")
        if outcome == "succeeded" or not moved or each == "item"
    ],
)
@pytest.mark.parametrize("stops", [0, 1, 3])
def test_a_recovered_unit_gets_its_value_however_often_it_is_stopped_before(
    bench: Bench, outcome: str, stops: int, moved: int, each: str
):
    """`moved`: other items stand before it when the source is read at last (whole batches of them)."""
    size = 2
    settings: dict[str, Any] = {"each": each, "batch_size": size, "continue_on_error": True, "on_in_doubt": "fail"}
    if each == "item":
        settings["key"] = compile_template("{{ item.id }}")
    bench.run(lambda _: None, ITEMS, **settings)
    keys = [view.record.key for view in bench.store.units(bench.number)]
    members = None
    if each == "batch":
        every = [decode(view.record.members or "") for view in bench.store.units(bench.number)]
        members = [every[1]]
    bench.store.clear(bench.number)
    died(bench, Claim(99, 1, [1], [keys[1]], members=members), OUTCOMES[outcome]())  # type: ignore[arg-type]
    for _ in range(stops):
        stopped(bench, ITEMS, **settings)
        assert values(bench)[keys[1]] is None, "nothing was read, and nothing else is taken for its value"
    before: list[Json] = [{"id": f"new{number}"} for number in range(size * moved)]
    seen: list[Any] = []
    end = bench.run(lambda payload: seen.append(payload["item"]), [*before, *ITEMS], resumed=True, **settings)
    assert isinstance(end, StepDone)
    own = ITEMS[1] if each == "item" else ITEMS[2:4]
    assert own not in seen, "it has run"
    assert len(seen) == len(bench.store.units(bench.number)) - 1
    assert values(bench)[keys[1]] == own


@pytest.mark.parametrize(("outcome", "runs"), [("succeeded", 0), ("failed", 1), ("in doubt", 1)])
def test_the_members_of_a_batch_that_succeeded_are_not_grouped_anew(bench: Bench, outcome: str, runs: int):
    """Those of one that did not are: what it lacks may never come together again."""
    members = [str(number) for number in range(3, 6)]
    died(bench, Claim(99, 1, [1], [batch_key(members)], members=[members]), OUTCOMES[outcome]())
    seen: list[Any] = []
    items = [7, *range(2), 8, *range(2, 5), 9, 5]
    end = bench.run(
        lambda payload: seen.extend(payload["item"]),
        items,
        resumed=True,
        each="batch",
        batch_size=3,
        continue_on_error=True,
    )
    assert isinstance(end, StepDone)
    ran = {item: seen.count(item) for item in range(10)}
    assert [ran[item] for item in (3, 4, 5)] == [runs] * 3
    assert [ran[item] for item in (0, 1, 2, 7, 8, 9)] == [1] * 6
    statuses = [view.status for view in bench.store.units(bench.number) if view.record.key == batch_key(members)]
    assert statuses == ([] if runs else [outcome]) or runs


def test_a_recovered_unit_whose_key_is_its_value_lacks_nothing(bench: Bench):
    died(bench, Claim(99, 1, [1], ["1"]), OUTCOMES["succeeded"]())
    stopped(bench, [0, 1])
    (view,) = bench.store.units(bench.number, UnitStatus.SUCCEEDED)
    assert (view.record.value, view.record.doubts, view.record.note) == ("1", 0, None)


def test_a_batch_that_is_retried_and_lacks_its_value_is_grouped_anew_where_the_source_has_changed(bench: Bench):
    settings: dict[str, Any] = {"each": "batch", "batch_size": 3, "continue_on_error": True}
    died(bench, Claim(99, 1, [0], [batch_key(["0", "1", "2"])], members=[["0", "1", "2"]]), OUTCOMES["failed"]())
    stopped(bench, list(range(6)), **settings)
    bench.store.reopen(bench.number, None)
    seen: list[Any] = []
    bench.run(lambda payload: seen.append(payload["item"]), [9, *range(5)], resumed=True, **settings)
    assert sorted(seen) == [[2, 3, 4], [9, 0, 1]]
