"""`kill -9` while the file of results is written: it is never seen in part, and a resume writes it anew."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from places import BIN

FLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: {from: range, stop: 3000}
      max_parallel: 2
      task:
        type: python
        code: |
          import os, time
          while item == 2000 and not os.path.exists("go"):
              time.sleep(0.01)
          return item * 3
      results: {to: t.csv, failed: {to: failed.jsonl}}
"""


def start(folder: Path, *words: str, fault: str = "") -> subprocess.Popen[bytes]:
    testing = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": fault} if fault else {}
    return subprocess.Popen(
        [BIN / "batchwork", *words],
        cwd=folder,
        env={**os.environ, **testing},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def check(folder: Path) -> None:
    with (folder / "t.csv").open(newline="") as file:
        assert [int(row["result"]) for row in csv.DictReader(file)] == [at * 3 for at in range(3000)]
    assert (folder / "failed.jsonl").read_bytes() == b""
    assert sorted(os.listdir(folder)) == [".batchwork", "failed.jsonl", "flow.yaml", "go", "t.csv"]


@pytest.mark.promise("8.08")
@pytest.mark.parametrize("point", ["results.write", "results.written", "step.end", "finalise"])
def test_killed_at_the_end_of_the_file(tmp_path: Path, point: str) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "go").touch()
    killed = start(tmp_path, "run", "flow.yaml", "--run-id", "r1", fault=f"{point}:kill9@1")
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    assert (tmp_path / "t.csv").exists() == (point != "results.write")
    resumed = start(tmp_path, "resume", "r1")
    said = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, said
    check(tmp_path)


@pytest.mark.promise("8.08")
def test_killed_while_the_part_grows(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    part = tmp_path / "t.csv.part"
    run = start(tmp_path, "run", "flow.yaml", "--run-id", "r1")
    wait_for(lambda: part.exists() and part.stat().st_size > 10_000, "a part that grows")
    run.kill()
    run.communicate()
    assert part.exists()
    assert not (tmp_path / "t.csv").exists()
    (tmp_path / "go").touch()
    resumed = start(tmp_path, "resume", "r1")
    said = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, said
    check(tmp_path)
