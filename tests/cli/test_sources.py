"""Items that are not lines of a file, as a user meets them: paths, combinations, rows of tables; also killed and gone on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., "CompletedProcess[str]"]


class Bench:
    """A workflow with one batch step; shell items write themselves into `ledger`."""

    def __init__(self, work: Path, command: Command, environ: Mapping[str, str]) -> None:
        self.work, self.command, self.environ = work, command, environ

    def write(self, items: str, task: str, settings: str = "max_parallel: 2") -> None:
        (self.work / "w.yaml").write_text(
            f"steps:\n  - name: s\n    task: batch\n    inputs:\n      items: {items}\n      {settings}\n      task: {task}\n"
        )

    def rows(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.command(*words).stdout.splitlines()]

    def results(self) -> list[Any]:
        return [row["result"] for row in self.rows("results", "--format", "jsonl")]

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self.command("status", "--json").stdout)["steps"]["s"]["counts"]
        return {name: count for name, count in counts.items() if count}

    def ledger(self) -> list[str]:
        path = self.work / "ledger"
        return path.read_text().splitlines() if path.exists() else []

    def kill_half_way(self, wait_for: Callable[..., None]) -> None:
        process = subprocess.Popen(
            ["batchwork", "run", "w.yaml"], env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: len(self.ledger()) >= 20, "20 items")
        process.kill()
        assert process.wait() == -signal.SIGKILL


@pytest.fixture
def bench(work: Path, batchwork: Command, environ: Mapping[str, str]) -> Bench:
    return Bench(work, batchwork, environ)


@pytest.mark.promise("11.30")
def test_paths_are_matched_by_key_when_a_killed_run_goes_on(bench: Bench, wait_for: Callable[..., None]):
    folder = bench.work / "in"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03} ü").touch()
    bench.write("{from: glob, pattern: 'in/*'}", "{type: shell, command: 'echo {{ item }} >> ledger; sleep 0.01'}")
    bench.kill_half_way(wait_for)
    (folder / "new").touch()
    (folder / "099 ü").unlink()
    bench.command("resume")
    done = Counter(bench.ledger())
    assert {*done} == {f"in/{number:03} ü" for number in range(99)} | {"in/new"}
    assert sum(done.values()) - len(done) <= 2, "no more were run twice than ran at the kill"
    assert bench.counts() == {"total": 100, "succeeded": 100}


def test_two_hundred_thousand_paths_take_little_memory(bench: Bench):
    for number in range(200):
        folder = bench.work / f"in/{number:03}"
        folder.mkdir(parents=True)
        for name in range(1000):
            os.close(os.open(folder / f"{name:03}.txt", os.O_CREAT | os.O_WRONLY))
    peaks = []
    for pattern in ("in/000/*", "in/**/*.txt"):
        bench.write(f"{{from: glob, pattern: '{pattern}'}}", "{type: python, code: 'return None'}")
        process = subprocess.Popen(["batchwork", "run", "w.yaml", "--quiet"], env=bench.environ)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
    assert bench.counts() == {"total": 200_000, "succeeded": 200_000}
    assert peaks[1] - peaks[0] < 40 * 1024, f"KiB: {peaks}"


@pytest.mark.promise("9.47")
def test_what_there_is_is_listed(bench: Bench):
    rows = {row["source"]: row for row in bench.rows("sources", "--json")}
    assert [field["name"] for field in rows["glob"]["fields"]] == ["pattern", "sort", "type", "exclude", "hidden"]
    assert rows["range"]["fields"][2]["default"] == "default 1"
    assert "sort (true/false, default true)" in bench.command("sources", "glob").stdout
    said = bench.command("sources", "globe", expect=2).stderr
    assert "there is no item source `globe`" in said
    assert "`glob`" in said
