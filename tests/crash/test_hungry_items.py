"""Items that take more memory than there is: they fail, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WORKFLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: {from: range, count: 12}
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: |
          import resource
          resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        code: |
          if item == 5:
              held = bytearray(8 << 30)
          return item
"""


@pytest.mark.fault("D04")
@pytest.mark.promise("10.07")
def test_an_item_that_takes_all_memory_fails_alone(work: Path, batchwork) -> None:
    (work / "w.yaml").write_text(WORKFLOW)
    batchwork("run", "w.yaml", expect=3)
    rows = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert {row["item"]: row["status"] for row in rows if row["status"] != "succeeded"} == {5: "failed"}
    assert rows[5]["error"]["type"] == "MemoryError"
    assert [row["result"] for row in rows if row["item"] != 5] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
