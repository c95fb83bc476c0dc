"""What the benchmarks share: running a program to its end with its time, memory and outcome; medians. No benchmark is here."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

BATCHWORK = str(Path(sys.executable).with_name("batchwork"))


@dataclass(frozen=True, slots=True)
class Ran:
    """`rss_main` and `rss_tree` are peaks in MiB: of the program itself, and of it and all it started together."""

    seconds: float
    code: int
    output: str
    rss_main: float
    rss_tree: float


def run(command: Sequence[str], cwd: str | Path, watch: bool = True) -> Ran:
    """Run a command to its end. With `watch`, memory is sampled ten times a second."""
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        peaks = [0.0, 0.0]
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, over), daemon=True)
        if watch:
            watcher.start()
        output, errors = process.communicate()
        seconds = time.perf_counter() - started
        over.set()
    if process.returncode not in (0, 3):
        sys.stderr.write(errors[-2000:])
    return Ran(seconds, process.returncode, output, peaks[0], peaks[1])


def _watch(pid: int, peaks: list[float], over: threading.Event) -> None:
    while not over.wait(0.1):
        try:
            top = psutil.Process(pid)
            sizes = [top.memory_info().rss]
            for child in top.children(recursive=True):
                with suppress(psutil.Error):  # it has just ended
                    sizes.append(child.memory_info().rss)
        except psutil.Error:
            continue
        peaks[0] = max(peaks[0], sizes[0] / 2**20)
        peaks[1] = max(peaks[1], sum(sizes) / 2**20)


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
