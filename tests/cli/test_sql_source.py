"""Items that are rows of queries to real databases: PostgreSQL, SQLite, DuckDB over files."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from cli_bench import Bench, Command, bench_in

from batchwork.errors import SourceError
from batchwork.items.fields import open_source
from batchwork.ports import BadRow
from servers import postgresql

pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR is not set")


@pytest.fixture
def bench(work: Path, batchwork: Command, environ: Mapping[str, str]) -> Bench:
    return bench_in(work, batchwork, environ)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
def sqlite(work: Path) -> str:
    with sqlite3.connect(work / "some.db") as database:
        database.execute("create table t (n integer, name text, raw blob)")
        database.executemany(
            "insert into t values (?, ?, ?)", [(number, f"ü{number}", b"\xff") for number in range(100)]
        )
    database.close()
    return "sqlite:///some.db"


def read(url: str, query: str, start: int = 0, size: int = 700, **values: Any) -> list[Any]:
    source = open_source("sql", {"url": url, "query": query, "values": values}, os.getcwd(), {})
    try:
        return [row for page in source.pages(start, size) for row in page]
    finally:
        source.close()


@pytest.mark.promise("11.35")
def test_many_rows_come_from_postgresql_through_a_cursor(bench: Bench, postgres: str):
    bench.write(
        "{from: sql, url: '{{ env.DB }}', query: 'select n from generate_series(1, :most) n', values: {most: 200000}}",
        "{type: python, code: 'return item[\"n\"]'}",
    )
    bench.command("run", "w.yaml", "--quiet", env={"DB": postgres})
    assert bench.counts() == {"total": 200_000, "succeeded": 200_000}
    endless = "select generate_series(1, 1000000000000) as n"
    source = open_source("sql", {"url": postgres, "query": endless}, "", {})
    pages = source.pages(0, 100)
    assert next(pages)[0] == {"n": 1}
    source.close()
    with pytest.raises(SourceError, match="reading was stopped"):
        next(pages)


@pytest.mark.promise("11.35")
def test_values_of_postgresql_become_json_data(postgres: str):
    query = """select 1::int8 as n, 12.30::numeric as money, 'ü' as text, null as none, true as flag, date '2026-01-02' as day,
        timestamp '2026-01-02 03:04:05' as at, interval '1 day' as span, '\\xff00'::bytea as raw, '{"a": [1.5]}'::jsonb as doc,
        array[1, 2] as list, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as id, inet '10.0.0.1' as host"""
    assert read(postgres, query) == [
        {
            "n": 1,
            "money": "12.30",
            "text": "ü",
            "none": None,
            "flag": True,
            "day": "2026-01-02",
            "at": "2026-01-02T03:04:05",
            "span": "PT86400S",
            "raw": "/wA=",
            "doc": {"a": [1.5]},
            "list": [1, 2],
            "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "host": "10.0.0.1",
        }
    ]
    [sound, bad] = read(postgres, "select * from (values (1.5::float8), ('NaN')) as t (f)")
    assert sound == {"f": 1.5}
    assert isinstance(bad, BadRow)
    assert bad.message == "query:2: the column `f` holds NaN, which has no form as JSON data"


@pytest.mark.parametrize(
    "number", ["0.00000000000000000000", "0.0000001", "-0.00000000012", "1000000000000000000000000000000", "12.30", "0"]
)
def test_decimals_are_written_as_the_database_writes_them(postgres: str, number: str):
    assert read(postgres, f"select {number}::numeric as n, ({number}::numeric)::text as text") == [
        {"n": number, "text": number}
    ]


def test_values_are_bound_whatever_they_are(sqlite: str):
    nasty = "'; drop table t; --"
    assert read(sqlite, "select :x as x, '12:30' as y", x=nasty) == [{"x": nasty, "y": "12:30"}]
    assert read(sqlite, "select n, name from t where n >= :least order by n", least=98) == [
        {"n": 98, "name": "ü98"},
        {"n": 99, "name": "ü99"},
    ]
    assert [row["n"] for row in read(sqlite, "select n from t order by n", start=5, size=3)] == [*range(5, 100)]
    assert read(sqlite, "select n from t where n < 0") == []


@pytest.mark.promise("11.35")
def test_duckdb_reads_files(bench: Bench):
    pa.parquet.write_table(pa.table({"n": range(5000)}), bench.work / "t.parquet")
    bench.write(
        "{from: sql, url: 'duckdb://', query: \"select n from 't.parquet' where n >= :n order by n\", values: {n: 4998}}",
        '{type: echo, message: "{{ item.n }}"}',
    )
    bench.command("run", "w.yaml")
    assert bench.results() == ["4998", "4999"]


@pytest.mark.parametrize(
    ("url", "query", "message"),
    [
        ("sqlite:///some.db", "select * from gone", "no such table: gone"),
        ("sqlite:///some.db", "select n from t where n = :m", "no value for `:m`"),
        ("sqlite:///some.db", "select 1 as a, 2 as a", "two columns of `query` are called `a`"),
        ("sqlite:///some.db", "delete from t where 1 = 0", "`query` gives no rows"),
        ("nosql://x:swordfish@y/z", "select 1", "nosql://x:***@y/z is not the URL of a database that SQLAlchemy knows"),
        ("postgresql://x:swordfish@127.0.0.1:1/z", "select 1", "postgresql://x:***@127.0.0.1:1/z: connection"),
        ("mysql+nodriver://x:swordfish@y/z", "select 1", "mysql+nodriver://x:***@y/z"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(sqlite: str, url: str, query: str, message: str):
    assert sqlite
    with pytest.raises(SourceError) as caught:
        read(url, query)
    assert message in caught.value.message
    assert "swordfish" not in caught.value.message + caught.value.hint


def test_a_password_is_neither_shown_nor_stored(bench: Bench):
    url = "postgresql://user:swordfish@127.0.0.1:1/z"
    bench.write(f"{{from: sql, url: '{url}', query: select 1}}", '{type: echo, message: "{{ item }}"}')
    said = bench.command("run", "w.yaml", expect=1)
    planned = bench.command("plan", "w.yaml")
    assert "user:***@127.0.0.1" in said.stdout
    assert "swordfish" not in said.stdout + said.stderr + planned.stdout + planned.stderr
    stored = [path.read_bytes() for path in (bench.work / ".batchwork").rglob("*") if path.is_file()]
    assert not any(b"swordfish" in content for content in stored)


def test_rows_of_a_killed_run_are_matched_by_key(bench: Bench, sqlite: str, wait_for: Callable[..., None]):
    bench.write(
        f"{{from: sql, url: '{sqlite}', query: select n from t}}",
        "{type: shell, command: 'echo {{ item.n }} >> ledger; sleep 0.01'}",
    )
    bench.kill_half_way(wait_for)
    with sqlite3.connect(bench.work / "some.db") as database:
        database.execute("insert into t values (1000, 'new', null)")
    database.close()
    bench.command("resume")
    done = Counter(bench.ledger())
    assert {*done} == {str(number) for number in (*range(100), 1000)}
    assert sum(done.values()) - len(done) <= 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("url: 'sqlite://', query: ''", "`query` of `from: sql` is empty"),
        ("url: some.db, query: select 1", "`url` of `from: sql` must be the URL of a database"),
        ("url: 'sqlite://'", "needs the field `query`"),
        ("url: 'sqlite://', query: select 1, values: [1]", "`values` of `from: sql` must be a mapping"),
    ],
)
def test_fields_are_checked_beforehand(bench: Bench, fields: str, message: str):
    bench.write(f"{{from: sql, {fields}}}", '{type: echo, message: "{{ item }}"}')
    assert message in bench.command("validate", "w.yaml", expect=2).stderr


# ---------------------------------------------------------------- the task type


def rows_in(bench: Bench, query: str) -> list[Any]:
    with sqlite3.connect(bench.work / "some.db") as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


@pytest.mark.promise("5.70", "5.71")
def test_statements_with_bound_values(bench: Bench, sqlite: str):
    task = (
        f"{{type: sql, url: '{sqlite}', statement: 'update t set name = :name where n = :n', values: '{{{{ item }}}}'}}"
    )
    items = '[{n: 1, name: "\'; drop table t; --"}, {n: 2, name: null}]'
    bench.write(items, task, "max_parallel: 1")
    bench.command("run", "w.yaml")
    assert bench.results() == [{"rowcount": 1}, {"rowcount": 1}]
    assert rows_in(bench, "select name from t where n in (1, 2) order by n") == [("'; drop table t; --",), (None,)]
    task = f"{{type: sql, url: '{sqlite}', statement: 'select n, raw from t where n < :n', values: {{n: '{{{{ item }}}}'}}}}"
    bench.write("[1, 0]", task)
    bench.command("run", "w.yaml")
    assert bench.results() == [[{"n": 0, "raw": "/w=="}], []]


@pytest.mark.promise("5.70")
def test_a_batch_is_one_transaction(bench: Bench, postgres: str):
    (bench.work / "w.yaml").write_text("""
