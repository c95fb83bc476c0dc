"""The field `results` of a batch step: a file that grows, takes its name at the end, and is written anew; failed items as items."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow.parquet
import pytest

Command = Callable[..., "CompletedProcess[str]"]
BIN = Path(sys.executable).parent / "batchwork"

FLOW = r"""
params: {folder: out, bad: bad}
steps:
  - name: letters
    task: batch
    inputs:
      items: [{id: 1, text: a}, {id: 2, text: bad}, {id: 3, text: c}]
      key: "{{ item.id }}"
      continue_on_error: true
      task:
        type: python
        inputs: {bad: "{{ params.bad }}"}
        code: |
          if item["text"] == bad:
              raise ValueError("no")
          return {"upper": item["text"].upper(), "id": item["id"] * 10}
      results: RESULTS
"""


def flow(work: Path, results: str, text: str = FLOW) -> None:
    (work / "flow.yaml").write_text(text.replace("RESULTS", results))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def listed(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.promise("8.05", "8.07", "8.09")
def test_a_file_with_columns_for_every_unit_that_has_an_outcome(batchwork: Command, work: Path) -> None:
    flow(work, "{to: '{{ params.folder }}/deep/t.csv'}")
    batchwork("run", "flow.yaml", expect=3)
    assert rows(work / "out/deep/t.csv") == [
        {"index": "0", "key": "1", "status": "succeeded", "upper": "A", "id": "10"},
        {"index": "1", "key": "2", "status": "failed", "upper": "", "id": ""},
        {"index": "2", "key": "3", "status": "succeeded", "upper": "C", "id": "30"},
    ]
    assert listed(work / "out/deep") == ["t.csv"]
    for name, shape in (("t.parquet", ""), ("t.json.gz", ""), ("t", ", format: parquet")):
        flow(work, f"{{to: {name}{shape}}}")
        batchwork("run", "flow.yaml", expect=3)
    assert pyarrow.parquet.read_table(work / "t.parquet") == pyarrow.parquet.read_table(work / "t")
    assert json.loads(gzip.decompress((work / "t.json.gz").read_bytes()))[2]["upper"] == "C"


@pytest.mark.promise("8.10", "8.11")
def test_joined_and_the_failed_items_are_items_of_another_run(batchwork: Command, work: Path) -> None:
    flow(work, "{to: t.csv, join: true, failed: {to: failed.jsonl}}")
    batchwork("run", "flow.yaml", expect=3)
    assert (work / "t.csv").read_text() == (
        "id,text,upper,result.id,_status,_error\n1,a,A,10,succeeded,\n2,bad,,,failed,ValueError: no\n3,c,C,30,succeeded,\n"
    )
    assert (work / "failed.jsonl").read_text() == '{"id":2,"text":"bad"}\n'
    again = FLOW.replace(
        "[{id: 1, text: a}, {id: 2, text: bad}, {id: 3, text: c}]", "{from: jsonl, path: failed.jsonl}"
    )
    (work / "again.yaml").write_text(again.replace("RESULTS", "{to: again.csv}"))
    batchwork("run", "again.yaml", "bad=none", expect=0)
    assert rows(work / "again.csv") == [{"index": "0", "key": "2", "status": "succeeded", "upper": "BAD", "id": "20"}]


@pytest.mark.promise("8.10")
def test_a_column_of_the_source_that_join_needs(batchwork: Command, work: Path) -> None:
    flow(work, "{to: t.csv, join: true}", FLOW.replace("{id: 1, text: a}", "{id: 1, text: a, _status: x}"))
    assert "the source has a column `_status`" in batchwork("run", "flow.yaml", expect=1).stderr
    assert listed(work) == [".batchwork", "flow.yaml"]


@pytest.mark.promise("8.08")
def test_a_retry_writes_the_file_anew(batchwork: Command, work: Path) -> None:
    flow(work, "{to: t.csv, failed: {to: failed.jsonl}}", FLOW.replace("bad: bad}", "bad: '{{ env.BAD }}'}", 1))
    text = (work / "flow.yaml").read_text().replace('"{{ params.bad }}"', '"{{ env.BAD }}"')
    (work / "flow.yaml").write_text(text)
    batchwork("run", "flow.yaml", expect=3, env={"BAD": "bad"})
    assert [row["status"] for row in rows(work / "t.csv")] == ["succeeded", "failed", "succeeded"]
    batchwork("retry", env={"BAD": "none"})
    assert [row["status"] for row in rows(work / "t.csv")] == ["succeeded"] * 3
    assert (work / "failed.jsonl").read_text() == ""


LATE = r"""
steps:
  - name: late
    task: batch
    inputs:
      items: {from: range, stop: 1500}
      continue_on_error: true
      task:
        type: python
        code: |
          with open("ran", "a") as file:
              file.write(f"{item}\n")
          if item == 7:
              raise ValueError("no")
          return {"n": "text" if item == 1200 else item, "m": -item}
      results: RESULTS
    outputs: late
  - name: after
    task: python
    inputs: {code: "return len(late)"}
