"""Tables out: columns by the rule, formats, targets, part files; and rows from a store in whatever order."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from test_results import stored

from batchwork.errors import OutputError, UsageError
from batchwork.export.arrow import TableWriter, frame_of
from batchwork.export.fields import DEEPEST, fields_of, steps_of
from batchwork.export.layout import TableSpec
from batchwork.export.part_file import PartFile
from batchwork.export.rows import RowReader, UnitRows
from batchwork.export.sink import Sink
from batchwork.export.table import laid_out, spec_for, write_rows, writer_of
from batchwork.export.target import Target, target_of
from batchwork.model import Failure
from batchwork.template import compile_template
from batchwork.text.jsontext import Json, encode

NO = Failure("ValueError", "bad")


def rows_of(results: Sequence[Json], items: Sequence[Json] = (), failed: Sequence[int] = ()) -> UnitRows:
    count = range(len(results))
    return UnitRows(
        count,
        [f"k{at}" for at in count],
        ["failed" if at in failed else "succeeded" for at in count],
        [1] * len(count),
        [None if at in failed else encode(result) for at, result in enumerate(results)],
        [encode(item) for item in items] or [None] * len(count),
        [NO if at in failed else None for at in count],
    )


def written(shape: Any, rows: UnitRows, spec: TableSpec | None = None) -> str:
    file = io.BytesIO()
    write_rows(laid_out([rows], spec_for(shape, spec or TableSpec())), writer_of(shape, file))
    return file.getvalue().decode()


def table_of(*parts: UnitRows, spec: TableSpec | None = None) -> Any:
    writer = TableWriter()
    write_rows(laid_out(parts, spec or TableSpec()), writer)
    return writer.table


def write_to(target: Target, parts: Sequence[UnitRows]) -> None:
    with Sink(target) as sink:
        write_rows(laid_out(parts, spec_for(target.format, TableSpec())), writer_of(target.format, sink.file))
        sink.commit()


# ---------------------------------------------------------------- which columns


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        ([{"a": 1}, {"b": 2, "a": 3}], ["a", "b"]),
        ([{"a": {"x": 1, "y": 2}}, {"a": None}, {"a": {"y": 1, "x": 2}}, {}], ["a.x", "a.y"]),
        ([{"a": {"x": 1}}, {"a": {"y": 2}}], ["a"]),
        ([{"a": {"x": 1}}, {"a": 2}], ["a"]),
        ([{"a": {}}], ["a"]),
        ([{"a": {"b": {"c": 1}}}], ["a.b.c"]),
        ([1, "x", None], []),
    ],
)
def test_mappings_are_taken_apart_where_all_of_them_are_alike(values: list[Json], columns: list[str]) -> None:
    assert [".".join(steps) for steps in steps_of(fields_of(values, DEEPEST))] == columns


def test_names_that_are_taken_and_results_that_are_no_mappings() -> None:
    rows = rows_of([{"key": 1, "n": 2, "result": 5}, "text", {"result.key": 3}])
    assert table_of(rows).to_pylist()[:2] == [
        {
            "index": 0,
            "key": "k0",
            "status": "succeeded",
            "result.key": 1,
            "n": 2,
            "result": 5,
            "result.result.key": None,
            "result.result": None,
        },
        {
            "index": 1,
            "key": "k1",
            "status": "succeeded",
            "result.key": None,
            "n": None,
            "result": None,
            "result.result.key": None,
            "result.result": "text",
        },
    ]


def test_join_puts_the_columns_of_items_and_results_side_by_side() -> None:
    rows = rows_of([{"id": 9, "n": 1}, None], [{"id": 1, "status": "a"}, {"id": 2}], failed=[1])
    assert written("csv", rows, TableSpec(join=True)) == (
        "id,status,result.id,n,_status,_error\r\n1,a,9,1,succeeded,\r\n2,,,,failed,ValueError: bad\r\n"
    )
    with pytest.raises(OutputError, match="the source has a column `_error`, which `join` needs for itself"):
        written("csv", rows_of([1], [{"_error": 1}]), TableSpec(join=True))
    assert (
        written("csv", rows_of([1], ["a"]), TableSpec(join=True)) == "item,result,_status,_error\r\na,1,succeeded,\r\n"
    )


def test_rows_that_cannot_be_read_have_no_item_when_joined() -> None:
    bad = Failure("bad row", "x.jsonl:2: not JSON")
    rows = replace(rows_of([1, None], [{"a": 1}, "{no"], failed=[1]), failures=[None, bad])
    assert written("csv", rows, TableSpec(join=True)) == (
        "a,result,_status,_error\r\n1,1,succeeded,\r\n,,failed,bad row: x.jsonl:2: not JSON\r\n"
    )


def test_members_of_batches_are_rows_of_their_own_when_joined() -> None:
    spec = TableSpec(join=True, batches=True)
    rows = rows_of([[10, 20], None], [[{"n": 1}, {"n": 2}], [{"n": 3}]], failed=[1])
    assert written("csv", rows, spec) == (
        "n,result,_status,_error\r\n1,10,succeeded,\r\n2,20,succeeded,\r\n3,,failed,ValueError: bad\r\n"
    )
    with pytest.raises(OutputError, match=r"row 1 .index 0, key k0., column `result`: `join` needs a list .* 2 items"):
        written("csv", rows_of([[10]], [[1, 2]]), spec)
    with pytest.raises(OutputError, match="it is 'text'"):
        written("csv", rows_of(["text"], [[1]]), spec)


def test_named_columns_are_what_templates_give() -> None:
    columns = {
        "twice": compile_template("{{ result.n * 2 }}"),
        "who": compile_template("{{ key }}-{{ index }}"),
        "why": compile_template("{{ error }}"),
        "status": compile_template("{{ status | upper }}"),
        "by": compile_template("{{ by }}"),
    }
    rows = rows_of([{"n": 1}, None], failed=[1])
    assert written("csv", rows, TableSpec(columns=columns, constants={"by": "me"})) == (
        "index,key,twice,who,why,status,by\r\n0,k0,2,k0-0,,SUCCEEDED,me\r\n1,k1,,k1-1,bad,FAILED,me\r\n"
    )
    with pytest.raises(OutputError, match=r"row 1 .*, column `twice`: .*`n`"):
        written("csv", rows_of([{"m": 1}]), TableSpec(columns=columns, constants={"by": ""}))


# ---------------------------------------------------------------- what does not fit


def test_what_comes_late_has_no_column() -> None:
    first = rows_of([{"n": at, "in": {"x": 1}} for at in range(1000)])
    for late, column, why in (
        ({"n": 1, "m": 2}, "m", "there is no column"),
        ({"n": 1, "in": {"x": 1, "y": 1}}, "in.y", "there is no column"),
        ({"n": 1, "in": 5}, "in", "a mapping stood here before"),
        ("text", "result", "'text' is no mapping"),
        ({"n": "text"}, "n", "'text' does not fit a column of type int64"),
        ({"n": 1.5}, "n", "1.5 does not fit a column of type int64"),
        ({"n": True}, "n", "True does not fit a column of type int64"),
        ({"n": 2**64}, "n", "does not fit a column of type int64"),
    ):
        with pytest.raises(OutputError) as raised:
            table_of(first, rows_of([{"n": 1}, late]))
        assert f"row 2 (index 1, key k1), column `{column}`" in raised.value.message
        assert why in raised.value.message
    assert table_of(first, rows_of([{"n": 2.0}, {}])).num_rows == 1002
    later = laid_out([first, rows_of([{"n": 1, "m": 2}, "text", {"in": {"y": 1}}])], TableSpec(objects=True))
    file = io.BytesIO()
    write_rows(later, writer_of("jsonl", file))
    assert [json.loads(line) for line in file.getvalue().splitlines()[1000:]] == [
        {"index": 0, "key": "k0", "status": "succeeded", "n": 1, "in": None, "m": 2},
        {"index": 1, "key": "k1", "status": "succeeded", "n": None, "in": None, "result": "text"},
        {"index": 2, "key": "k2", "status": "succeeded", "n": None, "in": {"y": 1}},
    ]


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([1, None, -5], "int64", None),
        ([1, 2.5], "double", [1.0, 2.5]),
        ([2**60 + 1, 0.5], "string", [str(2**60 + 1), "0.5"]),
        ([2**70], "string", [str(2**70)]),
        ([True, False], "bool", None),
        ([True, 1], "string", ["true", "1"]),
        ([1.5, True], "string", ["1.5", "true"]),
        (["007", ""], "string", None),
        (["a", 1, {"b": [1]}], "string", ["a", "1", '{"b":[1]}']),
        ([[1, 2], [], [0.5]], "list<item: double>", None),
        ([[1], ["a"]], "string", ["[1]", '["a"]']),
        ([[1.5, True]], "string", ["[1.5,true]"]),
        ([[[1], None], [[0.5, False]]], "string", ["[[1],null]", "[[0.5,false]]"]),
        ([[]], "string", ["[]"]),
        ([{}, {"a": 1}], "string", ["{}", '{"a":1}']),
        ([None, None], "string", None),
        (["\ud800", "é"], "string", ["\\ud800", "é"]),
    ],
)
def test_types_of_columns(values: list[Json], kind: str, kept: list[Json] | None) -> None:
    table = table_of(rows_of([{"v": value} for value in values]))
    assert str(table.schema.field("v").type) == kind
    assert table.column("v").to_pylist() == (values if kept is None else kept)


@pytest.mark.parametrize("name", ["_status", "_error", "when"])
@pytest.mark.parametrize("value", [{}, {"a": 1}, [], 5, True])
def test_no_name_of_a_field_tells_its_type(name: str, value: Json) -> None:
    table = table_of(rows_of([{name: None}, {name: value}, {name: "text"}]))
    assert table.column(name).to_pylist() == [None, json.dumps(value, separators=(",", ":")), "text"]


def test_frames_keep_whole_numbers_where_some_are_missing() -> None:
    frame = frame_of(table_of(rows_of([{"n": 2**60 + 1, "b": True}, None], failed=[1])))
    assert frame["n"].tolist()[0] == 2**60 + 1
    assert (str(frame["n"].dtype), str(frame["b"].dtype), str(frame["index"].dtype)) == ("Int64", "boolean", "int64")


def test_tables_without_rows() -> None:
    assert [*zip(table_of().column_names, map(str, table_of().schema.types), strict=True)] == [
        ("index", "int64"),
        ("key", "string"),
        ("status", "string"),
        ("result", "string"),
    ]
    assert written("csv", rows_of([])) == "index,key,status,result\r\n"
    assert (written("jsonl", rows_of([])), written("json", rows_of([]))) == ("", "[]\n")
    assert written("csv", rows_of([None], failed=[0])) == "index,key,status,result\r\n0,k0,failed,\r\n"


# ---------------------------------------------------------------- formats

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.fixed_dictionaries({"a": texts, "b": texts}), min_size=1, max_size=5))
def test_csv_is_what_csv_modules_read(values: list[Json]) -> None:
    text = written("csv", rows_of(values))
    assert [{"a": row["a"], "b": row["b"]} for row in csv.DictReader(io.StringIO(text, newline=""))] == values


def test_csv_tells_an_empty_text_from_nothing() -> None:
    rows = rows_of([{"a": "", "b": None, "c": [1, "x"], "d": False, "e": 1e22, "f": " x"}])
    assert written("csv", rows).splitlines()[1] == '0,k0,succeeded,"",,"[1,""x""]",false,1e+22," x"'


def test_json_is_one_list_or_a_line_each_with_what_is_nested() -> None:
    rows = rows_of([{"a": {"b": 1}, "status": 2}, {"a": None}])
    expected = [
        {"index": 0, "key": "k0", "status": "succeeded", "a": {"b": 1}, "result.status": 2},
        {"index": 1, "key": "k1", "status": "succeeded", "a": None, "result.status": None},
    ]
    assert json.loads(written("json", rows)) == expected
    assert [json.loads(line) for line in written("jsonl", rows).splitlines()] == expected


def test_parquet_is_written_in_groups(tmp_path: Path) -> None:
    parts = [rows_of([{"n": at} for at in range(60_000)]) for _ in range(4)]
    write_to(target_of(str(tmp_path / "t.parquet")), parts)
    file = pyarrow.parquet.ParquetFile(tmp_path / "t.parquet")
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (240_000, 2)


# ---------------------------------------------------------------- where it goes


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("a.csv", Target("a.csv", "csv")),
        ("a/b.c/d.JSONL.gz", Target("a/b.c/d.JSONL.gz", "jsonl", "gz")),
        ("x.ndjson", Target("x.ndjson", "jsonl")),
        ("s3://bucket/a.parquet?versionId=1", Target("s3://bucket/a.parquet?versionId=1", "parquet")),
        ("x.json.zst", Target("x.json.zst", "json", "zst")),
    ],
)
def test_the_ending_tells_the_format(place: str, target: Target) -> None:
    assert target_of(place) == target
    assert target_of(place, "csv").format == "csv"


@pytest.mark.parametrize(
    "place", ["a.txt", "csv", "a.gz", ".csv/x", "sftp://u:secret@h/a.xls?X-Amz-Signature=secretsecret0123456789"]
)
def test_other_endings_name_no_format(place: str) -> None:
    with pytest.raises(UsageError, match="names no format") as raised:
        target_of(place)
    assert "secret" not in str(raised.value)
    assert target_of(place, "json").format == "json"


@pytest.mark.parametrize(
    ("ending", "unpacked"),
    [
        ("", bytes),
        (".gz", gzip.decompress),
        (".bz2", bz2.decompress),
        (".xz", lzma.decompress),
        (".zst", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
def test_a_further_ending_compresses(ending: str, unpacked: Any, tmp_path: Path) -> None:
    place = tmp_path / f"t.csv{ending}"
    write_to(target_of(str(place)), [rows_of([1])])
    assert unpacked(place.read_bytes()) == b"index,key,status,result\r\n0,k0,succeeded,1\r\n"
    assert os.listdir(tmp_path) == [place.name]


@pytest.mark.parametrize("place", ["http://u:secret@h/t.csv", "HTTPS://u:secret@h/t.parquet?sig=x"])
def test_urls_of_the_web_are_refused_before_anything_is_written(place: str) -> None:
    with pytest.raises(UsageError, match="can only be read") as raised:
        target_of(place)
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.bz2", "csv.zst", "parquet"])
def test_a_file_is_whole_or_not_there(ending: str, tmp_path: Path) -> None:
    place = tmp_path / f"t.{ending}"
    place.write_text("older")
    wrong = [rows_of([{"n": 1}] * 1000), rows_of(["text"])]
    with pytest.raises(OutputError, match="column `result`"):
        write_to(target_of(str(place)), wrong)
    assert (place.read_text(), os.listdir(tmp_path)) == ("older", [place.name])


def test_urls_are_whole_or_not_there(tmp_path: Path) -> None:
    write_to(target_of(f"file://{tmp_path}/t.jsonl.gz"), [rows_of([1])])
    assert json.loads(gzip.decompress((tmp_path / "t.jsonl.gz").read_bytes()))["result"] == 1
    with pytest.raises(OutputError, match="column `result`"):
        write_to(target_of(f"file://{tmp_path}/u.csv"), [rows_of([{"n": 1}] * 1000), rows_of([1])])
    assert os.listdir(tmp_path) == ["t.jsonl.gz"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nosuch://u:secret@host/t.csv", r"cannot write nosuch://u:\*\*\*@host/t.csv: "),
        (
            "http://u:secret@127.0.0.1:1/t.csv?X-Amz-Signature=secretsecret0123456789",
            r"cannot write http://u:\*\*\*@127.0.0.1:1/t.csv\?",
        ),
    ],
)
def test_urls_that_cannot_be_written_are_named_without_passwords(place: str, said: str) -> None:
    with pytest.raises(OutputError, match=said) as raised:
        Sink(Target(place, "csv"))
    assert "secret" not in str(raised.value)


def test_a_visible_part_is_for_one_writer_and_replaces_what_a_killed_one_left(tmp_path: Path) -> None:
    place = tmp_path / "t.csv"
    (tmp_path / "t.csv.part").write_text("left by a killed process")
    part = PartFile(str(place), visible=True)
    part.file.write(b"new")
    part.file.flush()
    assert (tmp_path / "t.csv.part").read_bytes() == b"new"
    with pytest.raises(OutputError, match="another process is writing"):
        PartFile(str(place), visible=True)
    part.commit()
    assert (place.read_bytes(), os.listdir(tmp_path)) == (b"new", ["t.csv"])


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("values", [[], [1], [1, NO, {"a": 2}, 3, NO], [1, None, 2, NO], [NO] * 5])
def test_rows_come_in_input_order_whatever_is_missing(values: list[Any]) -> None:
    results, store = stored(values)
    reader = RowReader(store, results._number, items=True, failures=True)
    found = [
        (index, status, result, failure)
        for rows in reader.all()
        for index, status, result, failure in zip(rows.indexes, rows.statuses, rows.results, rows.failures, strict=True)
    ]
    expected = [
        (at, "failed", None, value) if value is NO else (at, "succeeded", encode(value), None)
        for at, value in enumerate(values)
        if value is not None
    ]
    assert found == expected


def test_results_are_tables() -> None:
    results, _ = stored([{"n": 1}, NO, {"n": 3}])
    assert results.to_arrow().to_pydict() == {
        "index": [0, 1, 2],
        "key": ["k0", "k1", "k2"],
        "status": ["succeeded", "failed", "succeeded"],
        "n": [1, None, 3],
    }
    assert results.to_pandas()["n"].sum() == 4
