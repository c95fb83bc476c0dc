"""What single benchmarks share: running a program to its end with its time, memory and outcome; medians. No benchmark is here."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contest.turns import LIMIT_S, TREE

BATCHWORK = str(Path(sys.executable).with_name("batchwork"))


@dataclass(frozen=True, slots=True)
class Ran:
    """`rss_main` and `rss_tree` are peaks in MiB: of the program itself, and of it and all it started together.

    `cpu`: seconds of CPU of the program and all it started.
    """

    seconds: float
    code: int
    output: str
    rss_main: float
    rss_tree: float
    cpu: float = 0.0


def run(command: Sequence[str], cwd: str | Path) -> Ran:
    """Run a command to its end, and until all that it started has ended."""
    with tempfile.TemporaryDirectory(prefix="bench-") as beside:
        result = Path(beside, "spent.json")
        process = subprocess.run(
            [sys.executable, "-I", TREE, str(result), str(LIMIT_S), *command], cwd=cwd, capture_output=True, text=True
        )
        spent = json.loads(result.read_text())
    if spent["code"] not in {0, 3}:
        sys.stderr.write(process.stderr[-2000:])
    return Ran(
        spent["seconds"], spent["code"], process.stdout, spent["rss_main"], spent["rss_tree"], cpu=spent["cpu_s"]
    )


def batchwork(workflow: str, *options: str, cwd: str | Path) -> tuple[Ran, dict[str, dict[str, int]]]:
    """Run a workflow text; the figures, and the counts of each step as the summary says them."""
    Path(cwd, "bench.yaml").write_text(workflow)
    ran = run([BATCHWORK, "run", "bench.yaml", "--json", "--progress", "off", *options], cwd)
    summary = json.loads(ran.output) if ran.output else {"steps": {}}
    return ran, {name: step["counts"] for name, step in summary["steps"].items()}


@contextmanager
def folder() -> Iterator[Path]:
    """An empty directory, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="batchwork-bench-") as path:
        yield Path(path)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def rounds(default: int) -> int:
    """How often to measure: the first argument, else `default`."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else default


def load() -> str:
    """One line about the machine, for the record."""
    return f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
