"""A million items of which 99 in 100 are done when the run is killed: seconds until `resume` begins the first new one; and `retry`.

usage: python benchmarks/coming_back.py [ROUNDS]
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from contest.alone import alone
from contest.works import FLOW, Command, Contender, Way, Work, counted, part

RESUMED = """
steps:
  - name: work
    task: batch
    inputs:
      items: {items}
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: |
          import os, signal, time
          resumed = os.path.exists("began")
          new = [resumed]
        code: |
          if new[0]:
              new[0] = False
              open("first", "a").close()
          if {last} <= int(item) < {count} and not resumed:
              os.kill(int(open("pid").read()), signal.SIGKILL)
              time.sleep(60)
          return item
"""
FAILING = """
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      max_parallel: 2
      continue_on_error: true
      task: {{type: python, code: "raise ValueError(item)"}}
"""
QUIET = "--progress off > /dev/null 2>&1"
LINES = """
import sys
count = int(sys.argv[1])
open("items.txt", "w").write("".join(f"{number}\\n" for number in range(count)))
"""
EDIT = """
lines = open("items.txt").read().split()
lines[23] = "100000023"
del lines[17]
open("items.txt", "w").write("\\n".join(["100000000", *lines]) + "\\n")
"""


def works(share: float = 1.0) -> Iterator[Work]:
    """Items from a range, from a file, from a file that changes in between; failed items once more."""
    count = part(1_000_000, share)
    lines = "{from: lines, path: items.txt}"
    yield resumed("resume", "from a range", count, f"{{from: range, stop: {count}}}", 1.0)
    yield resumed("resume-lines", "lines of a file", count, lines, 1.0)
    yield resumed("resume-changed", "lines of a file that has changed", count, lines, 3.0)
    yield retried(part(10_000, share))


def resumed(name: str, said: str, count: int, items: str, at_most: float) -> Work:
    """The run is killed by its first item of the last one in a hundred, which then waits to be ended; a resume's first one touches a file."""
    run = f"echo $$ > pid; exec {{batchwork}} run {FLOW} --run-id r {QUIET}"
    before: list[Command] = [("{python}", "-c", LINES, str(count)), ("sh", "-c", run), ("sleep", "2.5")]
    if name == "resume-changed":
        before.append(("{python}", "-c", EDIT))
    done = counted(more=first_new, succeeded=count, skipped=2 if name == "resume-changed" else 0)
    resume = "touch began; exec {batchwork} resume r --json --progress off"
    text = RESUMED.format(items=items, last=count * 99 // 100, count=count)
    return Work(
        name,
        f"resume with 99 % of {count:,} done, {said}",
        count,
        Contender("batchwork", ("sh", "-c", resume), {FLOW: text}, before=tuple(before), looks=done),
        asked={"s to the first new item": at_most},
        way=Way(per_run=True),
    )


def first_new(folder: Path, _output: str) -> Mapping[str, float]:
    """From the start of `resume` to the first item that had not run."""
    return {"s to the first new item": os.stat(folder / "first").st_mtime - os.stat(folder / "began").st_mtime}


def retried(count: int) -> Work:
    """Every item fails, and fails again."""
    run = f"{{batchwork}} run {FLOW} --run-id r {QUIET}"
    retry = ("{batchwork}", "retry", "r", "--json", "--progress", "off")
    done = counted(succeeded=0, failed=count)
    return Work(
        "retry",
        f"retry of {count:,} items that fail again",
        count,
        Contender("batchwork", retry, {FLOW: FAILING.format(count=count)}, before=(("sh", "-c", run),), looks=done),
        asked={"ms an item": 0.4},
    )


if __name__ == "__main__":
    alone(works)
