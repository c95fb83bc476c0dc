"""How a batch step reads its items, as a user sees it: how far reading runs ahead, and what is asked when `each` is not clear."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]

PRINTS = """
import sys
for number in range(300):
    print(number, flush=True)
    with open("printed", "a") as file:
        print(number, file=file)
"""

AHEAD = """
steps:
  - name: work
    task: batch
    inputs:
      items: {from: command, command: "%s prints.py"}
      batch_size: 5
      queue_size: 2
      each: item
      task: {type: shell, command: "wc -l < printed"}
"""

ITERATES = """
steps:
  - name: work
    task: batch
    inputs:
      items: %s
      batch_size: 2
      task:
        type: python
        code: |
          return [part for part in item]
"""


@pytest.mark.promise("6.31")
def test_reading_runs_no_further_ahead_than_queue_size(batchwork: Command, work: Path) -> None:
    (work / "prints.py").write_text(PRINTS)
    (work / "flow.yaml").write_text(AHEAD % sys.executable)
    batchwork("run", "flow.yaml", expect=0)
    lines = batchwork("results", "--format", "jsonl", expect=0).stdout.splitlines()
    printed = [int(json.loads(line)["result"]["stdout"]) for line in lines]
    assert len(printed) == 300
    ahead = max(count - index for index, count in enumerate(printed))
    assert ahead <= 2 * 5 + 6, "two batches; the item itself, one claimed; a line being cut, in the pipe, being written"


def test_long_lines_stay_whole_where_reading_is_held_back(batchwork: Command, work: Path) -> None:
    (work / "prints.py").write_text("for number in range(40):\n    print('x' * 999 * number, end='y\\n')\n")
    task = "{type: python, code: 'return len(item)'}"
    (work / "flow.yaml").write_text((AHEAD % sys.executable).replace('{type: shell, command: "wc -l < printed"}', task))
    batchwork("run", "flow.yaml", expect=0)
    lines = batchwork("results", "--format", "jsonl", expect=0).stdout.splitlines()
    assert [json.loads(line)["result"] for line in lines] == [999 * number + 1 for number in range(40)]


@pytest.mark.parametrize("items", ["[{a: 1}, [1, 2]]", "[{a: 1}, text]"])
def test_written_items_that_are_lists_or_texts_need_each(batchwork: Command, work: Path, items: str) -> None:
    (work / "flow.yaml").write_text(ITERATES % items)
    for command in ("validate", "plan", "run"):
        said = batchwork(command, "flow.yaml", expect=2).stderr
        assert "flow.yaml:11:11: `each` is needed: item 1 (from 0) is a" in said
        assert "`each: item`" in said


@pytest.mark.parametrize("items", ["$(printf 'a\\nb')", '{{ [{"a": 1}, [1]] }}'])
@pytest.mark.promise("6.34")
def test_items_that_turn_out_to_be_lists_or_texts_need_each(batchwork: Command, work: Path, items: str) -> None:
    (work / "flow.yaml").write_text(ITERATES % items)
    assert "line 11" in batchwork("plan", "flow.yaml", expect=0).stdout
    said = batchwork("run", "flow.yaml", expect=1).stdout
    assert "`each` is needed" in said
    assert "line 11 of flow.yaml" in said
