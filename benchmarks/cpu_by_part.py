"""Where the CPU time of an item goes: coordinator, writer, reading ahead, workers or reactor, commands. Microseconds an item.

usage: python benchmarks/cpu_by_part.py [ROUNDS] [--only TEXT] [--page docs/explanation/speed.md]

Each figure is the difference between a large and a small run, divided by the items between them: what a start costs is not in it.
The clock says little here, CPU time does, also on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from contest.alone import machine
from contest.table import merged
from http_items import serving
from measuring import folder, median

CHILD = "--child"
PARTS = ("coordinator", "writer", "reading", "main", "workers", "commands")
HEAD = ("item", *PARTS, "all")
FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {items}
      max_parallel: {at_once}
      {how}
      task: {{{task}}}
"""
RANGE = "{{from: range, stop: {count}}}"
GET = "a GET, 64 at once"
JSONL = "{{from: jsonl, path: rows.jsonl}}"
LINES = "{{from: lines, path: lines.txt}}"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of work: its sizes, its items, its task, other inputs."""

    small: int
    large: int
    task: str = 'type: python, code: "return item"'
    items: str = RANGE
    how: str = ""
    at_once: int = 2
    durability: str = "full"


FORMS = {
    "Python that does nothing, from a range": Form(20_000, 300_000),
    "… `--durability fast`": Form(20_000, 300_000, durability="fast"),
    "… `parallel: false`": Form(10_000, 100_000, how="parallel: false", at_once=1),
    "… `each: batch`, 1,000 in a batch": Form(
        100_000, 2_000_000, 'type: python, code: "return sum(item)"', how="batch_size: 1000\n      each: batch"
    ),
    "… written in the YAML file": Form(2_000, 20_000, items="{listed}"),
    "… lines of a command": Form(20_000, 200_000, items="$(seq {count})"),
    "… lines of a file": Form(20_000, 300_000, items=LINES),
    "… rows of JSON, no `key`": Form(20_000, 200_000, items=JSONL),
    "… rows of JSON, a `key`": Form(20_000, 200_000, items=JSONL, how='key: "{{{{ item.id }}}}"'),
    "Python with a result of 1 KB": Form(10_000, 100_000, "type: python, code: \"return 'x' * 1000\""),
    "Python that prints a line": Form(10_000, 100_000, 'type: python, code: "print(item)"'),
    "Python that fails": Form(5_000, 25_000, 'type: python, code: "raise ValueError(item)"'),
    "… and fails once more, `retry: 2`": Form(
        5_000, 25_000, 'type: python, code: "raise ValueError(item)"', how="retry: 2"
    ),
    "`echo`": Form(20_000, 100_000, 'type: echo, message: "{{{{ item }}}}"', at_once=8),
    "a command, 8 at once": Form(200, 3_000, 'type: shell, command: "echo {{{{ item }}}}"', at_once=8),
    "… 100 at once": Form(200, 3_000, 'type: shell, command: "echo {{{{ item }}}}"', at_once=100),
    "… that fails": Form(200, 3_000, 'type: shell, command: "exit 1"', at_once=8),
    GET: Form(500, 8_000, 'type: http_request, url: "{base}{{{{ item }}}}"', at_once=64),
}


def child(flow: str, durability: str) -> None:
    """Run the workflow in this process; print CPU seconds by part."""
    import batchwork

    parts = dict.fromkeys(PARTS, 0.0)
    _count_threads(parts)
    own = _Processes()
    own.start()
    began = time.thread_time()
    with batchwork.run(flow, durability=durability):
        parts["main"] += time.thread_time() - began
    own.over.set()
    own.join()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    parts["workers"] = own.seconds()
    parts["commands"] = max(0.0, usage.ru_utime + usage.ru_stime - parts["workers"])
    print(json.dumps(parts))
    sys.stdout.flush()
    os._exit(0)


def _count_threads(parts: dict[str, float]) -> None:
    """Have each thread add its CPU time to its part when it ends."""
    usual = threading.Thread.run

    def run(thread: threading.Thread) -> None:
        try:
            usual(thread)
        finally:
            kind = thread.name.split()[0]
            part = {"step": "coordinator", "store-writer": "writer", "items": "reading"}.get(kind)
            if part:
                parts[part] += time.thread_time()

    threading.Thread.run = run  # type: ignore[method-assign]


class _Processes(threading.Thread):
    """Reads the CPU time of the processes right below this one, forty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="watch")
        self.over, self._found = threading.Event(), dict[str, int]()

    def run(self) -> None:
        while not self.over.wait(0.025):
            for task in Path("/proc/self/task").glob("*/children"):
                for pid in task.read_text().split():
                    self._look(pid)

    def _look(self, pid: str) -> None:
        try:
            fields = Path("/proc", pid, "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            return
        self._found[pid] = int(fields[11]) + int(fields[12])

    def seconds(self) -> float:
        return sum(self._found.values()) / os.sysconf("SC_CLK_TCK")


def spent(form: Form, count: int, names: Mapping[str, str]) -> dict[str, float]:
    """CPU seconds by part of one run."""
    with folder() as cwd:
        if "rows.jsonl" in form.items:
            row = '{{"id":"user-{0}","n":{0},"name":"Ada Lovelace","tags":["a","b"]}}\n'
            Path(cwd, "rows.jsonl").write_text("".join(row.format(number) for number in range(count)))
        Path(cwd, "lines.txt").write_text("".join(f"{number}\n" for number in range(count)))
        listed = str([*range(count)])
        items, task, how = (
            text.format(count=count, listed=listed, **names) for text in (form.items, form.task, form.how)
        )
        if "continue_on_error" not in how:
            how += "\n      continue_on_error: true"
        Path(cwd, "flow.yaml").write_text(FLOW.format(items=items, task=task, how=how, at_once=form.at_once))
        done = subprocess.run(
            [sys.executable, __file__, CHILD, "flow.yaml", form.durability],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])  # tasks may print before it


def measure(form: Form, rounds: int, names: Mapping[str, str]) -> list[float]:
    """Microseconds an item for each part."""
    found = []
    for _ in range(rounds):
        small, large = spent(form, form.small, names), spent(form, form.large, names)
        found.append([(large[part] - small[part]) / (form.large - form.small) * 1e6 for part in PARTS])
    return [median(column) for column in zip(*found, strict=True)]


def cells(name: str, figures: list[float]) -> tuple[str, ...]:
    """A row; less than a tenth of a microsecond cannot be told from nothing."""
    return (name, *("–" if value < 0.05 else f"{value:.1f}" for value in (*figures, sum(figures))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    parser.add_argument("--only", default="", help="forms with this in their name")
    parser.add_argument("--page", type=Path, help="put the rows into this page")
    given = parser.parse_args()
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}; CPU, µs an item, medians of {given.rounds}")
    print(f"{'':40}" + "".join(f"{name:>13}" for name in HEAD[1:]))
    for name in [name for name in FORMS if given.only in name]:
        with serving() if name == GET else nullcontext({}) as names:
            row = cells(name, measure(FORMS[name], given.rounds, names))
        print(f"{name:40}" + "".join(f"{cell:>13}" for cell in row[1:]), flush=True)
        if given.page:
            given.page.write_text(merged(given.page.read_text(), [row], list(FORMS), HEAD))


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        child(*sys.argv[2:])
    else:
        main()
