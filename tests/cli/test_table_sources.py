"""Items that are rows of tables with types, as a user meets them: Parquet and Arrow files."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from cli_bench import Bench, Command, bench_in

from batchwork.errors import SourceError
from batchwork.items.fields import open_source
from batchwork.ports import BadRow

UTC = dt.UTC
ROW: dict[str, Any] = {
    "n": 2**62,
    "big": 2**64 - 1,
    "f": 0.1,
    "text": "ü\n'\"",
    "none": None,
    "flag": True,
    "day": dt.date(2026, 1, 2),
    "at": dt.datetime(2026, 1, 2, 3, 4, 5, 678900),
    "zoned": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "clock": dt.time(3, 4, 5),
    "span": dt.timedelta(days=1, seconds=1.5),
    "money": decimal.Decimal("12.30"),
    "raw": b"\xff\x00",
    "list": [{"a": 1, "day": dt.date(2026, 1, 2)}],
}
TYPES = {
    "n": pa.int64(),
    "big": pa.uint64(),
    "f": pa.float64(),
    "text": pa.string(),
    "none": pa.null(),
    "flag": pa.bool_(),
    "day": pa.date32(),
    "at": pa.timestamp("ns"),
    "zoned": pa.timestamp("us", "UTC"),
    "clock": pa.time64("us"),
    "span": pa.duration("us"),
    "money": pa.decimal128(10, 2),
    "raw": pa.binary(),
    "list": pa.list_(pa.struct([("a", pa.int8()), ("day", pa.date32())])),
}
EXPECTED: dict[str, Any] = {
    **{name: ROW[name] for name in ("n", "big", "f", "text", "none", "flag")},
    "day": "2026-01-02",
    "at": "2026-01-02T03:04:05.678900",
    "zoned": "2026-01-02T03:04:05+00:00",
    "clock": "03:04:05",
    "span": "PT86401.5S",
    "money": "12.30",
    "raw": "/wA=",
    "list": [{"a": 1, "day": "2026-01-02"}],
}


@pytest.fixture
def bench(work: Path, batchwork: Command, environ: Mapping[str, str]) -> Bench:
    return bench_in(work, batchwork, environ)


def table(rows: int) -> pa.Table:
    numbers = pa.array(range(rows), pa.int64())
    return pa.table(
        {"n": numbers, "name": pa.array([f"ü{number % 100}" for number in range(rows)]).dictionary_encode()}
    )


def write(form: str, path: Path, content: pa.Table) -> None:
    if form == "parquet":
        pa.parquet.write_table(content, path, row_group_size=1000)
    elif form == "arrow":
        pa.feather.write_feather(content, str(path))
    else:
        with pa.ipc.new_stream(str(path), content.schema) as stream:
            stream.write_table(content, max_chunksize=1000)


LATE = "1969-12-31T23:59:59.999999999"
FORMS = {"parquet": "parquet", "arrow": "arrow", "stream": "arrow"}


def read(folder: Path, form: str, path: Any, size: int = 700, **fields: Any) -> list[Any]:
    source = open_source(FORMS[form], {"path": path, **fields}, str(folder), {})
    try:
        source.reading()
        return [row for page in source.pages(0, size) for row in page]
    finally:
        source.close()


@pytest.mark.promise("11.33")
@pytest.mark.parametrize("form", FORMS)
def test_values_become_json_data_by_one_rule(tmp_path: Path, form: str):
    content = pa.Table.from_pylist([ROW], pa.schema(TYPES.items()))
    if form == "parquet":
        content = content.drop_columns("span")  # Parquet has no durations of its own
    write(form, tmp_path / "t", content)
    expected = {name: value for name, value in EXPECTED.items() if name in content.schema.names}
    assert read(tmp_path, form, "t") == [expected]
    assert read(tmp_path, form, "t", columns=["text", "n"]) == [{"text": ROW["text"], "n": ROW["n"]}]


@pytest.mark.parametrize("form", FORMS)
def test_times_that_are_finer_than_microseconds_keep_all_digits(tmp_path: Path, form: str):
    columns = {
        "at": pa.array([1, 0, 1_000, None, -1], pa.timestamp("ns")),
        "zoned": pa.array([1, 0, 1_000, None, -1], pa.timestamp("ns", "Europe/Paris")),
        "clock": pa.array([1, 0, 1_000, None, 2], pa.time64("ns")),
        "span": pa.array([1, 0, 1_000, None, -1], pa.duration("ns")),
    }
    names = [name for name in columns if form != "parquet" or name != "span"]  # Parquet has no durations of its own
    write(form, tmp_path / "t", pa.table({name: columns[name] for name in names}))
    expected = {
        "at": ["1970-01-01T00:00:00.000000001", "1970-01-01T00:00:00", "1970-01-01T00:00:00.000001", None, LATE],
        "zoned": [
            "1970-01-01T01:00:00.000000001+01:00",
            "1970-01-01T01:00:00+01:00",
            "1970-01-01T01:00:00.000001+01:00",
            None,
            "1970-01-01T00:59:59.999999999+01:00",
        ],
        "clock": ["00:00:00.000000001", "00:00:00", "00:00:00.000001", None, "00:00:00.000000002"],
        "span": ["PT0.000000001S", "PT0S", "PT0.000001S", None, "-PT0.000000001S"],
    }
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(expected[name] for name in names), strict=True)]
    assert read(tmp_path, form, "t", 700) == rows
    assert read(tmp_path, form, "t", 1) == rows, "a value does not depend on those beside it"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (pa.timestamp("s"), [0, 10**15], "that cannot be read"),
        (pa.timestamp("s", "Asia/Tokyo"), [0, 253402300799], "date value out of range"),
        (pa.timestamp("s", "America/New_York"), [0, -62135596800], "date value out of range"),
        (pa.date32(), [0, 10**7], "date value out of range"),
        (pa.list_(pa.date32()), [[0], [10**7]], "date value out of range"),
    ],
)
def test_a_time_that_python_cannot_hold_is_a_bad_row(
    tmp_path: Path, form: str, kind: Any, values: list[Any], said: str
):
    write(form, tmp_path / "t", pa.table({"n": [1, 2, 3], "at": pa.array([*values, None], kind)}))
    rows = read(tmp_path, form, "t")
    assert [row.key if isinstance(row, BadRow) else row["n"] for row in rows] == [1, "t:2", 3]
    assert "the column `at` holds a value of type" in rows[1].message
    assert said in rows[1].message


@pytest.mark.parametrize("form", FORMS)
def test_a_text_that_is_not_utf_8_is_a_bad_row(tmp_path: Path, form: str):
    offsets, data = pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff")
    write(form, tmp_path / "t", pa.table({"s": pa.StringArray.from_buffers(2, offsets, data)}))
    rows = read(tmp_path, form, "t")
    assert rows[0] == {"s": "a"}
    assert isinstance(rows[1], BadRow)
    assert "can't decode byte 0xff" in rows[1].message


@pytest.mark.parametrize("form", FORMS)
def test_no_column_is_lost_where_two_have_one_name(tmp_path: Path, form: str):
    numbers = [pa.array([1]), pa.array([2]), pa.array([3])]
    write(form, tmp_path / "t", pa.Table.from_arrays(numbers, names=["a", "a", "b"]))
    for columns in ({}, {"columns": ["b", "a"]}):
        with pytest.raises(SourceError, match="t has more than one column `a`") as caught:
            read(tmp_path, form, "t", **columns)
        assert "`columns`" in caught.value.hint
    assert read(tmp_path, form, "t", columns=["b"]) == [{"b": 3}]


@pytest.mark.parametrize("form", FORMS)
def test_several_files_are_one_after_the_other_and_empty_ones_are_none(tmp_path: Path, form: str):
    for name, rows in (("b", 2500), ("a", 1200), ("c", 0)):
        write(form, tmp_path / f"{name}.t", table(rows))
    numbers = [row["n"] for row in read(tmp_path, form, "*.t")]
    assert numbers == [*range(1200), *range(2500)]
    assert [row["n"] for row in read(tmp_path, form, ["c.t", "b.t"], columns=["n"])] == [*range(2500)]
    assert read(tmp_path, form, "*.none") == []


@pytest.mark.parametrize("form", FORMS)
def test_a_row_with_a_value_without_a_form_is_a_bad_row_with_its_place(tmp_path: Path, form: str):
    write(form, tmp_path / "t", pa.table({"f": [1.0, float("nan"), 2.0, float("-inf")], "n": [1, 2, 3, 4]}))
    rows = read(tmp_path, form, "t")
    assert [row.key if isinstance(row, BadRow) else row["n"] for row in rows] == [1, "t:2", 3, "t:4"]
    assert rows[1].message == "t:2: the column `f` holds NaN, which has no form as JSON data"
    assert "-Infinity" in rows[3].message


@pytest.mark.parametrize("form", FORMS)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, form: str):
    write(form, tmp_path / "t", table(3))
    with pytest.raises(SourceError, match="t has no column `nam`") as caught:
        read(tmp_path, form, "t", columns=["nam"])
    assert "`name`" in caught.value.hint
    (tmp_path / "text").write_text("id,name\n1,x\n")
    (tmp_path / "torn").write_bytes((tmp_path / "t").read_bytes()[:-20])
    (tmp_path / "empty").touch()
    noun = "Parquet" if form == "parquet" else "Arrow"
    for name in ("text", "empty", *(["torn"] if form != "stream" else [])):
        with pytest.raises(SourceError, match=f"{name} cannot be read as {noun}"):
            read(tmp_path, form, name)
    with pytest.raises(SourceError, match="gone: no such file"):
        read(tmp_path, form, "gone")


@pytest.mark.promise("11.33")
def test_a_large_file_is_run_row_by_row(bench: Bench):
    write("parquet", bench.work / "t.parquet", table(200_000))
    bench.write(
        "{from: parquet, path: t.parquet, columns: [n], filter: '{{ item.n % 2 == 0 }}', limit: 50000}",
        "{type: python, code: 'return item[\"n\"] * 10'}",
    )
    bench.command("run", "w.yaml", "--quiet")
    assert bench.counts() == {"total": 50_000, "succeeded": 50_000}
    assert bench.results()[-1] == 999_980


def test_rows_of_a_killed_run_are_matched_by_key(bench: Bench, wait_for: Callable[..., None]):
    write("parquet", bench.work / "t.parquet", table(100))
    bench.write("{from: parquet, path: t.parquet}", "{type: shell, command: 'echo {{ item.n }} >> ledger; sleep 0.01'}")
    bench.kill_half_way(wait_for)
    bench.command("resume")
    done = Counter(bench.ledger())
    assert {*done} == {str(number) for number in range(100)}
    assert sum(done.values()) - len(done) <= 2


def test_a_plan_shows_the_first_rows(bench: Bench):
    write("parquet", bench.work / "t.parquet", table(1500))
    bench.write("{from: parquet, path: t.parquet}", '{type: echo, message: "{{ item.name }}"}')
    planned = bench.command("plan", "w.yaml").stdout
    assert "1,500 items" in planned
    assert json.dumps({"n": 0, "name": "ü0"}, ensure_ascii=False, separators=(",", ":")) in planned
