"""No-op Python items from a range, every one recorded: items a second and peak memory at 100,000 and 1,000,000.

usage: python benchmarks/noop_items.py [ROUNDS]     beside it a bare ProcessPoolExecutor.map with chunks of 1,000, which records nothing
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor

from measuring import batchwork, folder, load, median, rounds

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      parallel: true
      max_parallel: 2
      continue_on_error: true
      task: {{type: python, code: "return item * 2"}}
"""


def double(item: int) -> int:
    return item * 2


def bare(count: int) -> float:
    started = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        for _ in pool.map(double, range(count), chunksize=1000):
            pass
    return time.perf_counter() - started


def main() -> None:
    print(load())
    for count in (100_000, 1_000_000):
        ours, peers, mains, trees = [], [], [], []
        for _ in range(rounds(3)):
            peers.append(bare(count))
            with folder() as cwd:
                ran, counts = batchwork(FLOW.format(count=count), cwd=cwd)
            assert ran.code == 0, ran
            assert counts["work"]["succeeded"] == count, counts
            ours.append(ran.seconds)
            mains.append(ran.rss_main)
            trees.append(ran.rss_tree)
        print(
            f"{count:>9,} items: {count / median(ours):>9,.0f} items/s (whole process, {median(ours):.2f} s), "
            f"{median(peers) / median(ours):.2f} of a bare pool; peak RSS {max(mains):.0f} MiB itself, "
            f"{max(trees):.0f} MiB with its workers"
        )


if __name__ == "__main__":
    main()
