"""With few file descriptors a run works, or ends with a message that names the limit; with more it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

TASKS = {
    "shell": '{type: shell, command: "sleep 0.05; echo {{ item }} >> ran"}',
    "python": "{type: python, code: \"open('ran', 'a').write(str(item) + chr(10))\"}",
}
WORKFLOW = """
steps:
  - name: s
    task: batch
    inputs: {items: $(seq 20), max_parallel: 10, task: TASK}
"""


@pytest.mark.fault("M10")
@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("limit", [7, 14, 20, 26, 40])
def test_with_few_descriptors_a_run_works_or_says_what_it_lacks(
    work: Path, batchwork, limit: int, kind: str, environ: dict[str, str]
) -> None:
    (work / "w.yaml").write_text(WORKFLOW.replace("TASK", TASKS[kind]))
    (work / "batchwork").write_text(f'#!/bin/sh\nulimit -n {limit}\nPATH="{environ["PATH"]}"\nexec batchwork "$@"\n')
    (work / "batchwork").chmod(0o755)
    done = batchwork("run", "w.yaml", expect=None, program=str(work / "batchwork"))
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode in (1, 4)
        assert "too many" in done.stderr.lower()
        assert "open files" in done.stderr or "files are open" in done.stderr
        batchwork("run", "w.yaml", "--resume")
    assert {*map(int, (work / "ran").read_text().split())} == set(range(1, 21))
