"""After `kill -9` only what was really running is in doubt: what workers had done is recorded, what had not begun is pending."""

from __future__ import annotations

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchwork import proctree
from batchwork.workers.journals.folder import owner_of

BATCHWORK = str(Path(sys.executable).with_name("batchwork"))
SHELL = """
        type: shell
        command: 'echo {{ item }} >> ran; while test -e hold; do sleep 0.02; done; echo {{ item }}'"""
PYTHON = """
        type: python
        code: |
          import os, time
          with open("ran", "a") as ran: ran.write("%d\\n" % item)
          while os.path.exists("hold") and item >= 40: time.sleep(0.01)
          return item"""


class Bench:
    """A workflow in an empty folder. Its items note in `ran` that they run, and some go on while there is a file `hold`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def write(self, task: str, count: int = 60, at_once: int = 2, **fields: str) -> None:
        more = "".join(f"\n      {name}: {value}" for name, value in fields.items())
        (self.folder / "flow.yaml").write_text(
            "steps:\n  - name: s\n    task: batch\n    inputs:\n"
            f"      items: {{from: range, count: {count}}}\n      max_parallel: {at_once}{more}\n      task:{task}\n"
        )
        (self.folder / "hold").touch()

    def start(self, *words: str, program: str = BATCHWORK, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [program, *words],
            cwd=self.folder,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: str, **environ: str) -> tuple[int, str]:
        process = self.start(*words, **environ)
        out, err = process.communicate(timeout=60)
        return process.returncode, out + err

    def ran(self) -> Counter[int]:
        ran = self.folder / "ran"
        return Counter(map(int, ran.read_text().split())) if ran.exists() else Counter()

    def go(self) -> None:
        (self.folder / "hold").unlink()

    def status(self) -> dict[str, int]:
        code, text = self.run("status", "r1", "--json")
        assert code == 0, text
        counts: dict[str, int] = json.loads(text)["steps"]["s"]["counts"]
        return counts

    def in_doubt(self) -> list[int]:
        code, text = self.run("items", "r1", "--status", "in_doubt", "--json")
        assert code == 0, text
        return [int(json.loads(line)["key"]) for line in text.splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    (tmp_path / "hold").unlink(missing_ok=True)
    for process in bench.started:
        if process.poll() is None:
            proctree.kill((*proctree.descendants([process.pid]), process.pid))
        process.communicate()


def killed(bench: Bench, wait_for: Callable[..., None], running: int) -> None:
    """Start it, wait until so many have begun, and kill batchwork alone."""
    first = bench.start("run", "flow.yaml", "--run-id", "r1")
    wait_for(lambda: len(bench.ran()) >= running, f"{running} items that run")
    first.kill()
    first.communicate()


@pytest.mark.parametrize(("task", "first", "running"), [(SHELL, 0, 2), (PYTHON, 40, 41)])
@pytest.mark.promise("7.04", "7.06", "10.02")
def test_what_runs_is_in_doubt_and_nothing_else(
    bench: Bench, wait_for: Callable[..., None], task: str, first: int, running: int
) -> None:
    """`first` is the first item that goes on and on."""
    bench.write(task)
    killed(bench, wait_for, running)
    bench.status()  # which waits until the workers have ended
    doubted = bench.in_doubt()
    assert doubted == sorted({*bench.ran()} & {*range(first, 60)})
    assert 1 <= len(doubted) <= 2
    before = bench.status()
    bench.go()
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    twice = {item for item, times in bench.ran().items() if times > 1}
    assert twice <= {*doubted}, "what had ended is not run again"
    assert before["in_doubt"] == len(doubted)
    assert bench.status()["succeeded"] == 60
    assert bench.run("results", "r1", "--format", "jsonl")[1].count("succeeded") == 60


def test_stopping_everything_at_once_costs_what_runs(bench: Bench, wait_for: Callable[..., None]) -> None:
    """Nobody has a last moment: coordinator, workers and guardian are held, then killed together, and it goes on at once."""
    bench.write(PYTHON.replace("item >= 40", "False"), count=3000)
    first = bench.start("run", "flow.yaml", "--run-id", "r1")
    wait_for(lambda: len(bench.ran()) > 300, "items that run")
    everything = [*proctree.hold(lambda: [first.pid, *proctree.descendants([first.pid])])]
    proctree.kill(everything, signal.SIGKILL)
    first.communicate()
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert len([item for item, times in bench.ran().items() if times > 1]) <= 2
    assert {*bench.ran()} == {*range(3000)}


@pytest.mark.promise("10.02")
def test_units_that_end_in_the_last_moment_are_not_run_again(bench: Bench, wait_for: Callable[..., None]) -> None:
    bench.write(PYTHON.replace("item >= 40", "False").replace("return item", "time.sleep(0.05)\n          return item"))
    killed(bench, wait_for, 10)
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert max(bench.ran().values()) == 1


def test_with_stop_the_doubtful_stay_refused_and_all_else_is_recorded(
    bench: Bench, wait_for: Callable[..., None]
) -> None:
    bench.write(PYTHON, on_in_doubt="stop")
    killed(bench, wait_for, 41)
    bench.status()
    doubted = {item for item in bench.ran() if item >= 40}
    ended = len(bench.ran()) - len(doubted)
    bench.go()
    for _ in range(2):  # and again: it is not forgotten
        code, text = bench.run("resume", "r1")
        assert code == 1, text
        assert f"{len(doubted)} in doubt" in text
        assert {*bench.in_doubt()} == doubted
        assert bench.status()["succeeded"] == ended
    assert max(bench.ran().values()) == 1
    bench.write(PYTHON, on_in_doubt="retry")
    bench.go()
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert {item for item, times in bench.ran().items() if times > 1} == doubted


def test_a_secret_in_a_result_reaches_no_disk_and_is_masked_by_the_resume(
    bench: Bench, wait_for: Callable[..., None]
) -> None:
    bench.write(PYTHON.replace("return item", 'return os.environ["TOKEN"]'))
    flow = bench.folder / "flow.yaml"
    flow.write_text("secrets: [TOKEN]\n" + flow.read_text())
    token = "sesame-4711-open"
    first = bench.start("run", "flow.yaml", "--run-id", "r1", TOKEN=token)
    wait_for(lambda: len(bench.ran()) >= 41, "items that run")
    first.kill()
    first.communicate()

    def found() -> list[Path]:
        files = [path for path in bench.folder.rglob("*") if path.is_file()]
        return [path for path in files if token.encode() in path.read_bytes()]

    assert found() == []
    bench.go()
    code, text = bench.run("resume", "r1", TOKEN=token)
    assert code == 0, text
    assert found() == []
    assert bench.run("results", "r1", "--format", "jsonl")[1].count("***") == 60


def test_a_large_result_is_not_lost(bench: Bench, wait_for: Callable[..., None]) -> None:
    """One of 20 MiB finds no room in a journal: it is recorded before the next one starts, and what runs is in doubt."""
    bench.write(PYTHON.replace("return item", 'return "x" * (20 << 20) if item == 5 else item'), count=43, at_once=1)
    killed(bench, wait_for, 41)
    bench.go()
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert {item for item, times in bench.ran().items() if times > 1} <= {40}


def left(bench: Bench) -> set[str]:
    """The folders of journals of this store's executions."""
    every = glob.glob(f"/dev/shm/batchwork-{os.geteuid()}-*")
    return {path for path in every if owner_of(path).folder == str(bench.folder / ".batchwork")}


def test_no_journal_outlives_its_run(bench: Bench, wait_for: Callable[..., None]) -> None:
    bench.write(SHELL)
    killed(bench, wait_for, 2)
    assert len(left(bench)) == 1
    bench.go()
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert left(bench) == set()


def test_the_next_run_removes_the_journals_of_runs_that_are_gone(bench: Bench, wait_for: Callable[..., None]) -> None:
    bench.write(SHELL)
    killed(bench, wait_for, 2)
    (crashed,) = left(bench)
    bench.go()
    bench.status()  # which waits until the workers have ended
    code, text = bench.run("run", "flow.yaml", "--run-id", "r2")
    assert code == 0, text
    assert left(bench) == {crashed}, "it can be resumed"
    shutil.rmtree(bench.folder / ".batchwork")
    code, text = bench.run("run", "flow.yaml", "--run-id", "r3")
    assert code == 0, text
    assert left(bench) == set()
