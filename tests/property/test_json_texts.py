"""Whatever JSON comes: read at once it is what the standard module reads, written it is what the standard module writes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from batchwork.text.jsontext import canonical, encode
from batchwork.text.jsontexts import canonical_all, read_all, written_columns

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


def check(lines: list[str]) -> None:
    read = read_all(lines)
    if read is None:
        return
    usual = [json.loads(line) for line in lines]
    assert read.texts == [*map(encode, usual)]
    assert canonical_all(read) == [*map(canonical, usual)]
    assert repr([*read]) == repr(usual)


@given(items=st.lists(values, max_size=5), spaced=separators, ascii_only=st.booleans())
def test_values_written_in_any_way(items: list[Any], spaced: tuple[str, str], ascii_only: bool) -> None:
    check([json.dumps(item, ensure_ascii=ascii_only, separators=spaced) for item in items])


@given(st.lists(numbers, min_size=1, max_size=5))
@example(["1e16", "0.00001", "9007199254740993.0", "5e-324", "2.2250738585072011e-308"])
def test_numbers_written_in_any_way(lines: list[str]) -> None:
    check(lines)


@given(values, st.integers(0), st.sampled_from([*'{}[]",:0123456789-+.eE\\u tfnNI\x00\x7f', "\\ud8", "\\udc00", "\n"]))
def test_texts_that_are_damaged(item: Any, at: int, damage: str) -> None:
    text = json.dumps(item)
    at %= len(text) + 1
    read = read_all([text[:at] + damage + text[at:]])
    if read is not None:
        check([text[:at] + damage + text[at:]])  # which the standard module must read, too


@given(st.lists(st.text(st.characters(codec=None), max_size=4), min_size=1, max_size=4, unique=True), st.data())
@example(["n"], None)
def test_columns_become_the_texts_of_mappings(names: list[str], data: st.DataObject | None) -> None:
    columns = [[1e16, -0.0, 1e-5, 2**64, [1e-7]]]
    if data is not None:
        length = data.draw(st.integers(0, 5))
        columns = [data.draw(st.lists(values, min_size=length, max_size=length)) for _ in names]
    written = written_columns(tuple(names), columns)
    if written is not None:
        assert written.texts == [encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def test_usual_rows_are_written_at_once_and_those_that_are_not_are_left() -> None:
    for name, written_name in (("ü", '"ü"'), ('a "b"', r'"a \"b\""')):
        usual = written_columns(("id", name), [[1, 2], [1e16, None]])
        assert usual is not None
        assert usual.texts == [f'{{"id":1,{written_name}:1e+16}}', f'{{"id":2,{written_name}:null}}']
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    for value in (deep, "\ud800"):
        assert written_columns(("a",), [[value]]) is None
    twice = written_columns(("a", "a"), [[1], [2]])
    assert twice is not None
    assert twice.texts == ['{"a":2}']
