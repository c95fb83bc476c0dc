"""A large run as it is measured: once without a stop, once killed at random moments and resumed. No test is here."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from killing import Wait, kill_when
from peaks import Peaks
from places import BIN

LARGE = bool(os.environ.get("BATCHWORK_LARGE"))
"""Whether runs have the sizes that are promised (`make large`), or those of every day."""
KILLS = 2
MOST_S = 3600.0


class Figures(NamedTuple):
    """What a run took: seconds of all its processes one after another, MiB at the peak, kills."""

    seconds: float
    coordinator: float
    worker: float
    kills: int


class LargeRun:
    """A workflow with one step, in a folder of its own; `out` is the file of its results."""

    def __init__(self, folder: Path, environ: Mapping[str, str], wait_for: Wait) -> None:
        folder.mkdir()
        self.folder, self.environ, self._wait_for = folder, environ, wait_for
        self.out = folder / "out.parquet"
        self.peaks = Peaks()

    def write(self, items: str, code: str, key: str = "") -> None:
        """`code` is that of a Python task."""
        lines = "".join(f"          {line}\n" for line in code.splitlines())
        (self.folder / "w.yaml").write_text(
            f"steps:\n  - name: s\n    task: batch\n    inputs:\n      items: {items}\n{key}      max_parallel: 2\n"
            f"      results: {{to: out.parquet, join: true}}\n      task:\n        type: python\n        code: |\n{lines}"
        )

    @property
    def stored(self) -> int:
        """Bytes in the store: they grow with what is recorded."""
        return sum(path.stat().st_size for path in self.folder.glob(".batchwork/state.db"))

    def whole(self) -> Figures:
        """Run it without a stop."""
        began = time.monotonic()
        process = self._start("run", "w.yaml", "--run-id", "r1")
        self._to_its_end(process)
        return self._figures(time.monotonic() - began, 0)

    def killed(self, stored: int) -> Figures:
        """Run it, kill it KILLS times on the way to the size that its store will have, resume it."""
        chance = random.Random()
        words, kills, began = ["run", "w.yaml", "--run-id", "r1"], 0, time.monotonic()
        for part in range(KILLS):
            share = (part + chance.uniform(0.2, 0.9)) / KILLS
            process = self._start(*words)
            if not kill_when(process, lambda: self._is_at(process, share * stored), self._wait_for, MOST_S):
                break
            kills += 1
            words = ["resume", "r1"]
        self._to_its_end(self._start(*words))
        return self._figures(time.monotonic() - began, kills)

    def _is_at(self, process: subprocess.Popen[bytes], size: float) -> bool:
        self.peaks.look(process.pid)
        return self.stored >= size

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "said").open("ab") as said:
            command = [str(BIN / "batchwork"), *words, "--quiet"]
            return subprocess.Popen(command, cwd=self.folder, env=self.environ, stdout=said, stderr=said)

    def _to_its_end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            self._wait_for(lambda: self.peaks.look(process.pid) or process.poll() is not None, "the end", MOST_S)
        finally:
            process.kill()
        assert process.wait() == 0, (self.folder / "said").read_text()

    def _figures(self, seconds: float, kills: int) -> Figures:
        return Figures(seconds, self.peaks.coordinator, self.peaks.worker, kills)


def told(what: str, count: int, figures: Figures) -> None:
    """Print what `make large` shows."""
    print(
        f"\n{what}: {count:,} in {figures.seconds:.1f} s, {count / figures.seconds:,.0f}/s, coordinator "
        f"{figures.coordinator:.0f} MiB, largest worker {figures.worker:.0f} MiB, kills {figures.kills}, "
        f"load {os.getloadavg()[0]:.1f}"
    )
