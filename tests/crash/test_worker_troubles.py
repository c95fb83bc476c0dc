"""Workers that cannot be started or prepared: the step fails with one clear error, and nothing that ran is lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

SECOND_FAILS = """
name: few
steps:
  - name: a
    task: batch
    inputs:
      items: {from: range, stop: 6}
      max_parallel: 2
      task:
        type: python
        setup: |
          import os, time
          try:
              os.close(os.open("first", os.O_CREAT | os.O_EXCL))
          except FileExistsError:
              while not os.path.exists("running"):
                  time.sleep(0.01)
              with open("tries", "a") as file:
                  file.write("x")
              raise RuntimeError("no more connections")
        code: |
          open("running", "w").close()
          while not os.path.exists("tries") or os.path.getsize("tries") < 3:
              time.sleep(0.01)
          time.sleep(0.5)
          return item
"""


def test_what_runs_is_recorded_although_another_worker_cannot_be_prepared(work: Path, batchwork: Any) -> None:
    (work / "w.yaml").write_text(SECOND_FAILS, encoding="utf-8")
    batchwork("run", "w.yaml", "--quiet", expect=1)
    step = json.loads(batchwork("status", "--json").stdout)["steps"]["a"]
    assert "no more connections" in step["error"]["message"]
    assert step["counts"] == {
        "total": 6, "succeeded": 1, "failed": 0, "skipped": 0, "in_doubt": 0, "pending": 5, "running": 0,
    }  # fmt: skip


DIES_IN_SETUP = """
name: dies
steps:
  - name: a
    task: batch
    inputs:
      items: [1, 2]
      max_parallel: 1
      task:
        type: python
        setup: |
          import os
          with open("tries", "a") as file:
              file.write("x")
          if os.path.getsize("tries") < LIVES:
              os._exit(9)
        code: return item
"""


@pytest.mark.parametrize(("lives", "code", "tries"), [(3, 0, 3), (9, 1, 3)])
def test_a_worker_that_dies_in_its_setup_is_tried_three_times(
    work: Path, batchwork: Any, lives: int, code: int, tries: int
) -> None:
    (work / "w.yaml").write_text(DIES_IN_SETUP.replace("LIVES", str(lives)), encoding="utf-8")
    batchwork("run", "w.yaml", "--quiet", expect=code)
    assert (work / "tries").read_text() == "x" * tries
    step = json.loads(batchwork("status", "--json").stdout)["steps"]["a"]
    if code:
        assert step["error"]["message"].endswith("ended before it was ready: ended with exit code 9 (tried 3 times)")
    else:
        assert step["counts"]["succeeded"] == 2


def test_a_worker_that_is_killed_before_it_is_ready_is_replaced(work: Path, batchwork: Any) -> None:
    interpreter = work / "python-killed-once"
    interpreter.write_text(f'#!/bin/sh\nmkdir killed 2>&1 && kill -9 $$\nexec "{sys.executable}" "$@"\n')
    interpreter.chmod(0o755)
    flow = {"type": "python", "interpreter": str(interpreter), "code": "return item"}
    steps = [{"name": "a", "task": "batch", "inputs": {"items": [1, 2], "max_parallel": 1, "task": flow}}]
    (work / "w.yaml").write_text(json.dumps({"steps": steps}))
    batchwork("run", "w.yaml", "--quiet")
    assert (work / "killed").is_dir()
    assert json.loads(batchwork("status", "--json").stdout)["steps"]["a"]["counts"]["succeeded"] == 2
