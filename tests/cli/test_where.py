"""`--where`: of `items` and `errors`, and the expressions that `errors` gives for `retry`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from batchwork.cli.where import picking
from batchwork.text.alike import group

Command = Callable[..., "CompletedProcess[str]"]

FLOW = r"""
steps:
  - name: one
    task: batch
    inputs:
      items: {from: jsonl, path: in.jsonl}
      key: "{{ item.n }}"
      continue_on_error: true
      task:
        type: python
        code: |
          if item["n"] % 4 == 1:
              raise ValueError(f"no such user {item['n']}")
          if item["n"] % 4 == 2:
              raise ValueError(f"the disk 'sd{item['n']}' is full")
          if item["n"] % 4 == 3:
              raise KeyError(item["n"])
          return {"twice": item["n"] * 2}
  - name: two
    task: batch
    inputs:
      items: [3, 4, 5]
      continue_on_error: true
      task: {type: shell, command: 'echo "no such user" >&2; exit {{ item }}'}
  - name: three
    task: batch
    inputs:
      items: [4]
      continue_on_error: true
      task: {type: shell, command: 'exit {{ item }}'}
"""


@pytest.fixture
def failed(batchwork: Command, work: Path) -> Path:
    (work / "in.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(12)) + "{broken\n")
    (work / "w.yaml").write_text(FLOW)
    batchwork("run", "w.yaml", "--run-id", "r1", "--quiet", expect=3)
    return work


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.promise("9.46")
@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ("item.n > 9", ["10", "11"]),
        ("step == 'one' and result.twice == 16", ["8"]),
        ("error.type == 'KeyError' and index < 4", ["3"]),
        ("step == 'two' and error.exit_code > 3", ["4", "5"]),
        ("status == 'succeeded'", ["0", "4", "8"]),
        ("attempts > 1", []),
    ],
)
def test_items_are_chosen_by_all_that_is_known_of_them(
    batchwork: Command, failed: Path, where: str, keys: list[str]
) -> None:
    steps = ["--step", "one"] if "item.n" in where else []
    found = rows(batchwork("items", *steps, "--where", where, "--json").stdout)
    assert [row["key"] for row in found] == keys


@pytest.mark.promise("9.46", "9.07")
def test_each_group_of_failures_is_picked_by_what_errors_says(batchwork: Command, failed: Path) -> None:
    groups = rows(batchwork("errors", "--json").stdout)
    picked = {group["where"]: group["count"] for group in groups}
    assert sum(map(int, map(str, picked.values()))) == 14
    assert len(picked) == len(groups) == 8
    for where, count in picked.items():
        found = rows(batchwork("items", "--status", "failed", "--where", str(where), "--json").stdout)
        assert len(found) == count, where
    said = batchwork("errors").stdout
    assert "batchwork retry r1 --reread --where \"error.type == 'bad row'\"" in said
    assert "batchwork retry r1 --where \"step == 'three' and error.exit_code == 4\"" in said
    assert "1 failed" in batchwork("retry", "--where", "step == 'three' and error.exit_code == 4", expect=3).stderr
    tries = {row["attempts"] for row in rows(batchwork("items", "--step", "two", "--json").stdout)}
    assert tries == {1}


def test_what_was_chosen_is_a_part_of_the_expression(batchwork: Command, failed: Path) -> None:
    one = batchwork("errors", "--step", "two", "--where", "item < 5").stdout
    assert "4" not in [line.split()[-1] for line in one.splitlines() if line.startswith("two: 1")]
    assert "--where \"step == 'two' and (item < 5) and error.exit_code == 3\"" in one
    assert "exit 5" not in one
    quoted = batchwork("errors", "--step", "two", "--where", 'key == "5"').stdout
    assert """--where 'step == '"'"'two'"'"' and (key == "5")""" in quoted


def test_wrong_expressions_are_refused(batchwork: Command, failed: Path) -> None:
    for command in ("items", "errors"):
        assert "there is no `sise`" in batchwork(command, "--where", "sise > 5", expect=2).stderr
        assert "must give true or false" in batchwork(command, "--where", "key", expect=2).stderr


def test_words_beside_what_differs_pick_a_group() -> None:
    said = [
        "a.csv:3: 3 fields instead of 4: id, zip",
        "a.csv:5: not UTF-8 (byte 0xeb) (`encoding` says how the file is written: latin-1, cp1252 …)",
        "INVALID NAME 'x' at /a/b",
    ]
    groups = group(("s", f"k{at}", "bad row", message) for at, message in enumerate(said))
    found = [picking(alike, groups) for alike in groups]
    assert found[0] == "error.type == 'bad row' and 'fields instead of' in error.message"
    assert found[1] == "error.type == 'bad row' and 'says how the file is written: latin' in error.message"
    assert found[2] == "error.type == 'bad row' and 'AME' in error.message"
