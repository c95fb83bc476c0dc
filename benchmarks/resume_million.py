"""A million items, `kill -9` at half, one `resume`: seconds until the first new item starts, and what came out.

usage: python benchmarks/resume_million.py [COUNT]

Three times: items from a range; lines of a file; lines of a file that changes between (one put in front, one removed, one
changed). What must come out is checked: every item recorded, nothing lost, nothing run again but what was claimed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from measuring import BATCHWORK, folder, load, run

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {items}
      parallel: true
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: |
          import os
          ledger = os.open(os.environ["LEDGER"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        code: |
          os.write(ledger, b"%d\\n" % int(item))
          return item
"""
NEW, REMOVED, CHANGED = 10_000_000, 17, 23


def change(file: Path) -> None:
    """Put a line in front, remove one, change one."""
    lines = file.read_text().split()
    lines[CHANGED] = str(NEW + CHANGED)
    del lines[REMOVED]
    file.write_text("\n".join([str(NEW), *lines]) + "\n")


def killed_at_half(cwd: Path, ledger: Path, count: int) -> int:
    """Run, kill; how many items had run."""
    with subprocess.Popen(
        [BATCHWORK, "run", "bench.yaml", "--run-id", "r1", "--progress", "off"], cwd=cwd, stdout=subprocess.DEVNULL
    ) as process:
        while not ledger.exists() or ledger.read_bytes().count(b"\n") < count // 2:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    time.sleep(0.5)  # its workers end by themselves
    return ledger.read_bytes().count(b"\n")


def measure(name: str, items: str, count: int, edit: Callable[[Path], None] | None = None) -> None:
    with folder() as cwd:
        ledger = Path(cwd, "ledger")
        os.environ["LEDGER"] = str(ledger)
        Path(cwd, "items.txt").write_text("".join(f"{number}\n" for number in range(count)))
        Path(cwd, "bench.yaml").write_text(FLOW.format(items=items))
        half = killed_at_half(cwd, ledger, count)
        if edit is not None:
            edit(Path(cwd, "items.txt"))
        before = ledger.stat().st_size
        started = time.perf_counter()
        with subprocess.Popen(
            [BATCHWORK, "resume", "r1", "--progress", "off"], cwd=cwd, stdout=subprocess.DEVNULL
        ) as process:
            while ledger.stat().st_size == before:
                time.sleep(0.005)
            first = time.perf_counter() - started
            process.wait()
        total = time.perf_counter() - started
        times = Counter(ledger.read_bytes().split())
        status = json.loads(run([BATCHWORK, "status", "r1", "--json"], cwd).output)
        counts = status["steps"]["work"]["counts"]
        assert process.returncode == 0, process.returncode
        gone, new = (2, 2) if edit is not None else (0, 0)
        assert counts["succeeded"] == count - gone + new, counts
        assert counts["skipped"] == gone, counts
        assert len(times) == count + new, len(times)
        print(
            f"{name}: {count:,} items, killed with {half:,} run: the first new item {first:.2f} s after `resume`, "
            f"finished after {total:.2f} s, {times.total() - len(times):,} items run twice"
        )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(load())
    measure("range", f"{{from: range, stop: {count}}}", count)
    measure("lines", "{from: lines, path: items.txt}", count)
    measure("lines, changed", "{from: lines, path: items.txt}", count, change)


if __name__ == "__main__":
    main()
