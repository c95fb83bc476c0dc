"""A million no-op items, `kill -9` at half, one `resume`: seconds until the first new item starts, and what came out.

usage: python benchmarks/resume_million.py [COUNT]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from measuring import BATCHWORK, folder, load, run

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      parallel: true
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: |
          import os
          ledger = os.open(os.environ["LEDGER"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        code: |
          os.write(ledger, b"%d\\n" % item)
          return item
"""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(load())
    with folder() as cwd:
        ledger = Path(cwd, "ledger")
        os.environ["LEDGER"] = str(ledger)
        Path(cwd, "bench.yaml").write_text(FLOW.format(count=count))
        with subprocess.Popen(
            [BATCHWORK, "run", "bench.yaml", "--run-id", "r1", "--progress", "off"], cwd=cwd, stdout=subprocess.DEVNULL
        ) as process:
            while not ledger.exists() or ledger.read_bytes().count(b"\n") < count // 2:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        time.sleep(0.5)
        before = ledger.stat().st_size
        half = ledger.read_bytes().count(b"\n")
        started = time.perf_counter()
        with subprocess.Popen(
            [BATCHWORK, "resume", "r1", "--progress", "off"], cwd=cwd, stdout=subprocess.DEVNULL
        ) as process:
            while ledger.stat().st_size == before:
                time.sleep(0.005)
            first = time.perf_counter() - started
            process.wait()
        total = time.perf_counter() - started
        lines = ledger.read_bytes().split()
        status = json.loads(run([BATCHWORK, "status", "r1", "--json"], cwd, watch=False).output)
        counts = status["steps"]["work"]["counts"]
        assert process.returncode == 0, process.returncode
        assert counts["succeeded"] == count, counts
        assert len(set(lines)) == count, len(set(lines))
        print(
            f"{count:,} items, killed with {half:,} run: the first new item "
            f"{first:.2f} s after `resume`, finished after {total:.2f} s, {len(lines) - count:,} items run twice"
        )


if __name__ == "__main__":
    main()
