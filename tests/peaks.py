"""The most memory that a process and those below it have ever held, as the kernel remembers it. No test is here."""

from __future__ import annotations

import re
from pathlib import Path

import psutil

_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


class Peaks:
    """Peaks of resident memory in MiB: of processes looked at, and of the largest below them."""

    def __init__(self) -> None:
        self.coordinator = self.worker = 0.0
        self._looks = 0

    def look(self, pid: int) -> None:
        """Take in what a process and, now and then, those below it have held. One that has ended is passed over."""
        self.coordinator = max(self.coordinator, peak_of(pid))
        self._looks += 1
        if self._looks % 20 == 1:
            self.worker = max(self.worker, *map(peak_of, below(pid)), 0.0)


def peak_of(pid: int) -> float:
    """MiB; 0 where there is no such process any more."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def below(pid: int) -> list[int]:
    """All processes that a process and its children have begun and that are there."""
    try:
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
