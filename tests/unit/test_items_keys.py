"""Keys of items, and the guard against repeated ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from batchwork.errors import SourceError
from batchwork.items.grouping import Grouping, Keyed, batch_key, keyed
from batchwork.items.keys import guard as keys_module
from batchwork.items.keys import seen as seen_module
from batchwork.items.keys.archive import KeyArchive
from batchwork.items.keys.guard import KeyGuard, default_keys
from batchwork.items.literal import ListItems
from batchwork.model import BatchView
from batchwork.text.jsontext import Json, default_key


class Recorded:
    """A store that knows the keys that were put into it, and counts how often it is asked."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self.asked = 0

    def __call__(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked += 1
        return {key: self.keys[key] for key in keys if key in self.keys}


def run(guard: KeyGuard, store: Recorded, keys: Sequence[str], page: int) -> list[str]:
    """All keys through the guard, page by page, each page being recorded before the next."""
    found: list[str] = []
    for at in range(0, len(keys), page):
        checked = guard.check(keys[at : at + page], at)
        found += checked.keys
        store.keys.update(zip(checked.keys, range(at, at + page), strict=False))
        guard.release(checked.keys)
    return found


@pytest.mark.parametrize(
    "values",
    [
        [1, -5, 2**70],
        [10**300, 1],
        ["a", "ü", 'q"\\', "\n"],
        ["x" * 300, "y"],
        [True, 1, 1.0, None],
        [{"b": 1, "a": [2]}, []],
        ["\ud800"],
        range(-3, 4, 3),
        range(10**199, 10**199 + 2),
        range(10**200 - 1, 10**200 + 1),
    ],
)
@pytest.mark.promise("6.03")
def test_default_keys_of_a_page_are_those_of_its_items(values: list[Json]) -> None:
    assert default_keys(values) == [default_key(value) for value in values]


def test_a_value_that_is_not_json_is_named_by_position() -> None:
    with pytest.raises(SourceError, match="number 12"):
        default_keys([1, 2, float("nan")], 10)


@pytest.mark.parametrize("page", [1, 2, 3, 100])
@pytest.mark.promise("6.05")
def test_repeated_keys_are_numbered(page: int) -> None:
    store = Recorded()
    guard = KeyGuard("keep", store)
    assert run(guard, store, ["a", "b", "a", "a", "b", "c"], page) == ["a", "b", "a#1", "a#2", "b#1", "c"]


@pytest.mark.parametrize("page", [1, 2, 100])
def test_a_number_that_is_taken_is_left_out_and_a_late_one_is_itself_a_repetition(page: int) -> None:
    store = Recorded()
    assert run(KeyGuard("keep", store), store, ["a#1", "a", "a"], page) == ["a#1", "a", "a#2"]
    store = Recorded()
    assert run(KeyGuard("keep", store), store, ["a", "a", "a#1"], page) == ["a", "a#1", "a#1#1"]


def test_the_store_is_not_asked_while_all_keys_are_new() -> None:
    store = Recorded()
    guard = KeyGuard("keep", store)
    run(guard, store, [f"key {number}" for number in range(20_000)], 1000)
    assert store.asked == 0


def test_keys_that_seem_to_be_there_and_are_not_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_module, "_masks", lambda: [1] * 4096)  # so that all of a word look alike
    store = Recorded()
    keys = [f"key {number}" for number in reversed(range(100_000))]
    assert run(KeyGuard("keep", store), store, [*keys, "key 7", "key 7#1"], 5000) == [*keys, "key 7#1", "key 7#1#1"]
    assert store.asked > 2


@pytest.mark.parametrize("backlog", [0, 3, 1000])
def test_what_is_held_is_what_is_not_released_in_whatever_order(backlog: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "BACKLOG_MOST", backlog)
    guard = KeyGuard("error", lambda keys: set())
    for at in range(0, 40, 4):
        guard.check([f"k{number}" for number in range(at, at + 4)], at)
        guard.release([f"k{number}" for number in range(max(0, at - 5), at + 2) if number % 8])
        guard.release(["k1"])  # again, as after a retry
    for number in (0, 8, 39):
        with pytest.raises(SourceError, match=rf"'k{number}' comes twice, at {number} and 50"):
            guard.check([f"k{number}"], 50)
    assert guard.check(["k1", "k33"], 50).repeated == ()


