"""What needs a package that is not installed is refused before anything runs, with the place, the extra and the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cli_bench import Bench, bench_in

from batchwork.plugins import EXTRAS

Command = Callable[..., "CompletedProcess[str]"]

ECHO = '{type: echo, message: "{{ item }}"}'
SQL = '{type: sql, url: "%s", statement: "select 1"}'
NEEDED = [
    ("{from: parquet, path: in.parquet}", ECHO, "reading Parquet files needs the package pyarrow", "tables"),
    ("{from: arrow, path: in.arrow}", ECHO, "reading Arrow files needs the package pyarrow", "tables"),
    ("{from: sql, url: 'sqlite:///a.db', query: select 1}", ECHO, "databases needs the package sqlalchemy", "sql"),
    ("{from: sql, url: 'duckdb://', query: select 1}", ECHO, "databases needs the package duckdb,", "sql"),
    ("[1]", SQL % "sqlite:///a.db", "databases needs the package sqlalchemy", "sql"),
    ("[1]", SQL % "{{ env.HOME }}", "databases needs the package sqlalchemy", "sql"),
    ("{from: csv, path: 's3://bucket/in.csv'}", ECHO, "reading items from URLs needs the package fsspec", "cloud"),
    ("{from: lines, path: [a.txt, b.txt.zst]}", ECHO, "compressed by zstd needs the package zstandard", "tables"),
    ("{from: zip, of: {a: {from: parquet, path: x}}}", ECHO, "reading Parquet files needs the package", "tables"),
]


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Python that has none of the packages of extras."""
    folder = tmp_path_factory.mktemp("bare")
    hidden = sorted(EXTRAS)
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({hidden!r}))\n")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def bench(work: Path, batchwork: Command, environ: Mapping[str, str]) -> Bench:
    return bench_in(work, batchwork, environ)


@pytest.mark.parametrize(("items", "task", "message", "extra"), NEEDED)
def test_it_is_said_before_anything_runs(
    bench: Bench, bare: Mapping[str, str], items: str, task: str, message: str, extra: str
) -> None:
    bench.write(items, task)
    for command in ("validate", "run"):
        said = bench.command(command, "w.yaml", env=bare, expect=2).stderr
        assert "w.yaml:" in said
        assert message in said
        assert f"`pip install 'batchwork[{extra}]'`" in said
    assert not (bench.work / ".batchwork").exists()
    assert message not in bench.command("validate", "w.yaml", expect=0).stderr


@pytest.mark.parametrize("path", ["in.csv", "file:///in.csv", "a/b://in.csv", "in.csv.gz", "{{ env.HOME }}/in.csv"])
def test_what_needs_nothing_is_not_refused(bench: Bench, bare: Mapping[str, str], path: str) -> None:
    bench.write(f"{{from: csv, path: '{path}'}}", ECHO)
    bench.command("validate", "w.yaml", env=bare, expect=0)


def test_results_name_the_extra(bench: Bench, bare: Mapping[str, str]) -> None:
    bench.write("[1]", ECHO)
    bench.command("run", "w.yaml", env=bare, expect=0)
    said = bench.command("results", "-o", "out.parquet", env=bare, expect=2).stderr
    assert "writing Parquet files needs the package pyarrow, which is not installed here" in said
    assert "`pip install 'batchwork[tables]'`" in said
    assert not (bench.work / "out.parquet").exists()
