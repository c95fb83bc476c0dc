"""JSON values with their texts: what msgspec makes is what the standard module would have made, or is left to that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchwork.engine.step.checkpoint_draft import success_rows
from batchwork.engine.unit.attempt import Piece, joined
from batchwork.engine.unit.stored_value import own_text
from batchwork.items.grouping import Grouping, Keyed
from batchwork.items.jsonl import JsonlSource
from batchwork.items.keys.guard import default_keys
from batchwork.model import Call, Report, Units
from batchwork.ports import Rows
from batchwork.text.jsontext import canonical, default_key, encode, kept
from batchwork.text.jsontexts import DEEPEST, Texts, canonical_all, read_all, values_at
from batchwork.workers.python.orders import call_body
from batchwork.workers.python.reports import Sent

READABLE = [
    "null",
    "true",
    " 7\t",
    "-0",
    "-0.0",
    "1.0",
    "1E5",
    "1e16",
    "123456789012345678.0",
    "0.0001",
    "0.00001",
    "[1e-7,5e-324,-1.7976931348623157e308]",
    '{"a": 1e22 , "b":"1e22"}',
    '{"id":"3e45-0.00001","n":[":1e5,",1]}',
    "9223372036854775808",
    "-9223372036854775809",
    "1" + "0" * 300,
    '"\\u0041\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f"',
    '"\x7f\u2028\ufeff\ufffe\U0010ffff"',
    '"\\ud83d\\ude00 😀 é"',
    '{"a":1,"b":2,"a":{"x":1,"x":[]}}',
    '{"\\u0000":"", "":{}, "é":[ ], "z":0, "A":[{"b":1,"a":2}]}',
    "[" * DEEPEST + "]" * DEEPEST,
]
LEFT = [
    "",
    "1 2",
    "[1,]",
    "NaN",
    "-Infinity",
    "1e400",
    '"\\ud800"',
    '{"\\udc00":1}',
    '"\ud800"',
    "1" * 5000,
    "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
    '{"a":"]]]]","b":' * 300 + "1" + "}" * 300,
    "[" * 100_000,
]


@pytest.mark.parametrize("line", READABLE, ids=range(len(READABLE)))
def test_a_text_read_at_once_is_what_the_standard_module_makes_of_it(line: str) -> None:
    read = read_all([line])
    assert read is not None
    value = json.loads(line)
    assert repr([*read]) == repr([value])
    assert read.texts == [encode(value)]
    assert canonical_all(read) == [canonical(value)]


@pytest.mark.parametrize("line", LEFT, ids=range(len(LEFT)))
def test_what_only_the_standard_module_reads_or_nobody_is_left_to_it(line: str) -> None:
    assert read_all(["1", line]) is None


def test_many_brackets_side_by_side_are_not_deep() -> None:
    line = json.dumps([[1]] * 1000, separators=(",", ":"))
    read = read_all([line])
    assert read is not None
    assert read.texts == [line]


def test_default_keys_of_texts_are_those_of_their_values() -> None:
    long = ["9" * 200, "-" + "9" * 200, "9" * 201, "-" + "9" * 201, '"' + "x" * 198 + '"', '"' + "x" * 199 + '"']
    assert [len(default_key(json.loads(line))) for line in long] == [200, 201, 39, 39, 200, 39]
    read = read_all([*READABLE, *long, json.dumps({"long": "x" * 500})])
    assert read is not None
    assert default_keys(read) == [*map(default_key, read)]


@pytest.mark.parametrize("value", ["é", 1, [1.5, None], {"b": 1, "a": {"c": []}}, "\ud800", ["\ud800"]], ids=str)
def test_no_encoder_is_made_for_a_value(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    texts = encode(value), canonical(value)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an encoder was made")

    monkeypatch.setattr(json.JSONEncoder, "iterencode", never)
    monkeypatch.setattr(json.encoder, "c_make_encoder", never)
    assert (encode(value), canonical(value)) == texts


def test_without_the_c_module_an_encoder_writes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    assert kept(sort_keys=True)({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'


def test_a_value_that_holds_itself_is_told_from_one_that_is_too_deep() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        encode(circle)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RecursionError):
        encode(deep)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), [{"a": {"é b": 1}, "": None}, {"z": 0, "a": {"é b": "x", "c": []}}]),
        (("a", "é b"), [1, "x"]),
        (("a",), [{"é b": 1}, {"é b": "x", "c": []}]),
        (("",), None),  # one has none
        (("a", "é b", "c"), None),
        (("a", 0), None),
        (("a", 'q"\\\n'), None),
    ],
)
def test_what_values_have_under_names_is_found_without_the_rest(
    names: tuple[str, ...], expected: list[object] | None
) -> None:
    read = read_all(['{"a":{"é b":0},"a":{"\\u00e9 b":1}, "":null}', '{"z":0,"a":{"é b":"x","c":[]}}'])
    assert read is not None
    assert values_at(read, names) == expected


# ------------------------------------------------------------ on their way


def page_of(path: Path, lines: list[str]) -> Rows:
    path.write_text("\n".join(lines) + "\n")
    (page,) = JsonlSource().open(JsonlSource.Fields(str(path)), ".", {}).pages(0, 1000)
    assert isinstance(page, Rows)
    return page


def units_of(texts: Texts) -> Units:
    places = range(len(texts))
    return Units(places, places, [f"k{place}" for place in places], texts)


def test_a_page_of_a_file_has_the_texts_of_its_rows(tmp_path: Path) -> None:
    page = page_of(tmp_path / "rows.jsonl", READABLE)
    assert isinstance(page.items, Texts)
    assert page.items.texts == [encode(json.loads(line)) for line in READABLE]


def test_a_page_with_one_row_that_is_read_in_the_other_way_has_no_texts(tmp_path: Path) -> None:
    page = page_of(tmp_path / "rows.jsonl", ["1", '"\\ud800"', "2"])
    assert page.items == [1, "\ud800", 2]


def test_a_part_of_a_page_has_its_part_of_the_texts() -> None:
    page = Rows()
    page.add(Rows("f", Texts(["1", "2", "3"]), [(0, 1)]), 1, 3)
    page.add(Rows("f", Texts(["4"]), [(0, 4)]), 0, 1)
    assert isinstance(page.items, Texts)
    assert (page.items.texts, page.place(2)) == (["2", "3", "4"], "f:4")
    page.add(Rows("f", [5], [(0, 5)]), 0, 1)
    assert page.items == [2, 3, 4, 5]


def test_texts_go_to_the_worker_and_into_the_store_as_they_are() -> None:
    read = read_all(READABLE)
    assert read is not None
    units = units_of(read)
    call = Call(7, 1, units, units.values)
    body = call_body(Sent(call, 1), 0, None)
    assert body.endswith(b',"units":[' + ",".join(read.texts).encode() + b"]}")
    told = json.loads(body)
    assert (told["id"], repr(told["units"])) == (7, repr([*read]))
    results = ["null"] * len(units)
    rows = success_rows(call, Report(7, range(len(units)), results, [1] * len(units)), 0, written_key=True)
    assert [*map(id, rows.values)] == [*map(id, read.texts)]


def test_units_that_are_cut_picked_joined_and_grouped_keep_their_texts() -> None:
    texts = ["1", '"b"', "[3]", '{"d":4}', "5"]
    units = units_of(Texts(texts))
    some = [units.cut(0, 2), units.pick([3, 2])]
    together = joined([Piece(1, 0, part) for part in some]).units
    assert isinstance(together.values, Texts)
    assert together.values.texts == ["1", '"b"', '{"d":4}', "[3]"]
    assert own_text(together.pick([2]), written_key=True) == '{"d":4}'
    batches = Grouping("batch", 2)
    first = batches.add(Keyed(range(3), ["a", "b", "c"], Texts(texts[:3])))
    last = [batches.add(Keyed(range(3, 5), ["d", "e"], Texts(texts[3:]))), batches.end()]
    assert [[*part.values] for part in (first, *last)] == [[[1, "b"]], [[[3], {"d": 4}]], [[5]]]
    assert all(isinstance(part.values, Texts) for part in (first, *last))


def test_two_looks_at_a_value_find_two_values() -> None:
    values = Texts(['{"a":[]}', '"\\ud800"'])
    first = values[0]
    assert (first, values[1]) == ({"a": []}, "\ud800")
    assert values[0] is not first
    assert len(values[:1]) == 1
