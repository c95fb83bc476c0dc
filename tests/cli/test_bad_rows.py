"""Rows that cannot be read, or have no field for `key`, as a user meets them: from each source, with each grouping, mended later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., "CompletedProcess[str]"]

FLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: %s
      key: "{{ item.n }}"
%s
      task: {type: python, code: "%s"}
"""
TORN = '{"n": 1}\n\n{"n":\n{"m": 4}\n{"n": 5}\n'
"""Line 3 is torn, line 4 has no key."""
SOURCES = {
    "file": ("{from: jsonl, path: in.jsonl}", "in.jsonl"),
    "command": ("{from: command, command: cat in.jsonl, format: jsonl}", "the command `cat in.jsonl`"),
}
GROUPINGS = {
    "alone": ("", "return item['n'] * 10"),
    "seen": ("      batch_size: 3\n      each: item\n", "return item['n'] * 10 + 0 * len(batch['items'])"),
    "whole": ("      batch_size: 2\n      each: batch\n", "return [one['n'] * 10 for one in item]"),
}


class Bench:
    def __init__(self, work: Path, batchwork: Command) -> None:
        self.work, self.batchwork = work, batchwork

    def write(self, items: str, settings: str, code: str, rows: str = TORN) -> None:
        (self.work / "w.yaml").write_text(FLOW % (items, settings, code))
        (self.work / "in.jsonl").write_text(rows)

    def items(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.batchwork("items", "--json").stdout.splitlines()]

    def outcomes(self) -> list[Any]:
        return [row["result"] if row["status"] == "succeeded" else row["status"] for row in self.items()]

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self.batchwork("status", "--json").stdout)["steps"]["s"]["counts"]
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
def bench(work: Path, batchwork: Command) -> Bench:
    return Bench(work, batchwork)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.promise("6.06", "6.37")
def test_each_is_a_failed_item_and_the_others_run(bench: Bench, source: str, grouping: str) -> None:
    (items, name), (settings, code) = SOURCES[source], GROUPINGS[grouping]
    bench.write(items, settings + "      continue_on_error: true", code)
    bench.batchwork("run", "w.yaml", expect=3)
    rows = bench.items()
    bad = [row for row in rows if row["status"] == "failed"]
    assert [(row["key"], row["item"], row["error"]["type"]) for row in bad] == [
        (f"{name}:3", '{"n":', "bad row"),
        (f"{name}:4", '{"m":4}', "bad row"),
    ]
    assert all(row["error"]["message"].startswith(f"{row['key']}: ") for row in bad)
    good = [row["result"] for row in rows if row["status"] == "succeeded"]
    assert good == ([[10, 50]] if grouping == "whole" else [10, 50])
    assert [row["index"] for row in rows] == [*range(len(rows))]
    assert bench.counts() == {"total": len(rows), "succeeded": len(good), "failed": 2}


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.promise("6.09")
def test_they_may_be_skipped_and_are_counted(bench: Bench, grouping: str) -> None:
    settings, code = GROUPINGS[grouping]
    bench.write(SOURCES["file"][0], settings + "      on_bad_row: skip", code)
    bench.batchwork("run", "w.yaml", expect=0)
    assert bench.counts()["skipped"] == 2
    assert [row["key"] for row in bench.items() if row["status"] == "skipped"] == ["in.jsonl:3", "in.jsonl:4"]


@pytest.mark.parametrize(
    ("settings", "failure"), [("      on_bad_row: stop", "source"), ("      parallel: false", "bad row")]
)
@pytest.mark.promise("6.10")
def test_they_may_stop_the_step(bench: Bench, settings: str, failure: str) -> None:
    bench.write(SOURCES["file"][0], settings, GROUPINGS["alone"][1])
    done = bench.batchwork("run", "w.yaml", expect=1)
    assert "in.jsonl:3" in done.stdout
    assert failure in done.stdout


def test_elements_of_a_list_are_named_by_their_position(bench: Bench) -> None:
    bench.write("[{n: 1}, {m: 2}]", "      continue_on_error: true", GROUPINGS["alone"][1])
    bench.batchwork("run", "w.yaml", expect=3)
    assert [row["key"] for row in bench.items()] == ["1", "items:1"]


def test_on_item_error_sees_them(bench: Bench) -> None:
    hook = "{task: shell, inputs: {command: 'echo {{ error.type }} {{ key }} {{ item }} >> told'}}"
    bench.write(
        SOURCES["file"][0], f"      continue_on_error: true\n      on_item_error: {hook}", GROUPINGS["alone"][1]
    )
    bench.batchwork("run", "w.yaml", expect=3)
    told = (bench.work / "told").read_text().splitlines()
    assert sorted(told) == ['bad row in.jsonl:3 {"n":', 'bad row in.jsonl:4 {"m":4}']


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.promise("6.07")
def test_a_later_reading_takes_what_stands_there(bench: Bench, grouping: str) -> None:
    settings, code = GROUPINGS[grouping]
    bench.write(SOURCES["file"][0], settings + "      max_failures: 1", code)
    bench.batchwork("run", "w.yaml", expect=1)
    (bench.work / "in.jsonl").write_text(TORN.replace('{"n":\n', '{"n": 3}\n'))
    bench.batchwork("resume", expect=3)
    present = [row for row in bench.items() if row["index"] is not None]
    assert [row["key"] for row in present if row["status"] == "failed"] == ["in.jsonl:4"]
    results = [row["result"] for row in present if row["status"] == "succeeded"]
    found = sorted(one for each in results for one in (each if isinstance(each, list) else [each]))
    assert found == [10, 30, 50]


def test_a_retry_from_what_is_stored_leaves_them(bench: Bench) -> None:
    bench.write(SOURCES["file"][0], "      continue_on_error: true", GROUPINGS["alone"][1])
    bench.batchwork("run", "w.yaml", expect=3)
    done = bench.batchwork("retry", expect=3)
    assert "2 failed units stay as before" in done.stderr
    assert bench.outcomes() == [10, "failed", "failed", 50]
