"""A reactor that is killed before it is ready: it is started anew, and the run ends as if nothing had been."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

FLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: [1, 2, 3]
      max_parallel: 2
      task: {type: shell, command: "echo {{ item }}"}
"""


def workers(process: int) -> list[psutil.Process]:
    """What a run has started, its guardian excepted."""
    try:
        children = psutil.Process(process).children()
        return [
            child for child in children if not any("batchwork.workers.guardian" in word for word in child.cmdline())
        ]
    except psutil.Error:
        return []


def test_a_reactor_that_is_killed_before_it_is_ready_is_started_anew(
    tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    (tmp_path / "w.yaml").write_text(FLOW)
    run = subprocess.Popen(
        [Path(sys.executable).parent / "batchwork", "run", "w.yaml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    killed = set[int]()

    def kill_some() -> bool:
        for worker in workers(run.pid):
            if worker.pid not in killed:
                killed.add(worker.pid)
                worker.kill()
        return len(killed) >= 2 or run.poll() is not None

    wait_for(kill_some, "two reactors to kill")
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert "3 succeeded" in said