def test_a_key_that_stays_does_not_keep_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "BACKLOG_MOST", 10)
    guard = KeyGuard("keep", lambda keys: set())
    for at in range(0, 10_000, 10):
        keys = [f"k{number}" for number in range(at, at + 10)]
        guard.check(keys, at)
        guard.release(keys[1:])
    held = guard._held  # what it holds cannot be seen from outside, only what it takes
    assert len(held._keys) >= 990
    assert len(held._pages) + len(held._released) + len(held._gone) < 50


def test_keys_that_are_not_recorded_yet_are_known_too() -> None:
    guard = KeyGuard("keep", lambda keys: set())
    assert guard.check(["a", "b"], 0).keys == ["a", "b"]
    checked = guard.check(["c", "a"], 2)
    assert (checked.keys, checked.repeated) == (["c", "a#1"], [1])


def test_error_names_the_key_and_both_positions() -> None:
    store = Recorded()
    guard = KeyGuard("error", store)
    guard.check(["a", "b"], 0)
    with pytest.raises(SourceError, match=r"'b' comes twice, at 1 and 3") as caught:
        guard.check(["c", "b"], 2)
    assert "on_duplicate" in caught.value.hint
    guard = KeyGuard("error", lambda keys: {*keys})
    guard.check(["a"], 0)
    guard.release(["a"])
    with pytest.raises(SourceError, match=r"'a' comes twice, at 7 and before"):
        guard.check(["a"], 7)


def test_numbers_are_right_after_they_were_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "COPIES_MOST", 1)
    store = Recorded()
    keys = ["a", "b"] * 4
    assert run(KeyGuard("keep", store), store, keys, 3) == ["a", "b", "a#1", "b#1", "a#2", "b#2", "a#3", "b#3"]


@pytest.mark.parametrize("most", [1, 2, 5, 1000])
def test_without_a_store_old_keys_go_to_an_archive(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "ARCHIVE_AT", most)
    guard = KeyGuard("keep")
    found: list[str] = []
    keys = ["a", "b", "c", "a", "d", "a#1", "e", "a", "e"]
    for at in range(0, len(keys), 2):
        found += guard.check(keys[at : at + 2], at).keys
    assert found == ["a", "b", "c", "a#1", "d", "a#1#1", "e", "a#2", "e#1"]


def test_an_archive_of_many_runs_has_what_was_put_in_and_nothing_else() -> None:
    archive = KeyArchive()
    for start in range(0, 50_000, 5_000):
        archive.add(f"key {number}" for number in range(start, start + 5_000))
    archive.add([])
    asked = [f"key {number}" for number in range(49_990, 50_010)]
    assert archive.found(asked) == {*asked[:10]}


def test_a_batch_unit_keeps_its_members() -> None:
    grouping = Grouping("batch", 2, seq=10)
    first = grouping.add(Keyed(range(3), ["a", "b", "c"], [1, 2, 3]))
    assert (first.seqs, first.indexes, first.values, first.members) == (range(10, 11), range(1), [[1, 2]], [["a", "b"]])
    assert first.keys == [batch_key(["a", "b"])]
    last = grouping.end()
    assert (last.seqs, last.indexes, last.values, last.members) == (range(11, 12), range(1, 2), [[3]], [["c"]])
    assert len(grouping.end()) == 0


def test_views_tell_each_item_its_batch() -> None:
    grouping = Grouping("item", 2, views=True, total=3)
    units = grouping.add(Keyed(range(3), ["a", "b", "c"], [1, 2, 3]))
    assert (units.keys, grouping.waiting) == (["a", "b"], 1)
    assert units.batches == [BatchView(0, [1, 2], 3)] * 2
    last = grouping.end()
    assert (last.keys, last.batches) == (["c"], [BatchView(1, [3], 3)])


def test_keyed_pages_know_their_positions_and_repetitions() -> None:
    guard = KeyGuard("skip", lambda keys: set())
    pages = [*keyed(ListItems(["a", "b", "a"]).pages(0, 2), 5, default_keys, guard)]
    assert [[*page.indexes] for page in pages] == [[5, 6], [7]]
    assert [[*page.keys] for page in pages] == [['"a"', '"b"'], ['"a"#1']]
    assert [page.repeated for page in pages] == [(), [0]]
    assert pages[0].without([0]).keys == ['"b"']
