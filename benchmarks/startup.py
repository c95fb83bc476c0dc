"""What a start costs: `--help`, `validate` and runs of one unit, beside programs that do nothing. The best of four times ROUNDS.

usage: python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from contest.alone import alone
from contest.works import FLOW, Contender, Way, Work

TASKS = {"echo": "message: hello", "shell": 'command: "true"', "python": "code: return 1 + 1"}
BEST = Way(turns=4, best=True, per_run=True)
PASS = Contender("python -c pass", ("{python}", "-c", "pass"))
PARALLEL = Contender(
    "GNU parallel, one item", ("sh", "-c", "parallel --joblog log echo ::: hello"), needs=("program parallel",)
)


def flow(task: str) -> str:
    return f"steps:\n  - name: one\n    task: {task}\n    inputs:\n      {TASKS[task]}\n"


def works(share: float = 1.0) -> Iterator[Work]:
    """Help, a check, a run of one unit of each task."""
    one = Contender("batchwork", files={FLOW: flow("echo")})
    looked = replace(one, command=("{batchwork}", "--help"))
    checked = replace(one, command=("{batchwork}", "validate", FLOW))
    yield Work("help", "`batchwork --help`", 1, looked, (PASS,), {"ms": 90}, way=BEST)
    yield Work("validate", "`batchwork validate`", 1, checked, (PASS,), {"ms": 90}, way=BEST)
    for task in TASKS:
        ran = Contender("batchwork", ("{batchwork}", "run", FLOW), {FLOW: flow(task)})
        asked = {"ms": 160.0} if task == "echo" else {}
        yield Work(f"one-{task}", f"a run of one {task}", 1, ran, (PASS, PARALLEL), asked, way=BEST)


if __name__ == "__main__":
    alone(works)
