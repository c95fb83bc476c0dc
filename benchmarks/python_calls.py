"""What a Python worker costs for each unit, in calls of 1, 100 and 5,000: CPU of the worker and of this side, and time.

usage: python benchmarks/python_calls.py [ROUNDS]

No store and no coordinator: this is the executor alone. Two calls are in flight, as they are for short units.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import Any

import psutil
from measuring import load, median

from batchwork import proctree
from batchwork.model import Call, Units
from batchwork.ports import Staffing
from batchwork.tasks.python.program import PythonProgram
from batchwork.text.jsontext import Json
from batchwork.workers.python.executor import PythonExecutor

UNITS = {1: 5_000, 100: 100_000, 5_000: 500_000}
COOKIE = f"python-calls-{os.getpid()}"

WORK: dict[str, tuple[str, Any]] = {
    "nothing, a number": ("return item", int),
    "a small mapping": ("return {'i': item, 'sq': item * item}", int),
    "a text": ("return item", str),
    "prints a line": ("print(item)\nreturn item", int),
    "fails": ("raise ValueError(item)", int),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds for each unit."""

    worker: float
    here: float
    wall: float


def measure(code: str, make: Any, size: int, count: int) -> Cost:
    prepare = {
        "kind": "code",
        "code": code,
        "file": "flow.yaml",
        "line": 1,
        "names": ["item"],
        "takes_item": True,
        "interpreter": sys.executable,
    }
    executor = PythonExecutor()
    staffing = Staffing(1, None, cookie=COOKIE, environ=dict(os.environ), cwd=os.getcwd())
    executor.start(PythonProgram(prepare, frozenset({"item"}), takes_item=True), staffing)
    try:
        drive(executor, [[make(0)]], 1)
        (pid,) = proctree.with_cookie(COOKIE)
        worker = psutil.Process(pid)
        calls = [[make(number) for number in range(size)] for _ in range(min(count // size, 20))]
        before, own, began = worker.cpu_times(), time.process_time(), time.perf_counter()
        done = drive(executor, calls, count // size)
        wall, own = time.perf_counter() - began, time.process_time() - own
        after = worker.cpu_times()
    finally:
        executor.close()
    spent = after.user + after.system - before.user - before.system
    return Cost(*(round(seconds / done * 1e6, 2) for seconds in (spent, own, wall)))


def drive(executor: PythonExecutor, payloads: list[list[Json]], calls: int) -> int:
    """Run so many calls, two at a time; how many units were reported (what was handed back is not run again)."""
    number = reported = 0
    out = 0
    while number < calls or out:
        while number < calls and out < 2:
            units = payloads[number % len(payloads)]
            columns = range(len(units))
            number, out = number + 1, out + 1
            executor.submit(0, Call(number, 1, Units(columns, columns, [""] * len(units), units), units))
        for report in executor.poll(None):
            reported += len(report.done) + len(report.failures)
        out = min(out, -(-sum(executor.load()) // max(1, len(payloads[0]))))
    return reported


def main(rounds: int) -> None:
    print(f"machine: {load()}; µs for each unit, medians of {rounds} rounds")
    print(f"{'task':20} {'call of':>8} {'worker CPU':>11} {'CPU here':>9} {'time':>8}")
    for name, (code, make) in WORK.items():
        for size, count in UNITS.items():
            costs = [measure(code, make, size, count // (20 if name == "fails" else 1)) for _ in range(rounds)]
            worker, here, wall = (
                median([getattr(cost, part) for cost in costs]) for part in ("worker", "here", "wall")
            )
            print(f"{name:20} {size:8,} {worker:11.2f} {here:9.2f} {wall:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
