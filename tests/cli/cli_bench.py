"""A workflow with one batch step, as tests of sources run it by the real command. No test is here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from killing import kill_when

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
        assert kill_when(process, lambda: len(self.ledger()) >= 20, wait_for)


def bench_in(work: Path, command: Command, environ: Mapping[str, str]) -> Bench:
    """One in a folder."""
    return Bench(work, command, environ)
