"""Lazy results: a sequence like a list, read page by page, in templates, and for workers."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.clock import SystemClock
from batchwork.engine.run import results as module
from batchwork.engine.run.results import Pages, Results
from batchwork.errors import StoreError
from batchwork.model import Checkpoint, Counts, Failure, RunRecord, RunStatus, Successes, UnitRecord, UnitStatus
from batchwork.ports import PageQuery
from batchwork.store.memory import MemoryStore
from batchwork.template import compile_template
from batchwork.testing.store_case import commit, run_record, successes
from batchwork.text.jsontext import encode


class Counting(MemoryStore):
    """A store in memory that counts its readings and how much was read at once."""

    read: list[int]

    def results(self, step: int, start: int, limit: int) -> list[str | None]:
        self.read.append(limit)
        return super().results(step, start, limit)


def stored(values: list[Any]) -> tuple[Results, Counting]:
    """Results of a step: a value each, or a Failure, or None where the unit is gone."""
    store = Counting(SystemClock())
    store.read = []
    store.create_run(RunRecord("r1", "f", "f", "", "{}", "{}", RunStatus.SUCCEEDED, 0), [("fetch", True)])
    good = [at for at, value in enumerate(values) if not isinstance(value, Failure) and value is not None]
    records = [
        UnitRecord(at, at, f"k{at}", UnitStatus.FAILED, 3, value=f'"v{at}"', failure=value)
        for at, value in enumerate(values)
        if isinstance(value, Failure)
    ]
    gone = [
        UnitRecord(at, None, f"k{at}", UnitStatus.SKIPPED, 0, gone=UnitStatus.PENDING)
        for at, value in enumerate(values)
        if value is None
    ]
    successes = Successes(
        1,
        0,
        "w",
        good,
        good,
        [f"k{at}" for at in good],
        [None] * len(good),
        [encode(values[at]) for at in good],
        [5] * len(good),
    )
    counts = Counts(len(values), len(good), len(records), len(gone))
    checkpoint = Checkpoint(1, successes=[successes], records=[*records, *gone], counts=counts)
    heard: list[Exception | None] = []
    store.submit(checkpoint, heard.append)
    assert heard == [None]
    return Results(store, 1, "fetch", counts, 2.5), store


X = Failure("Bad", "no luck", exit_code=3)


@pytest.mark.promise("8.01")
def test_it_is_a_sequence_in_input_order() -> None:
    results, _ = stored(["a", X, {"n": 1}, [2]])
    assert len(results) == 4
    assert list(results) == ["a", None, {"n": 1}, [2]]
    assert results == ["a", None, {"n": 1}, [2]]
    assert results != ["a", None]
    assert (results[0], results[-1], results[1:3], results[::-2]) == ("a", [2], [None, {"n": 1}], [[2], None])
    assert "a" in results and results.index([2]) == 3
    for index in (4, -5):
        with pytest.raises(IndexError):
            results[index]


@pytest.mark.promise("8.02")
def test_what_is_beside_it() -> None:
    results, _ = stored(["a", X, "c"])
    assert results.results is results
    assert results.duration == 2.5
    assert results.counts == {
        "total": 3,
        "succeeded": 2,
        "failed": 1,
        "skipped": 0,
        "in_doubt": 0,
        "pending": 0,
        "running": 0,
    }
    (failed,) = results.failed
    assert (failed["index"], failed["key"], failed["item"], failed["attempts"]) == (1, "k1", "v1", 3)
    assert str(failed["error"]) == "no luck"
    assert (failed["error"].type, failed["error"].exit_code, failed["error"].attempts) == ("Bad", 3, 3)
    assert [dict(row) for row in results.succeeded] == [
        {"index": 0, "key": "k0", "result": "a"},
        {"index": 2, "key": "k2", "result": "c"},
    ]
    assert results.reference() == {"step": "fetch", "counts": results.counts, "duration": 2.5, "length": 3}


@pytest.mark.promise("8.03")
def test_counting_reads_nothing() -> None:
    results, store = stored([X] + ["a"] * 50)
    assert (len(results), len(results.failed), len(results.succeeded)) == (51, 1, 50)
    assert store.read == []


def test_pages_grow_with_use_and_are_remembered() -> None:
    results, store = stored(list(range(1, 1001)))
    assert results[0] == 1 and results[7] == 8
    assert store.read == [8]
    assert sum(1 for _ in results) == 1000
    assert store.read == [8, 64, 512, 1000]


def test_large_results_are_read_in_small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_CHARS", 1000)
    results, store = stored(["x" * 500] * 40)
    assert sum(len(str(result)) for result in results) == 20_000
    assert max(store.read[1:]) == 1


def test_what_is_gone_has_no_place() -> None:
    results, _ = stored(["a", "b", None, None])
    assert len(results) == 2
    assert list(results) == ["a", "b"]


@given(places=st.sets(st.integers(0, 60)), skipped=st.integers(0, 3))
def test_each_stands_at_its_place_where_the_end_is_not_known_and_there_are_holes(
    places: set[int], skipped: int
) -> None:
    found = sorted(places)
    with closing(MemoryStore(SystemClock())) as store:
        store.create_run(run_record(), [("fetch", True)])
        counts = Counts(None, len(found), 0, skipped)
        commit(store, Checkpoint(1, successes=[successes(found)], counts=counts))
        results = Results(store, 1, "fetch", counts, 0)
        assert list(results) == [at if at in places else None for at in range(max(found, default=-1) + 1)]


def test_in_templates() -> None:
    results, _ = stored(["a", X, "c"])
    scope = {"users": results}
    render = {
        "{{ users }}!": '["a",null,"c"]!',
        "{{ users[0] }}": "a",
        "{{ users[-1] }}": "c",
        "{{ users.failed[0].error }}.": "no luck.",
        "{{ users.failed[0].error.type }}": "Bad",
        "{{ users.failed|length }}": 1,
        "{{ users.counts.failed }}": 1,
        "{{ users|select|list|length }}": 2,
        "{% for u in users %}{{ loop.index0 }}{{ u }} {% endfor %}": "0a 1null 2c ",
    }
    assert {text: compile_template(text).render(scope) for text in render} == render
    assert compile_template("{{ users }}").render(scope) is results


def test_workers_get_pages_as_json() -> None:
    results, _ = stored(["a", X, "c"])
    pages = Pages({"fetch": results}.get)

    def ask(what: str, start: int, count: int) -> Any:
        return json.loads(pages.answer(PageQuery("fetch", what, start, count)))

    assert ask("results", 0, 1000) == ["a", None, "c"]
    assert ask("results", 1, 1) == [None]
    assert ask("results", 3, 10) == []
    assert ask("succeeded", 1, 5) == [{"index": 2, "key": "k2", "result": "c"}]
    error = {"type": "Bad", "message": "no luck", "attempts": 3, "exit_code": 3, "status_code": None}
    assert ask("failed", 0, 5) == [{"index": 1, "key": "k1", "item": "v1", "error": error, "attempts": 3}]
    with pytest.raises(StoreError, match="no results of a step `other`"):
        pages.answer(PageQuery("other", "results", 0, 1))


def test_a_page_for_a_worker_is_not_larger_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_CHARS", 1000)
    results, _ = stored(["x" * 500] * 40)
    rows = json.loads(results.page("results", 0, 1000))
    assert 1 <= len(rows) <= module.PAGE_FIRST
    many, _ = stored(list(range(1, 501)))
    rows = json.loads(many.page("results", 0, 1000))
    assert rows == list(range(1, len(rows) + 1)) and len(rows) > 100


@given(
    st.lists(st.integers(1, 9), max_size=40), st.integers(-50, 50), st.integers(-50, 50), st.sampled_from([1, 2, -1, 7])
)
def test_slices_are_those_of_a_list(values: list[int], start: int, stop: int, step: int) -> None:
    results, _ = stored(list(values))
    assert results[start:stop:step] == values[start:stop:step]
    assert list(results) == values
