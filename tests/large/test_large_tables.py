"""Large tables in and out: in memory that does not grow with them, whole after kills, the same rows in the same order as others read them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from large_runs import KILLS, LARGE, LargeRun, told

from batchwork.text.jsontext import wash
from killing import Wait
from servers import object_store, postgresql

duckdb = pytest.importorskip("duckdb", reason="no DuckDB here, with which results are compared")
parquet = pytest.importorskip("pyarrow.parquet", reason="no pyarrow here, which writes Parquet files")

pytestmark = pytest.mark.filterwarnings("ignore")
GROWTH_MOST = {"s3": 1.1, "postgresql": 1.1, "files": 1.1}
"""The peak of the large run beside that of the smaller one, which is large enough to fill a row group and all that is read ahead."""
MIB_MOST = {"s3": 200, "postgresql": 200, "files": 200}
"""Arrow and the client of S3 alone take 100 MiB before they do anything."""


class Size(NamedTuple):
    """How much each kind has: bytes of a CSV, rows of a table, files."""

    bytes: int
    rows: int
    files: int


SMALL, SMALLER, WHOLE = (
    Size(20_000_000, 50_000, 5_000),
    Size(100_000_000, 200_000, 100_000),
    Size(10**9, 2_000_000, 200_000),
)
SIZES = [SMALLER, WHOLE] if LARGE else [SMALL]


@pytest.fixture
def runs(tmp_path: Path, environ: Mapping[str, str], wait_for: Wait) -> Callable[..., LargeRun]:
    """Makes a run in a folder of that name."""

    def make(name: str, variables: Mapping[str, str] | None = None) -> LargeRun:
        return LargeRun(tmp_path / name, {**environ, **(variables or {})}, wait_for)

    return make


def measured(kind: str, count: int, make: Callable[[str], LargeRun], check: Callable[[Path], None]) -> float:
    """Run it whole and killed, compare what both wrote; the peak of the coordinator in MiB."""
    whole, killed = make(f"{kind}-{count}"), make(f"{kind}-{count}-killed")
    figures = whole.whole()
    told(f"{kind}, whole", count, figures)
    check(whole.out)
    after = killed.killed(whole.stored)
    told(f"{kind}, killed", count, after)
    assert after.kills == KILLS
    check(killed.out)
    peak = max(figures.coordinator, after.coordinator)
    assert peak <= MIB_MOST[kind]
    for run in (whole, killed):
        for path in (run.out, *run.folder.glob(".batchwork/state.db*")):
            if path.is_file():
                path.unlink()
    return figures.coordinator


def check_flat(kind: str, peaks: list[float]) -> None:
    assert peaks[-1] <= GROWTH_MOST[kind] * peaks[0]


def differing(query: str) -> int:
    """How many rows DuckDB finds by a query of which `{}` is a count."""
    connection = duckdb.connect(config={"memory_limit": "3GB", "threads": "2"})
    try:
        [(count,)] = connection.execute(query).fetchall()
    finally:
        connection.close()
    return int(count)


# ---------------------------------------------------------------- CSV in a store of objects


UGLY = [
    'a "quoted" word',
    "comma, semicolon; and\ttab",
    "two\nlines",
    "Zürich 東京 🙂",
    "",
    "  spaces  ",
    "'; drop table t; --",
    "{{ item }}",
]
UGLY_EACH = 5_000


def write_csv(path: Path, size: int) -> int:
    """A table of about `size` bytes: how many rows."""
    chance, count = random.Random(size), 0
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("id,name,note,quantity,cents,city,extra\r\n")
        while file.tell() < size:
            rows = []
            for number in range(count, count + UGLY_EACH):
                noise = f"{chance.getrandbits(1600):0400x}"
                rows.append(
                    f"{number},name {noise[:12]},note {noise[:320]},{number % 97},{number % 10_007},"
                    f"city {number % 500},{noise[320:]}\r\n"
                )
            count += UGLY_EACH
            note = UGLY[count // UGLY_EACH % len(UGLY)].replace('"', '""')
            rows[-1] = f'{count - 1},last,"{note}",1,2,"Köln, am Rhein",\r\n'
            file.write("".join(rows))
    return count


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with object_store() as variables:
        yield variables


def uploaded(path: Path, key: str, variables: Mapping[str, str]) -> None:
    boto3 = pytest.importorskip("boto3", reason="no client of S3 (boto3) here")
    client: Any = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_DEFAULT_REGION"],
    )
    client.create_bucket(Bucket="bucket")
    client.upload_file(str(path), "bucket", key)


@pytest.mark.promise("11.10")
def test_a_csv_in_s3_becomes_parquet(runs: Callable[..., LargeRun], s3: dict[str, str], tmp_path: Path) -> None:
    peaks = []
    for size in SIZES:
        source = tmp_path / f"{size.bytes}.csv"
        count = write_csv(source, size.bytes)
        uploaded(source, source.name, s3)

        def make(name: str, key: str = source.name) -> LargeRun:
            run = runs(name, s3)
            run.write(
                f'{{from: csv, path: "s3://bucket/{key}"}}',
                "return {'total': int(item['quantity']) * int(item['cents'])}",
                key='      key: "{{ item.id }}"\n',
            )
            return run

        def check(out: Path, source: Path = source, count: int = count) -> None:
            assert parquet.ParquetFile(out).metadata.num_rows == count
            names = ["id", "name", "note", "quantity", "cents", "city", "extra"]
            other = " or ".join(f"a.{name} is distinct from b.{name}" for name in names)
            assert not differing(
                f"select count(*) from read_csv('{source}', header=true, all_varchar=true, nullstr='<none>', delim=',', "
                f"quote='\"', escape='\"', parallel=false) a positional join '{out}' b where {other} "
                "or b.total is distinct from a.quantity::bigint * a.cents::bigint "
                "or b._status is distinct from 'succeeded' or b._error is not null"
            )

        peaks.append(measured("s3", count, make, check))
        source.unlink()
    check_flat("s3", peaks)


# ---------------------------------------------------------------- a table of PostgreSQL

TABLE = """
create table large as select n as id, 'näme, "' || n || E'\\n' as name, (n * 7 % 100000)::numeric / 100 as amount,
date '2020-01-01' + (n % 1000)::int as day, case when n % 10 = 0 then null else md5(n::text) end as note, n % 3 = 0 as flag
from generate_series(1, {count}) n
"""
QUERY = "select id, name, amount, day, note, flag from large order by id"


@pytest.mark.promise("11.35")
def test_a_table_of_postgresql_becomes_parquet(runs: Callable[..., LargeRun], tmp_path: Path) -> None:
    psycopg = pytest.importorskip("psycopg", reason="no driver of PostgreSQL (psycopg) here")
    peaks = []
    with postgresql() as url:
        for size in SIZES:
            copy = tmp_path / "copy.csv"
            with psycopg.connect(url) as connection, copy.open("wb") as file:
                connection.execute("drop table if exists large")
                connection.execute(TABLE.format(count=size.rows))
                connection.execute("alter table large add primary key (id)")
                with connection.cursor().copy(
                    f"copy ({QUERY}) to stdout with (format csv, header, force_quote *)"
                ) as rows:
                    for block in rows:
                        file.write(block)

            def make(name: str) -> LargeRun:
                run = runs(name, {"DB": url})
                items = f'{{from: sql, url: "{{{{ env.DB }}}}", query: "{QUERY}"}}'
                run.write(items, "return {'twice': item['id'] * 2}", key='      key: "{{ item.id }}"\n')
                return run

            def check(out: Path, count: int = size.rows, copy: Path = copy) -> None:
                assert parquet.ParquetFile(out).metadata.num_rows == count
                names = ["id::varchar", "name", "amount", "day", "note", "flag::varchar"]
                other = " or ".join(f"a.{name} is distinct from b.{name}" for name in names if name[0] != "f")
                assert not differing(
                    f"select count(*) from read_csv('{copy}', header=true, all_varchar=true, delim=',', quote='\"', "
                    f"escape='\"', allow_quoted_nulls=false, parallel=false) a positional join '{out}' b where {other} "
                    "or (a.flag = 't') is distinct from b.flag or b.twice is distinct from 2 * a.id::bigint "
                    "or b._status is distinct from 'succeeded' or b._error is not null"
                )

            peaks.append(measured("postgresql", size.rows, make, check))
    check_flat("postgresql", peaks)


# ---------------------------------------------------------------- files


NAMES = [
    b"plain",
    b"\xff\xfe\x80 no text",
    "ünïcode 東京 🙂".encode(),
    b"two\nlines",
    b"-rf --",
    b'quo\'te "double" `tick`',
    b"$(touch x) $HOME %s \\n",
    b" spaces ",
    b"{{ item }} {% if %}",
    b"*?[a]",
    b"\x01\x1b[31m\x7f",
    b"a;b&c|d>e<f",
]
FOLDER_FILES = 1_000


def make_files(root: Path, count: int) -> None:
    """Files with names of any bytes, in folders of such names. In each stands its number."""
    for number in range(count):
        group = number // FOLDER_FILES
        folder = os.path.join(os.fsencode(root), NAMES[group % len(NAMES)] + b"%d" % group)
        if number % FOLDER_FILES == 0:
            os.makedirs(folder)
        with open(os.path.join(folder, NAMES[number % len(NAMES)] + b"%d" % number), "wb") as file:
            file.write(b"%d" % number)


CODE = """
import os
with open(item, "rb") as file:
    return {"name": os.fsencode(item).hex(), "content": int(file.read())}
"""


def test_files_of_any_name_become_rows(runs: Callable[..., LargeRun], tmp_path: Path) -> None:
    peaks = []
    for size in SIZES:
        root = tmp_path / f"in{size.files}"
        make_files(root, size.files)
        walk = os.walk(os.fsencode(root))
        paths = sorted(os.path.join(folder, name) for folder, _, names in walk for name in names)
        assert len(paths) == size.files

        def make(name: str, root: Path = root) -> LargeRun:
            run = runs(name)
            run.write(f'{{from: glob, pattern: "{root}/**/*", type: file}}', CODE.strip())
            return run

        def check(out: Path, paths: list[bytes] = paths) -> None:
            table = parquet.read_table(out)
            assert table.column("name").to_pylist() == [path.hex() for path in paths]
            assert table.column("item").to_pylist() == [wash(os.fsdecode(path)) for path in paths]
            contents = table.column("content").to_pylist()
            assert all(path.endswith(b"%d" % number) for path, number in zip(paths, contents, strict=True))
            assert len({*contents}) == len(paths)
            assert {*table.column("_status").to_pylist()} == {"succeeded"}

        peaks.append(measured("files", size.files, make, check))
    check_flat("files", peaks)