steps:
  - {name: made, task: sql, inputs: {url: "{{ env.DB }}", statement: "create table told (n int check (n <> 150))"}}
  - name: s
    task: batch
    inputs:
      items: {from: product, of: {n: {from: range, count: 300}}}
      batch_size: 100
      each: batch
      continue_on_error: true
      task: {type: sql, url: "{{ env.DB }}", statement: "insert into told values (:n)", values: "{{ item }}"}
  - {name: count, task: sql, inputs: {url: "{{ env.DB }}", statement: "select count(*) as n from told"}}
  - {name: gone, task: sql, inputs: {url: "{{ env.DB }}", statement: "drop table told"}}
""")
    bench.command("run", "w.yaml", expect=3, env={"DB": postgres})
    rows = [row for row in bench.rows("items", "--json") if row["step"] == "s"]
    assert [row["result"] for row in rows] == [{"rowcount": 100}, None, {"rowcount": 100}]
    assert rows[1]["error"]["type"] == "IntegrityError"
    counted = bench.rows("results", "--step", "count", "--format", "jsonl")
    assert counted[0]["result"] == [{"n": 200}], "the batch that failed left nothing"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("statement: 'selec 1'", "syntax error"),
        ("statement: 'select :x'", "no value for `:x`"),
        ("statement: 'select n from t', max_rows: 99", "the statement gives more than 99 rows"),
        ("statement: 'select 1 as a, 2 as a'", "two columns of the statement are called `a`"),
        ("statement: 'select 1', values: {x: 1}", "there is no :x to take the value `x`"),
    ],
)
def test_a_statement_that_fails_fails_its_item(bench: Bench, sqlite: str, fields: str, message: str):
    bench.write("[1]", f"{{type: sql, url: '{sqlite}', {fields}}}", "continue_on_error: true")
    bench.command("run", "w.yaml", expect=3)
    [row] = bench.rows("items", "--json")
    assert message in row["error"]["message"]


def test_statements_and_queries_are_no_templates(bench: Bench):
    bench.write(
        "{from: sql, url: 'sqlite://', query: 'select {{ params.x }}'}",
        "{type: sql, url: 'sqlite://', statement: 'select {{ item }}'}",
    )
    said = bench.command("validate", "w.yaml", "x=1", expect=2).stderr
    assert "`query` of `from: sql` is no template: values are bound, never pasted" in said
    assert "`statement` is no template: values are bound, never pasted" in said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("'infinity'::timestamp", "'infinity'"),
        ("'-infinity'::date", "'-infinity'"),
        ("'0044-03-15 BC'::date", "before year 1"),
        ("'294276-01-01'::timestamptz", "after year 10K"),
        ("'24:00:00'::time", "'24:00:00'"),
        ("array['infinity'::date]", "'infinity'"),
    ],
)
def test_a_time_that_python_cannot_hold_is_a_bad_row(postgres: str, value: str, said: str):
    rows = read(postgres, f"select n, case when n = 2 then {value} end as v from generate_series(1, 3) n")
    assert [row.key if isinstance(row, BadRow) else row for row in rows] == [
        {"n": 1, "v": None},
        "query:2",
        {"n": 3, "v": None},
    ]
    assert "query:2: the column `v` holds a time that cannot be read" in rows[1].message
    assert said in rows[1].message


def test_texts_of_sqlite_that_are_not_utf_8_keep_their_bytes(sqlite: str):
    query = "select cast(x'ff61' as text) as t union all select 'ü'"
    assert read(sqlite, query) == [{"t": "\udcffa"}, {"t": "ü"}]