"""


@pytest.mark.promise("8.06", "8.09")
def test_a_value_that_does_not_fit_fails_the_step_and_a_resume_with_other_columns_only_writes(
    batchwork: Command, work: Path
) -> None:
    flow(work, "{to: t.parquet}", LATE)
    done = batchwork("run", "flow.yaml", "--run-id", "r1", expect=1)
    assert "row 1201 (index 1200, key 1200), column `n`: 'text' does not fit a column of type int64" in done.stderr
    assert listed(work) == [".batchwork", "flow.yaml", "ran"]
    counts = json.loads(batchwork("status", "r1", "--json").stdout)["steps"]["late"]["counts"]
    assert (counts["succeeded"], counts["failed"]) == (1499, 1)
    flow(work, "{to: t.parquet, columns: {m: '{{ result.m }}', twice: '{{ result.m * 2 }}', by: '{{ run.id }}'}}", LATE)
    assert "late: writes its results" in batchwork("resume", "r1", "--plan").stdout
    batchwork("resume", "r1", expect=3)
    assert len((work / "ran").read_text().splitlines()) == 1500
    table = pyarrow.parquet.read_table(work / "t.parquet")
    assert table.column_names == ["index", "key", "status", "m", "twice", "by"]
    assert table.column("twice").to_pylist()[1200] == -2400
    assert table.column("m").to_pylist()[7] is None


def test_a_retry_of_a_step_whose_results_did_not_fit_runs_what_failed(batchwork: Command, work: Path) -> None:
    flow(work, "{to: t.parquet}", LATE)
    batchwork("run", "flow.yaml", "--run-id", "r1", expect=1)
    flow(work, "{to: t.csv}", LATE)
    batchwork("retry", "r1", expect=3)
    assert len((work / "ran").read_text().splitlines()) == 1501
    assert rows(work / "t.csv")[1200]["n"] == "text"


SLOW = r"""
steps:
  - name: slow
    task: batch
    inputs:
      items: {from: range, stop: 1100}
      max_parallel: 2
      task:
        type: python
        code: |
          import os, time
          while item >= 1050 and not os.path.exists("go"):
              time.sleep(0.01)
          if item == 1060 and os.path.exists("fail"):
              raise ValueError("no")
          return item * 2
      results: {to: t.csv}
"""


@contextmanager
def running(work: Path, environ: Mapping[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([BIN, *words], cwd=work, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.promise("8.06")
@pytest.mark.parametrize("ending", ["good", "fails", "stops"])
def test_the_part_grows_and_takes_its_name_only_when_the_step_is_done(
    work: Path, environ: Mapping[str, str], wait_for: Callable[..., None], ending: str
) -> None:
    (work / "flow.yaml").write_text(SLOW)
    (work / "t.csv").write_text("older")
    with running(work, environ, "run", "flow.yaml") as process:
        wait_for(lambda: lines_in(work / "t.csv.part") > 1000, "a part with 1000 lines")
        assert (work / "t.csv").read_text() == "older"
        if ending == "fails":
            (work / "fail").touch()
        if ending == "stops":
            process.send_signal(signal.SIGINT)
        (work / "go").touch()
        process.communicate(timeout=60)
        assert process.returncode == {"good": 0, "fails": 1, "stops": 130}[ending]
    assert not (work / "t.csv.part").exists()
    if ending == "good":
        assert [row["result"] for row in rows(work / "t.csv")] == [str(at * 2) for at in range(1100)]
    else:
        assert (work / "t.csv").read_text() == "older"
        (work / "fail").unlink(missing_ok=True)
        done = subprocess.run([BIN, "resume"], cwd=work, env=environ, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        assert [row["result"] for row in rows(work / "t.csv")] == [str(at * 2) for at in range(1100)]


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ("t.csv", "`results` must be a mapping"),
        ("{format: csv}", "`to` is required in `results`"),
        ("{to: t.xls}", "the ending of 't.xls' names no format"),
        ("{to: '{{ folder }}/t.xls'}", "the ending of 'out/t.xls' names no format"),
        ("{to: t.csv, format: xls}", "`format` must be `jsonl`, `csv`, `parquet` or `json`"),
        ("{to: t.csv, colums: {}}", "unknown field `colums` in `results`"),
        ("{to: t.csv, columns: {a: '{{ resut.a }}'}}", "there is no `resut`"),
        ("{to: t.csv, columns: {a: '{{ steps.nope.result }}'}}", "there is no step `nope`"),
        ("{to: t.csv, join: 3}", "`join` must be true or false"),
        ("{to: t.csv, failed: f.jsonl}", "`failed` must be a mapping"),
        ("{to: t.csv, failed: {to: f.csv}}", "failed items are written as JSON Lines"),
        ("{to: '{{ nope }}.csv'}", "there is no `nope`"),
        ("{to: t.jsonl, failed: {to: t.jsonl}}", "'t.jsonl' is written twice: at line 17 and here"),
    ],
)
def test_what_validate_finds(batchwork: Command, work: Path, results: str, said: str) -> None:
    flow(work, results)
    assert said in batchwork("validate", "flow.yaml", expect=2).stderr


def test_a_place_that_cannot_be_written_is_said_before_anything_runs(batchwork: Command, work: Path) -> None:
    flow(work, "{to: flow.yaml/t.csv}", LATE)
    assert "the folder" in batchwork("run", "flow.yaml", "--run-id", "r1", expect=1).stderr
    assert not (work / "ran").exists()
    flow(work, "{to: t.csv}", LATE)
    batchwork("resume", "r1", expect=3)
    assert len(rows(work / "t.csv")) == 1500


@pytest.mark.promise("8.09")
def test_where_the_file_finds_no_room_the_step_fails_and_a_resume_only_writes(batchwork: Command, work: Path) -> None:
    flow(work, "{to: t.csv}", LATE)
    faulty = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "results.part:ENOSPC@1"}
    done = batchwork("run", "flow.yaml", "--run-id", "r1", expect=1, env=faulty)
    assert "t.csv: No space left on device" in done.stderr and "Traceback" not in done.stderr
    assert listed(work) == [".batchwork", "flow.yaml", "ran"]
    batchwork("resume", "r1", expect=3)
    assert len((work / "ran").read_text().splitlines()) == 1500
    assert len(rows(work / "t.csv")) == 1500
