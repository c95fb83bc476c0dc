"""3,000 `echo` shell items at 8 at once, output kept and recorded, beside `xargs -P 8`, which keeps nothing.

usage: python benchmarks/shell_items.py [ROUNDS]
"""

from __future__ import annotations

import sys

from measuring import batchwork, folder, load, median, rounds, run

COUNT, AT_ONCE = 3_000, 8
FLOW = f"""
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {COUNT}}}
      max_parallel: {AT_ONCE}
      task: {{type: shell, command: "echo Processing {{{{ item }}}}"}}
"""
XARGS = f"seq 0 {COUNT - 1} | xargs -P {AT_ONCE} -I{{}} sh -c 'echo Processing {{}}' > /dev/null"


def main() -> None:
    print(load())
    ours, peers = [], []
    for _ in range(rounds(5)):
        with folder() as cwd:
            peers.append(run(["sh", "-c", XARGS], cwd, watch=False).seconds)
            ran, counts = batchwork(FLOW, cwd=cwd)
        assert ran.code == 0, ran
        assert counts["work"]["succeeded"] == COUNT, counts
        ours.append(ran.seconds)
        sys.stderr.write(f"  xargs {peers[-1]:.2f} s, batchwork {ours[-1]:.2f} s\n")
    ratio = median([peer / our for peer, our in zip(peers, ours, strict=True)])
    print(f"{COUNT:,} shell items at {AT_ONCE}: {COUNT / median(ours):,.0f} items/s, {ratio:.2f} of xargs -P {AT_ONCE}")


if __name__ == "__main__":
    main()
