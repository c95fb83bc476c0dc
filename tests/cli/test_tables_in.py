"""CSV and other files as items of real runs: bad rows mended later, sources that changed, runs that were killed, commands that print."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import zstandard

from places import BIN

Command = Callable[..., "CompletedProcess[str]"]

FLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: %s
      %s
      continue_on_error: true
      task: {type: python, code: "%s"}
"""


class Bench:
    def __init__(self, work: Path, batchwork: Command) -> None:
        self.work, self.batchwork = work, batchwork

    def write(self, items: str, code: str = "return item['n']", settings: str = 'key: "{{ item.id }}"') -> None:
        (self.work / "w.yaml").write_text(FLOW % (items, settings, code))

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.batchwork("items", "--json").stdout.splitlines()]

    def there(self) -> dict[str, Any]:
        """The results, or else the statuses, of what is in the latest reading, by key."""
        found = [row for row in self.rows() if row["index"] is not None]
        return {row["key"]: row["result"] if row["status"] == "succeeded" else row["status"] for row in found}


@pytest.fixture
def bench(work: Path, batchwork: Command) -> Bench:
    return Bench(work, batchwork)


def test_bad_rows_are_mended_by_a_later_reading(bench: Bench) -> None:
    (bench.work / "in.csv").write_text('id,n\n1,10\n2\n3,"3\n0"\n4,x,y\n5\n')
    bench.write("{from: csv, path: in.csv}")
    bench.batchwork("run", "w.yaml", expect=3)
    assert bench.there() == {"1": "10", "in.csv:3": "failed", "3": "3\n0", "in.csv:6": "failed", "in.csv:7": "failed"}
    assert [row["item"] for row in bench.rows() if row["status"] == "failed"] == ["2", "4,x,y", "5"]
    assert "3 failed units stay as before" in bench.batchwork("retry", expect=3).stderr
    (bench.work / "in.csv").write_text('id,n\n1,10\n2,20\n3,"3\n0"\n4,x,y\n5,50\n')
    bench.batchwork("retry", "--reread", expect=3)
    assert bench.there() == {"1": "10", "2": "20", "3": "3\n0", "in.csv:6": "failed", "5": "50"}


def test_a_row_without_the_field_for_the_key_is_named_by_its_file_and_line(bench: Bench) -> None:
    (bench.work / "1.csv").write_text("id,n\n1,10\n")
    (bench.work / "2.csv").write_text('n,other\n\n"2\n0",x\n30,y\n')
    bench.write('{from: csv, path: "*.csv"}')
    bench.batchwork("run", "w.yaml", expect=3)
    assert bench.there() == {"1": "10", "2.csv:3": "failed", "2.csv:5": "failed"}


def test_a_resume_finds_rows_in_files_that_were_added_and_renamed(bench: Bench) -> None:
    (bench.work / "b.csv").write_text("id,n\n1,10\n2,20\n")
    bench.write('{from: csv, path: "*.csv"}', "1 / (int(item['id']) != 2); return item['n']")
    text = (bench.work / "w.yaml").read_text().replace("continue_on_error: true", "max_failures: 0")
    (bench.work / "w.yaml").write_text(text)
    bench.batchwork("run", "w.yaml", expect=1)
    (bench.work / "b.csv").rename(bench.work / "z.csv")
    (bench.work / "a.csv").write_text("id,n\n3,30\n")
    bench.batchwork("resume", expect=1)
    found = {row["key"]: (row["index"], row["status"], row["attempts"]) for row in bench.rows()}
    assert found == {"3": (0, "succeeded", 1), "1": (1, "succeeded", 1), "2": (2, "failed", 2)}


def test_a_kill_in_the_midst_of_a_file_loses_and_repeats_nothing(
    bench: Bench, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    rows = "".join(f'{number},"n\n{number}"\n' for number in range(3000))
    (bench.work / "in.csv.gz").write_bytes(gzip.compress(f"id,n\n{rows}".encode()))
    code = "f = open('ledger', 'a'); f.write(item['id'] + chr(10)); f.close(); return item['n']"
    bench.write("{from: csv, path: in.csv.gz}", code)
    ledger = bench.work / "ledger"
    run = subprocess.Popen(
        [str(BIN / "batchwork"), "run", "w.yaml", "--quiet"], cwd=bench.work, env=environ, stdout=subprocess.DEVNULL
    )
    wait_for(lambda: ledger.exists() and ledger.stat().st_size > 200, "some rows were run")
    run.kill()
    assert run.wait() == -signal.SIGKILL
    bench.batchwork("resume")
    assert bench.there() == {str(number): f"n\n{number}" for number in range(3000)}
    ran = ledger.read_text().split()
    assert {*ran} == {str(number) for number in range(3000)}
    assert len(ran) <= 3000 + 8, "no more than was running at the kill was run twice"


@pytest.mark.promise("11.11")
def test_files_are_unpacked_by_their_ending_and_a_torn_one_fails_the_step(bench: Bench) -> None:
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.compress}
    for ending, how in pack.items():
        (bench.work / f"{ending}.csv.{ending}").write_bytes(how(f"id,n\n{ending},1\n".encode()))
    bench.write('{from: csv, path: "*.csv.*"}')
    bench.batchwork("run", "w.yaml")
    assert bench.there() == dict.fromkeys(pack, "1")
    torn = bench.work / "xz.csv.xz"
    whole = torn.read_bytes()
    torn.write_bytes(whole[:-20])
    done = bench.batchwork("run", "w.yaml", expect=1)
    assert "xz.csv.xz: the xz file breaks off before its end" in " ".join(done.stdout.split())
    torn.write_bytes(whole)
    bench.batchwork("resume")
    assert bench.there() == dict.fromkeys(pack, "1")


