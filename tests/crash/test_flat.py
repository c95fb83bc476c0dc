"""A long run with failures and retries takes no more of anything at its end than in its middle."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median_low as median
from typing import NamedTuple

import psutil
import pytest

from places import BIN

COUNT, SHARE, WORKERS = 100_000, 20, 2
WORKFLOW = f"""
name: flat
steps:
  - name: s
    task: batch
    retry: {{max_attempts: 2, delay: 0s}}
    inputs:
      items: {{from: range, count: {COUNT}}}
      max_parallel: {WORKERS}
      continue_on_error: true
      task:
        type: python
        code: |
          if item % {SHARE} == 0:
              raise ValueError("this one never works")
"""
SAMPLE_S = 0.01
MARGIN = 2 << 20
"""Bytes by which the peak may move from one part of a run to the next: pages that the allocator keeps, no more."""


class Sample(NamedTuple):
    rss: int
    descriptors: int
    threads: int


def samples_of(run: subprocess.Popen[str]) -> list[Sample]:
    """What the coordinator holds, seen from outside while both its workers run: neither its start nor its report."""
    coordinator = psutil.Process(run.pid)
    taken: list[Sample] = []
    while run.poll() is None:
        try:
            with coordinator.oneshot():
                sample = Sample(coordinator.memory_info().rss, coordinator.num_fds(), coordinator.num_threads())
            if len(coordinator.children()) > WORKERS:  # beside them, their guardian
                taken.append(sample)
        except psutil.Error:  # it has just ended
            break
        time.sleep(SAMPLE_S)
    run.wait(timeout=60)
    return taken


def thirds(samples: list[Sample]) -> tuple[list[Sample], list[Sample], list[Sample]]:
    third = len(samples) // 3
    return samples[:third], samples[third : 2 * third], samples[2 * third :]


@pytest.fixture
def sampled(work: Path, environ: Mapping[str, str]) -> list[Sample]:
    (work / "w.yaml").write_text(WORKFLOW)
    with (work / "out").open("w") as out:
        run = subprocess.Popen([str(BIN / "batchwork"), "run", "w.yaml"], cwd=work, env=environ, stdout=out, stderr=out)
        try:
            samples = samples_of(run)
        finally:
            run.kill()
    assert run.returncode == 3, (work / "out").read_text()
    return samples


def test_memory_descriptors_and_threads_stay_flat_where_items_fail_and_are_tried_again(
    sampled: list[Sample], batchwork
) -> None:
    step = json.loads(batchwork("status", "--json").stdout)["steps"]["s"]
    failed = COUNT // SHARE
    assert (step["counts"]["succeeded"], step["counts"]["failed"]) == (COUNT - failed, failed)
    assert len(sampled) >= 15, "too few samples to compare parts of the run"
    _, middle, last = thirds(sampled)
    assert max(sample.rss for sample in last) <= max(sample.rss for sample in middle) + MARGIN
    for name in ("descriptors", "threads"):  # their usual number: a file may be read just when it is looked
        usual_then, usual_now = (median(getattr(sample, name) for sample in part) for part in (middle, last))
        assert usual_now == usual_then, name
