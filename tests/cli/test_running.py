"""A run that runs, looked at from outside: which items are at work, since when, and what they have printed so far."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]
WaitFor = Callable[..., None]

SHELL = 'echo "begun with $TOKEN"; touch started; while [ ! -e go ]; do sleep 0.05; done; echo "and done"'
PYTHON = "import os, time\\nprint('begun with', os.environ['TOKEN'], flush=True)\\nopen('started', 'w')\\nwhile not os.path.exists('go'): time.sleep(0.05)\\nprint('and done')"
TASKS = {
    "shell": {"type": "shell", "command": SHELL},
    "python": {"type": "python", "code": PYTHON.replace("\\n", "\n")},
}


@contextmanager
def running(tmp_path: Path, environ: Mapping[str, str], task: object) -> Iterator[subprocess.Popen[bytes]]:
    flow = {
        "secrets": ["TOKEN"],
        "steps": [
            {
                "name": "work",
                "task": "batch",
                "inputs": {"items": ["stuck"], "key": "the-{{ item }}", "max_parallel": 2, "task": task},
            }
        ],
    }
    (tmp_path / "flow.yaml").write_text(json.dumps(flow))
    process = subprocess.Popen(
        ["batchwork", "run", "flow.yaml", "--quiet"], cwd=tmp_path, env={**environ, "TOKEN": "cnry-9f3a77"}
    )
    try:
        yield process
    finally:
        (tmp_path / "go").touch()
        process.wait(60)


@pytest.mark.parametrize("kind", sorted(TASKS))
@pytest.mark.promise("9.06", "9.08", "9.09")
def test_what_runs_is_listed_with_what_it_has_printed(
    kind: str, batchwork: Command, tmp_path: Path, environ: Mapping[str, str], wait_for: WaitFor
) -> None:
    def listed() -> list[str]:
        rows = map(json.loads, batchwork("items", "--status", "running", "--json", cwd=tmp_path).stdout.splitlines())
        return [row["key"] for row in rows if row["duration"] > 0 and row["attempts"] == 1]

    with running(tmp_path, environ, TASKS[kind]) as process:
        wait_for((tmp_path / "started").exists, "the item has started")
        wait_for(lambda: listed() == ["the-stuck"], "it is listed as running")
        wait_for(lambda: "begun with ***" in batchwork("logs", "the-stuck", cwd=tmp_path).stdout, "what it has printed")
        assert "item: null" not in batchwork("logs", "the-stuck", cwd=tmp_path).stdout
        counts = json.loads(batchwork("status", "--json", cwd=tmp_path).stdout)["steps"]["work"]["counts"]
        assert (counts["running"], counts["pending"], counts["total"]) == (1, 1, 1)
        assert "running   the-stuck (" in batchwork("status", cwd=tmp_path).stdout
        assert b"cnry-9f3a77" not in b"".join(
            file.read_bytes() for file in (tmp_path / ".batchwork").rglob("state*") if file.is_file()
        )
        follower = subprocess.Popen(
            ["batchwork", "logs", "-f", "the-stuck"], cwd=tmp_path, env=dict(environ), stdout=subprocess.PIPE, text=True
        )
        assert follower.stdout is not None
        first = follower.stdout.readline()
        assert first.startswith("step work, index 0, key the-stuck: running for ")
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
        rest, _ = follower.communicate(timeout=60)
        assert rest.splitlines()[-1] == "the-stuck: succeeded"
    assert batchwork("items", "--status", "running", cwd=tmp_path).stdout.splitlines()[1:] == []
    assert "and done" in batchwork("logs", "the-stuck", cwd=tmp_path).stdout


def test_a_killed_run_has_nothing_running(
    batchwork: Command, tmp_path: Path, environ: Mapping[str, str], wait_for: WaitFor
) -> None:
    def rows(status: str) -> int:
        return len(batchwork("items", "--status", status, "--json", cwd=tmp_path).stdout.splitlines())

    with running(tmp_path, environ, TASKS["shell"]) as process:
        wait_for((tmp_path / "started").exists, "the item has started")
        wait_for(lambda: rows("running") == 1, "it is listed as running")
        process.kill()
        process.wait()
        wait_for(lambda: rows("in_doubt") == 1, "what ran when it was killed is in doubt")
        assert rows("running") == 0