@pytest.mark.promise("11.20")
def test_lines_and_jsonl_of_one_file_a_list_and_a_pattern(bench: Bench) -> None:
    (bench.work / "a.txt").write_bytes("ä\n".encode("latin-1"))
    (bench.work / "b.txt").write_bytes("ö\n".encode("latin-1"))
    (bench.work / "n").write_bytes(b"x\ny\0z")
    for items, expected in [
        ("{from: lines, path: a.txt, encoding: latin-1}", ["ä"]),
        ("{from: lines, path: [b.txt, a.txt], encoding: latin-1}", ["ö", "ä"]),
        ('{from: lines, path: "*.txt", encoding: latin-1}', ["ä", "ö"]),
        ("{from: lines, path: n, separator: nul}", ["x\ny", "z"]),
        ('{from: jsonl, path: "*.none"}', []),
    ]:
        bench.write(items, "return item", "max_parallel: 1")
        bench.batchwork("run", "w.yaml")
        assert [row["result"] for row in bench.rows()] == expected
    (bench.work / "a.jsonl").write_text('{"a": 1}\n')
    bench.write("{from: jsonl, path: [a.jsonl, a.jsonl]}", "return item", "max_parallel: 1")
    bench.batchwork("run", "w.yaml")
    assert [row["result"] for row in bench.rows()] == [{"a": 1}, {"a": 1}]


@pytest.mark.promise("11.21")
def test_csv_as_its_fields_say(bench: Bench) -> None:
    (bench.work / "in.csv").write_bytes("id;n;größe\r\n007;NA;1,5\r\n".encode("utf-16"))
    fields = "path: in.csv, encoding: utf-16, columns: [id, n, größe]"
    for more, expected in [
        ("", {"id": "007", "n": "NA", "größe": "1,5"}),
        (", null: NA", {"id": "007", "n": None, "größe": "1,5"}),
        (", types: {id: integer}", {"id": 7, "n": "NA", "größe": "1,5"}),
        (", types: infer, delimiter: ';'", {"id": "007", "n": "NA", "größe": "1,5"}),
    ]:
        bench.write(f"{{from: csv, {fields}{more}}}", "return item", "max_parallel: 1")
        bench.batchwork("run", "w.yaml")
        assert [row["result"] for row in bench.rows()] == [expected]
    bench.write("{from: csv, path: in.csv, encoding: utf-16, header: false, columns: [a, b, c]}", "return item['a']")
    (bench.work / "w.yaml").write_text((bench.work / "w.yaml").read_text().replace("item.id", "item.a"))
    bench.batchwork("run", "w.yaml")
    assert bench.there() == {"id": "id", "007": "007"}


@pytest.mark.promise("11.32")
@pytest.mark.parametrize(
    ("prints", "form", "expected"),
    [
        ("a\\nb\\n", "lines", ["a", "b"]),
        ("a\\nb\\0c\\0", "nul", ["a\nb", "c"]),
        ('{"id": 1}\\n2\\n', "jsonl", [{"id": 1}, 2]),
        ('id;n\\n1;"2\\n3"\\n', "csv", [{"id": "1", "n": "2\n3"}]),
    ],
)
def test_what_a_command_prints(bench: Bench, prints: str, form: str, expected: list[Any]) -> None:
    command = json.dumps(f"printf '{prints}'")
    bench.write(f"{{from: command, command: {command}, format: {form}}}", "return item", "max_parallel: 1")
    bench.batchwork("run", "w.yaml")
    assert [row["result"] for row in bench.rows()] == expected


def test_rows_that_a_command_prints_are_taken_as_they_come(
    bench: Bench, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    bench.write(
        "{from: command, format: csv, command: \"printf 'id,n\\\\n1,2\\\\n'; until test -e seen; do sleep 0.05; done; echo 3\"}",
        "open('seen', 'w').close(); return item['n']",
    )
    done = bench.batchwork("run", "w.yaml", expect=3)
    assert "printf" in done.stdout
    assert [(row["status"], row["key"][-2:]) for row in bench.rows()] == [("succeeded", "1"), ("failed", ":3")]


def test_a_csv_that_cannot_be_used_says_what_to_do(bench: Bench) -> None:
    for content, message in [
        ("a,a\n", "in.csv:1: the header names `a` more than once, in columns 1 and 2"),
        ("a,\n", "in.csv:1: column 2 of the header has no name"),
    ]:
        (bench.work / "in.csv").write_text(content)
        bench.write("{from: csv, path: in.csv}")
        done = bench.batchwork("run", "w.yaml", expect=1)
        assert message in " ".join(done.stdout.split())
        assert "Traceback" not in done.stderr
