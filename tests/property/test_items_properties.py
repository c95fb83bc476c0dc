"""Whatever the items, their order and the page size: nothing is lost, doubled or moved, and keys are unique."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from batchwork.items.fields import open_source
from batchwork.items.grouping import Grouping, keyed
from batchwork.items.keys.guard import KeyGuard, default_keys
from batchwork.items.keys.seen import Seen
from batchwork.items.literal import ListItems
from batchwork.text.jsontext import Json, encode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
alike = st.lists(st.sampled_from(["a", "b", "a#1", 1, "1", None, [], "#1"]), max_size=40)


@given(
    items=st.lists(values, max_size=30) | alike,
    page=st.integers(1, 12),
    size=st.integers(1, 9),
    each=st.sampled_from(["item", "batch"]),
    views=st.booleans(),
    start=st.integers(0, 5),
)
def test_grouping_loses_doubles_and_moves_nothing(
    items: list[Json], page: int, size: int, each: Literal["item", "batch"], views: bool, start: int
) -> None:
    guard = KeyGuard("keep", lambda keys: set())
    grouping = Grouping(each, size, views=views, total=len(items), seq=start)
    found = [grouping.add(some) for some in keyed(ListItems(items).pages(0, page), 0, default_keys, guard)]
    found.append(grouping.end())
    flat = [value for units in found for value in units.values]
    assert encode([item for group in flat for item in group] if each == "batch" else flat) == encode(items)
    count = len(flat)
    assert [seq for units in found for seq in units.seqs] == [*range(start, start + count)]
    assert [index for units in found for index in units.indexes] == [*range(count)]
    keys = [key for units in found for key in units.keys]
    assert len({*keys}) == count
    if each == "batch":
        members = [key for units in found for group in units.members or () for key in group]
        assert len({*members}) == len(members) == len(items)
        assert all(1 <= len(group) <= size for group in flat)
        assert [len(group) for group in flat[:-1]] == [size] * (count - 1 if count else 0)
    if views:
        seen = [view for units in found for view in units.batches or ()]
        assert len(seen) == count
        if each == "item":
            assert [view.index for view in seen] == [number // size for number in range(count)]


@given(
    keys=st.lists(st.sampled_from(["a", "b", "a#1", "a#2", "a#1#1", "b#1", "c"]), max_size=60),
    page=st.integers(1, 20),
    data=st.data(),
)
def test_keys_are_unique_and_do_not_depend_on_pages_or_on_what_is_recorded(
    keys: list[str], page: int, data: st.DataObject
) -> None:
    once: list[str] = []
    whole = KeyGuard("keep", lambda asked: set()).check(keys, 0) if keys else None
    recorded: set[str] = set()
    guard = KeyGuard("keep", lambda asked: recorded & {*asked})
    for at in range(0, len(keys), page):
        checked = guard.check(keys[at : at + page], at)
        once += checked.keys
        if data.draw(st.booleans()):
            recorded |= {*once}
            guard.release(once)
    assert len({*once}) == len(keys)
    assert whole is None or once == [*whole.keys]
    first = {key: at for at, key in reversed([*enumerate(keys)])}
    assert all(once[at] == key or first[key] < at or key in once[:at] for at, key in enumerate(keys))


@given(
    rows=st.lists(values, max_size=20),
    ending=st.sampled_from(["\n", "\r\n", "\n\n", " \n"]),
    page=st.integers(1, 7),
    start=st.integers(0, 4),
)
def test_jsonl_comes_back_as_it_was_written(rows: list[Json], ending: str, page: int, start: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(json.dumps(row) + ending for row in rows)
        (Path(folder) / "f").write_text(text, newline="")
        pages = open_source("jsonl", {"path": "f"}, folder, {}).pages(start, page)
        assert encode([item for some in pages for item in some]) == encode(rows[start:])


@given(
    lines=st.lists(
        st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=8), max_size=20
    ),
    mark=st.booleans(),
)
def test_lines_come_back_as_they_were_written(lines: list[str], mark: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        body = ("\ufeff" if mark else "") + "\r\n".join(lines)
        (Path(folder) / "f").write_bytes(body.encode())
        expected = [line for line in lines if line]
        if not mark and lines and lines[0].startswith("\ufeff"):
            expected = [line for line in [lines[0][1:], *lines[1:]] if line]
        pages = open_source("lines", {"path": "f"}, folder, {}).pages(0, 3)
        assert [item for some in pages for item in some] == expected


numbers = st.lists(st.integers(0, 2000), max_size=30).map(lambda found: [str(number) for number in sorted({*found})])
names = st.lists(st.text(st.sampled_from("ab\U0001f600"), max_size=4), max_size=20).map(lambda found: sorted({*found}))
anyhow = st.lists(st.text(st.sampled_from("ab1"), max_size=2) | st.integers(0, 300).map(str), max_size=10)


@given(st.sampled_from([numbers, names]).flatmap(lambda cells: cells), anyhow, anyhow, st.integers(1, 7))
def test_a_key_that_was_seen_is_never_called_new(
    in_order: list[str], then: list[str], again: list[str], size: int
) -> None:
    keys, seen, known = [*in_order, *then, *again, *in_order], Seen(), set[str]()
    for start in range(0, len(keys), size):
        page = [*dict.fromkeys(keys[start : start + size])]
        suspects = seen.sift(page)
        assert suspects == sorted({*suspects})
        assert {page[at] for at in suspects} >= known.intersection(page)
        known.update(page)


@given(st.sampled_from([numbers, names]).flatmap(lambda cells: cells), st.integers(1, 7))
def test_keys_in_order_are_known_to_be_new_without_a_filter(in_order: list[str], size: int) -> None:
    seen = Seen()
    for start in range(0, len(in_order), size):
        assert seen.sift(in_order[start : start + size]) == []
    assert seen._filter is None
