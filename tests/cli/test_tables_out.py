"""`batchwork results` as a table: formats, joins, chosen rows and columns, standard output; and tables from Python."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pyarrow.parquet
import pytest

Command = Callable[..., "CompletedProcess[str]"]
BIN = Path(sys.executable).parent / "batchwork"

FLOW = r"""
steps:
  - name: score
    task: batch
    inputs:
      items: [{id: a, text: 'says "hi", twice'}, {id: b, text: "two\nlines"}, {id: c, text: é}, {id: d, text: bad}]
      key: "{{ item.id }}"
      continue_on_error: true
      task:
        type: python
        code: |
          if item["text"] == "bad":
              raise ValueError("no")
          return {"text": item["text"].upper(), "size": len(item["text"]), "of": {"half": len(item["text"]) / 2}}
    outputs: scores
  - name: pairs
    task: batch
    inputs:
      items: [{n: 1}, {n: 2}, {n: 3}]
      batch_size: 2
      each: batch
      task: {type: python, code: "return [{'twice': 2 * one['n']} for one in item]"}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, environ: Mapping[str, str]) -> Path:
    """A folder in which the workflow has run."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "flow.yaml").write_text(FLOW)
    done = subprocess.run([BIN, "run", "flow.yaml", "--quiet"], cwd=folder, env=environ, capture_output=True)
    assert done.returncode == 3, done.stderr.decode()
    return folder


@pytest.fixture
def results(batchwork: Command, ran: Path) -> Callable[..., str]:
    """What `results` prints of a step."""

    def of(*words: str, step: str = "score", expect: int = 0) -> str:
        done = batchwork("results", "--step", step, *words, cwd=ran, expect=expect)
        return done.stdout if expect == 0 else done.stderr

    return of


@pytest.mark.promise("9.11")
def test_a_table_with_columns_for_people_and_for_csv_modules(results: Callable[..., str], ran: Path) -> None:
    done = subprocess.run([BIN, "results", "--step", "score", "--format", "csv"], cwd=ran, capture_output=True)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert list(rows[0]) == ["index", "key", "status", "text", "size", "of.half"]
    assert [row["text"] for row in rows] == ['SAYS "HI", TWICE', "TWO\nLINES", "É", ""]
    assert [row["size"] for row in rows] == ["16", "9", "1", ""]
    shown = results("--columns", "size,of.half", "--format", "table").splitlines()
    assert shown[0].split() == ["index", "key", "status", "size", "of.half"]
    assert shown[1].split() == ["0", "a", "succeeded", "16", "8.0"]


@pytest.mark.parametrize("name", ["t.txt", "t.jsnol", "t.csv.zip", "t.gz", "a.b/t.xls"])
def test_an_ending_that_names_no_format_is_refused(name: str, ran: Path, work: Path) -> None:
    words = [BIN, "results", "--step", "score", "-o", str(work / name)]
    done = subprocess.run(words, cwd=ran, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"the ending of {str(work / name)!r} names no format" in done.stderr
    assert "`.jsonl`, `.csv`, `.parquet` or `.json`" in done.stderr
    assert not (work / name).exists()


def test_a_name_without_an_ending_gets_lines_of_json(results: Callable[..., str], work: Path) -> None:
    (work / "a.b").mkdir()
    for name in ("t", "a.b/t", ".t"):
        results("-o", str(work / name))
        assert json.loads((work / name).read_text().splitlines()[2])["result"]["size"] == 1
    results("-o", str(work / "t.txt"), "--format", "csv")
    assert (work / "t.txt").read_text().startswith("index,key")


@pytest.mark.promise("9.11")
def test_files_in_the_format_of_their_ending(results: Callable[..., str], work: Path) -> None:
    for name in ("t.parquet", "t.csv.gz", "t.json", "t.jsonl"):
        results("-o", str(work / name))
    table = pyarrow.parquet.read_table(work / "t.parquet")
    assert table.column("size").to_pylist() == [16, 9, 1, None]
    assert str(table.schema.field("of.half").type) == "double"
    assert gzip.decompress((work / "t.csv.gz").read_bytes()).startswith(b"index,key,status,text,size,of.half\r\n")
    assert json.loads((work / "t.json").read_text())[3] == {
        "index": 3,
        "key": "d",
        "status": "failed",
        "text": None,
        "size": None,
        "of": None,
    }
    plain = [json.loads(line) for line in (work / "t.jsonl").read_text().splitlines()]
    assert plain[2]["result"] == {"text": "É", "size": 1, "of": {"half": 0.5}}
    results("-o", str(work / "t"), "--format", "parquet")
    assert pyarrow.parquet.read_table(work / "t") == table


@pytest.mark.promise("9.11")
def test_joined_with_the_source(results: Callable[..., str]) -> None:
    rows = [json.loads(line) for line in results("--join", "--format", "jsonl").splitlines()]
    assert list(rows[2]) == ["id", "text", "result.text", "size", "of", "_status", "_error"]
    assert (rows[2]["text"], rows[2]["result.text"], rows[2]["_status"]) == ("é", "É", "succeeded")
    assert (rows[3]["id"], rows[3]["size"], rows[3]["_error"]) == ("d", None, "ValueError: no")
    assert results("--join", "--format", "csv", step="pairs").splitlines() == [
        *("n,twice,_status,_error", "1,2,succeeded,", "2,4,succeeded,", "3,6,succeeded,"),
    ]


@pytest.mark.promise("9.11")
def test_chosen_rows_and_columns(results: Callable[..., str]) -> None:
    failed = results("--where", "status == 'failed' and item.id == 'd'", "--format", "jsonl")
    assert [json.loads(line)["key"] for line in failed.splitlines()] == ["d"]
    long = results("--where", "result and result.size > 5", "--columns", "n={{ result.size * 2 }}", "--format", "csv")
    assert long.splitlines() == ["index,key,status,n", "0,a,succeeded,32", "1,b,succeeded,18"]
    mixed = results("--columns", "size,pair={{ [result.size, 'a,b'] }}", "--columns", "of.half", "--format", "csv")
    assert mixed.splitlines()[:2] == ["index,key,status,size,pair,of.half", '0,a,succeeded,16,"[16,""a,b""]",8.0']
    assert "there is no `size`" in results("--where", "size > 5", expect=2)
    assert "there is no `sise`" in results("--columns", "n={{ sise }}", expect=2)
    assert "must give true or false" in results("--where", "key", expect=2)
    assert "column `n`" in results("--columns", "n={{ result.nope }}", "--format", "csv", expect=4)
    assert "default(none)" in results("--columns", "n={{ result.nope }}", "--format", "csv", expect=4)
    given = results("--columns", "n={{ result.nope | default(none) }}", "--format", "csv").splitlines()
    assert given[:2] == ["index,key,status,n", "0,a,succeeded,"]
    assert "names `n` twice" in results("--columns", "n={{ key }},size, n={{ index }}", expect=2)
    assert "`n={{ result.size }}`" in results("--columns", "size,n=result.size", expect=2)
    assert "-o FILE.parquet" in results("--format", "parquet", expect=2)


@pytest.mark.promise("8.04")
def test_tables_from_python(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import batchwork

    monkeypatch.chdir(work)
    Path("flow.yaml").write_text(FLOW)
    with batchwork.run("flow.yaml", progress="off") as run:
        scores: Any = run.outputs["scores"]
        frame = scores.to_pandas()
        assert frame["size"].tolist()[:3] == [16, 9, 1]
        assert int(frame["size"].sum()) == 26
        assert scores.to_arrow().column("key").to_pylist() == ["a", "b", "c", "d"]


@pytest.mark.promise("9.11")
@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.csv.gz"])
def test_where_a_file_finds_no_room(ran: Path, work: Path, environ: Mapping[str, str], name: str) -> None:
    """A limit on the size of files stands for a full disk."""
    text = "steps:\n  - name: s\n    task: batch\n    inputs:\n      items: {from: range, stop: 30000}\n"
    text += '      task: {type: python, code: \'import random; return {"n": random.random(), "k": str(random.random())}\'}\n'
    (work / "big.yaml").write_text(text)
    subprocess.run([BIN, "run", "big.yaml", "--quiet"], cwd=work, env=environ, check=True, capture_output=True)
    limited = ["bash", "-c", f"ulimit -f 200; exec '{BIN}' results -o {name}"]
    done = subprocess.run(limited, cwd=work, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (4, f"error: cannot write {name}: File too large\n")
    assert sorted(path.name for path in work.iterdir()) == [".batchwork", "big.yaml"]
