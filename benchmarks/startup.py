"""What a start costs: `--help`, `validate` and runs of one unit, beside programs that do nothing. Medians, in turns.

usage: python benchmarks/startup.py [ROUNDS]

Bytecode is cached where this benchmark says, also where the machine forbids writing it, and compiled before the first round.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from measuring import BATCHWORK, folder, load, median, rounds

TASKS = {"echo": "message: hello", "shell": 'command: "true"', "python": "code: result = 1 + 1"}


def commands(cwd: Path) -> dict[str, list[str]]:
    """Name → command; the workflows are written to `cwd`."""
    found = {
        "sh -c true": ["sh", "-c", "true"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "batchwork --help": [BATCHWORK, "--help"],
        "batchwork validate": [BATCHWORK, "validate", "echo.yaml"],
    }
    for name, inputs in TASKS.items():
        flow = f"steps:\n  - name: one\n    task: {name}\n    inputs:\n      {inputs}\n"
        Path(cwd, f"{name}.yaml").write_text(flow)
        found[f"run of one {name}"] = [BATCHWORK, "run", f"{name}.yaml"]
    return found


def once(command: list[str], cwd: Path, environ: dict[str, str]) -> tuple[float, float]:
    """Milliseconds by the clock and of CPU, of the program and what it waited for. Each run makes its store anew."""
    shutil.rmtree(cwd / ".batchwork", ignore_errors=True)
    started = time.perf_counter()
    # By posix_spawn and wait4, because they tell the CPU time of this process alone.
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    found = shutil.which(command[0]) or command[0]
    before = os.getcwd()
    os.chdir(cwd)
    try:
        pid = os.posix_spawn(found, command, environ, file_actions=quiet)
    finally:
        os.chdir(before)
    _, status, usage = os.wait4(pid, 0)
    took = time.perf_counter() - started
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    return took * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def main() -> None:
    print(load())
    with folder() as cwd:
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = str(cwd / "bytecode")
        programs = commands(cwd)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for number in range(rounds(15) + 1):
            for name, command in programs.items():
                figures = once(command, cwd, environ)
                if number:  # the first one compiles
                    taken[name].append(figures)
    for name, figures in taken.items():
        clock, cpu = zip(*figures, strict=True)
        print(
            f"{name:<20} {median(clock):>5.0f} ms (best {min(clock):>4.0f}), "
            f"CPU {median(cpu):>4.0f} ms (best {min(cpu):>4.0f})"
        )


if __name__ == "__main__":
    main()
