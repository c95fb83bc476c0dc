"""A run on a real (pseudo) terminal: bars, the key Ctrl-C, a terminal that goes away."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]
BIN = Path(sys.executable).parent / "batchwork"

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {from: range, stop: 400}
      max_parallel: 4
      task: {task: shell, command: "sleep 0.1; echo {{ item }} >> done"}
"""


class Terminal:
    """A program on a terminal of its own, 80 columns wide."""

    def __init__(self, argv: list[str], environ: Mapping[str, str]) -> None:
        self.shown = ""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, {**environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"})

    def read_until(self, pattern: str, within_s: float = 60) -> None:
        """Read what is shown until `pattern` is there."""
        while not re.search(pattern, self.shown):
            ready, _, _ = select.select([self._master], [], [], within_s)
            assert ready, f"{pattern} is not in {self.shown[-2000:]!r}"
            self.shown += self._read()

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait(self) -> int:
        """The exit code; what is shown is read to its end."""
        while text := self._read():
            self.shown += text
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def hang_up(self) -> int:
        """The terminal is gone; the exit code."""
        os.close(self._master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> str:
        try:
            return os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # Linux says EIO when nobody is at the other end any more
            return ""


@pytest.fixture
def terminal(work: Path, environ: Mapping[str, str]) -> Iterator[Terminal]:
    (work / "flow.yaml").write_text(FLOW)
    found = Terminal([str(BIN), "run", "flow.yaml"], environ)
    yield found
    if Path(f"/proc/{found.pid}").exists():
        os.kill(found.pid, signal.SIGKILL)


@pytest.mark.promise("9.25")
def test_a_bar_and_ctrl_c(terminal: Terminal, batchwork: Command, work: Path) -> None:
    terminal.read_until(r"work ━+─+ +\d+ % \d+/400 ")
    terminal.press("\x03")
    terminal.read_until("press Ctrl-C again to stop them")
    assert terminal.wait() == 130
    assert "interrupted in" in terminal.shown and "batchwork resume" in terminal.shown
    longest = max(len(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line)) for line in re.split(r"[\r\n]+", terminal.shown))
    assert longest <= 80
    counts = json.loads(batchwork("status", "--json").stdout)["steps"]["work"]["counts"]
    assert counts["succeeded"] == len((work / "done").read_text().split())
    assert counts["in_doubt"] == 0


@pytest.mark.fault("B05")
@pytest.mark.promise("9.22")
def test_a_terminal_that_goes_away_is_sigterm(terminal: Terminal, batchwork: Command, work: Path) -> None:
    terminal.read_until(r" % \d+/400 ")
    assert terminal.hang_up() == 143
    counts = json.loads(batchwork("status", "--json").stdout)["steps"]["work"]["counts"]
    assert 0 < counts["succeeded"] == len((work / "done").read_text().split())
