"""A workflow whose items leave a trace of each moment that they run, and what must hold of the traces."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCHWORK = str(Path(sys.executable).with_name("batchwork"))
DEADLINE_S = 60.0
CODE = """
        import os, time, uuid
        me = uuid.uuid4().hex[:12]
        def note(mark):
            ledger = os.open(os.environ["LEDGER"], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            os.write(ledger, f"{item} {me} {mark}\\n".encode())
            os.close(ledger)
        note("+")
        until = time.monotonic() + float(os.environ["ITEM_S"])
        while time.monotonic() < until:
            time.sleep(0.01)
            note(".")
        note("-")
        return item * 3
"""
FLOW = """
name: traced
params: {{count: 10}}
env: {{LEDGER: "{ledger}", ITEM_S: "{item_s}"}}
steps:
  - name: work
    type: batch
    inputs:
      items: {{from: range, stop: "{{{{ params.count }}}}"}}
      parallel: true
      task:
        type: python
        code: |{code}
"""


class Rig:
    """A folder with the workflow, runs of it, and the ledger. `executor` and further words go to every run and resume."""

    def __init__(self, folder: Path, executor: str, count: int, item_s: float, *words: str) -> None:
        self.folder, self._count = folder, count
        self.environ: dict[str, str] = {}
        self._words = ["--executor", executor, *words]
        self.ledger = folder / "ledger"
        code = CODE.replace("\n        ", "\n          ")
        (folder / "flow.yaml").write_text(FLOW.format(ledger=self.ledger, item_s=item_s, code=code.rstrip()))

    # ------------------------------------------------------------ runs

    def start(self) -> subprocess.Popen[str]:
        return self._popen("run", "flow.yaml", f"count={self._count}", *self._words)

    def resume(self) -> subprocess.Popen[str]:
        return self._popen("resume", *self._words)

    def _popen(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [BATCHWORK, *words, "--progress", "lines"],
            cwd=self.folder,
            env={**os.environ, **self.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command in the same folder."""
        return subprocess.run(
            [BATCHWORK, *words], cwd=self.folder, capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )

    def items(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("items", "--json").stdout.splitlines()]

    # ------------------------------------------------------------ the ledger

    def lines(self) -> list[tuple[str, str, str]]:
        """(item, execution, mark) in the order in which they were written."""
        if not self.ledger.exists():
            return []
        found = []
        for line in self.ledger.read_text(encoding="utf-8").splitlines():
            item, execution, mark = line.split(" ")
            found.append((item, execution, mark))
        return found

    def executions(self) -> dict[str, list[str]]:
        """The executions of each item, in the order in which they began."""
        found: dict[str, list[str]] = {}
        for item, execution, mark in self.lines():
            if mark == "+":
                found.setdefault(item, []).append(execution)
        return found

    def never_two_at_once(self) -> bool:
        """Whether each execution of an item was over before the next one of it began."""
        latest: dict[str, str] = {}
        ended: set[str] = set()
        for item, execution, _ in self.lines():
            if latest.get(item, execution) != execution:
                ended.add(latest[item])
            if execution in ended:
                return False
            latest[item] = execution
        return True

    def running(self) -> set[str]:
        """Items that have begun and not ended, as far as the ledger says."""
        open_items = set()
        for item, _, mark in self.lines():
            open_items.add(item) if mark != "-" else open_items.discard(item)
        return open_items

    def done(self) -> set[str]:
        return {item for item, _, mark in self.lines() if mark == "-"}


def whole(rig: Rig, count: int, twice: int) -> None:
    """All are done, at most so many of them twice, and no item ran in two places at once."""
    assert [item["status"] for item in rig.items()] == ["succeeded"] * count
    assert [item["result"] for item in rig.items()] == [3 * number for number in range(count)]
    executions = rig.executions()
    assert set(executions) == set(map(str, range(count)))
    assert sum(len(times) - 1 for times in executions.values()) <= twice
    assert rig.never_two_at_once()


OURS = ("run ", "resuming run ", "work: ", "warning: ", "error: ", "traced (", " ")
"""How lines begin that batchwork prints."""


def foreign(said: str) -> list[str]:
    """Lines that somebody else has printed."""
    return [line for line in said.splitlines() if line and not line.startswith(OURS)]


def eventually(fact: Callable[[], object], what: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


def while_running(run: subprocess.Popen[str], fact: Callable[[], object], what: str) -> None:
    """Wait until it is so; a run that ends before says what it has said."""
    eventually(lambda: fact() or run.poll() is not None, what)
    assert fact(), finish(run)[1]


def finish(run: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code and all that was printed."""
    said, _ = run.communicate(timeout=DEADLINE_S)
    return run.returncode, said


def send(pids: list[int], number: int = signal.SIGKILL) -> None:
    assert pids, "there is no such process"
    for pid in pids:
        os.kill(pid, number)
