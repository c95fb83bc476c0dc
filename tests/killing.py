"""Runs that `kill -9` ends at some moment: at the latest when they have ended by themselves. No test is here."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from typing import Any

Wait = Callable[..., None]


def kill_when(process: subprocess.Popen[Any], fact: Callable[[], object], wait_for: Wait, within_s: float = 30) -> bool:
    """Kill a process once `fact()` is true. False where it ended before."""
    wait_for(lambda: process.poll() is not None or fact(), "the moment to kill", within_s)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL
