"""`kill -9` at every named point of the commit path, and at random moments: what was recorded stays, the rest is run, once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from killing import kill_when

BATCHWORK = str(Path(sys.executable).with_name("batchwork"))
COUNT = 60
BODIES = {
    "shell": """
        type: shell
        command: 'echo {{ item }} >> "$LEDGER"; expr {{ item }} \\* 3 || test $? = 1'""",
    "python": """
        type: python
        code: |
          import os
          ledger = os.open(os.environ["LEDGER"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
          os.write(ledger, b"%d\\n" % item)
          os.close(ledger)
          return item * 3""",
}
KILLS = int(os.environ.get("BATCHWORK_KILLS", "6"))
"""How often runs are killed at random moments: a few times, or as often as `make kills` says."""
POINTS = [
    "items.load",
    "spawn",
    "claim.before_commit",
    "claim.after_commit",
    "state.write",
    "state.commit",
    "fsync",
    "item.exit_before_record",
    "flush.before_commit",
    "flush.commit",
    "flush.after_commit",
    "step.end",
    "finalise",
]


class Bench:
    """A workflow in an empty folder, with a ledger in which each execution of an item leaves a line."""

    def __init__(self, folder: Path, body: str, count: int = COUNT, at_once: int = 4, pause: str = "") -> None:
        self.folder, self.count = folder, count
        self.ledger_file = folder / "ledger"
        task = BODIES[body].replace("command: '", f"command: '{pause}")
        (folder / "flow.yaml").write_text(
            "steps:\n  - name: s\n    task: batch\n    inputs:\n"
            f"      items: {list(range(count))}\n      max_parallel: {at_once}\n      task:{task}\n"
        )

    def start(self, *words: str, fault: str = "") -> subprocess.Popen[str]:
        testing = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": fault} if fault else {}
        if fault:
            testing["BATCHWORK_FAULT_HITS"] = str(self.folder / "hits")
        return subprocess.Popen(
            [BATCHWORK, *words],
            cwd=self.folder,
            env={**os.environ, "LEDGER": str(self.ledger_file), **testing},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, fault: str = "") -> tuple[int, str, str]:
        process = self.start(*words, fault=fault)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def ledger(self) -> Counter[int]:
        return Counter(map(int, self.ledger_file.read_text().split())) if self.ledger_file.exists() else Counter()

    def items(self) -> dict[int, dict[str, object]]:
        code, out, err = self.run("items", "r1", "--json")
        assert code == 0, err
        return {row["index"]: row for row in map(json.loads, out.splitlines())}

    def in_doubt(self) -> set[int]:
        return {index for index, row in self.items().items() if row["status"] == "in_doubt"}

    def exists(self) -> bool:
        return self.run("status", "r1")[0] == 0

    def check_finished(self) -> None:
        rows = self.items()
        assert set(rows) == set(range(self.count))
        assert {row["status"] for row in rows.values()} == {"succeeded"}
        for index, row in rows.items():
            result = row["result"]
            value = result["stdout"] if isinstance(result, dict) else result
            assert int(str(value).strip()) == index * 3
        assert set(self.ledger()) == set(range(self.count))


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives for each body the file in which stands how often each point is hit with it."""

    @cache
    def count(body: str) -> Path:
        bench = Bench(tmp_path_factory.mktemp(body), body)
        code, _, err = bench.run("run", "flow.yaml", fault=",".join(f"{point}:count" for point in POINTS))
        assert code == 0, err
        hits = Counter(line.split()[0] for line in (bench.folder / "hits").read_text().splitlines())
        assert set(hits) == set(POINTS)
        return bench.folder / "hits"

    return count


@pytest.mark.fault("A03")
@pytest.mark.parametrize(
    ("body", "hit"), [("shell", "1"), ("shell", "2"), ("shell", "last"), ("python", "1"), ("python", "last")]
)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.promise("7.02")
def test_killed_at_a_point_of_the_commit_path(
    tmp_path: Path, point: str, hit: str, body: str, counted: Callable[[str], Path]
):
    shutil.copy(counted(body), tmp_path / "hits")
    bench = Bench(tmp_path, body)
    code, _, err = bench.run("run", "flow.yaml", "--run-id", "r1", fault=f"{point}:kill9@{hit}")
    if code == 1:  # at `spawn`: it was the reactor that died, again and again
        assert point == "spawn", err
        assert hit != "1"
    elif code == 0:
        assert hit != "1", f"{point} was never reached"
    else:
        assert code == -signal.SIGKILL, err
    if code and not bench.exists():
        code, _, err = bench.run("run", "flow.yaml", "--run-id", "r1")
        assert code == 0, err
    elif code:
        done = {index for index, row in bench.items().items() if row["status"] == "succeeded"}
        doubtful, before = bench.in_doubt(), bench.ledger()
        code, _, err = bench.run("resume", "r1")
        assert code == 0, err
        twice = {index for index, times in bench.ledger().items() if times > 1}
        if (point, body) != ("spawn", "shell"):  # there the reactor dies too, and what it ran is run again at once
            assert all(times <= 2 for times in bench.ledger().values())
            assert twice <= doubtful, "only what was claimed may run again"
        assert all(bench.ledger()[index] == before[index] for index in done)
    bench.check_finished()


@pytest.mark.fault("A01", "A02")
@pytest.mark.parametrize("body", ["shell", "python"])
@pytest.mark.promise("10.01")
def test_killed_again_and_again(tmp_path: Path, body: str, wait_for: Callable[..., None]):
    chance, kills, rounds = random.Random(7), 0, 0
    while kills < KILLS:
        rounds += 1
        (tmp_path / str(rounds)).mkdir()
        bench = Bench(tmp_path / str(rounds), body, count=400, at_once=8)
        ended = _killed_until_it_ends(bench, chance, wait_for, KILLS - kills)
        bench.check_finished()
        repeats = sum(bench.ledger().values()) - bench.count
        assert repeats <= 8 * ended, f"{repeats} ran again after {ended} kills of 8 at once"
        kills += ended


def _killed_until_it_ends(bench: Bench, chance: random.Random, wait_for: Callable[..., None], most: int) -> int:
    """Kill a run and its resumes, `most` times at most, and let it end. How often it was killed."""
    words, kills = ["run", "flow.yaml", "--run-id", "r1"], 0
    reported: dict[int, object] = {}
    while kills < most:
        process = bench.start(*words)
        goal = len(bench.ledger()) + chance.randint(10, 60)
        if not kill_when(process, lambda: len(bench.ledger()) >= goal, wait_for):  # it is called at once
            break
        kills += 1
        if not bench.exists():
            continue
        words = ["resume", "r1"]
        rows = bench.items() if chance.random() < 0.5 else {}  # else it is resumed in the same instant
        if rows:
            for index, result in reported.items():
                assert (rows[index]["status"], rows[index]["result"]) == ("succeeded", result)
            reported = {index: row["result"] for index, row in rows.items() if row["status"] == "succeeded"}
    code, _, err = bench.run(*words)
    assert code == 0, err
    return kills


@pytest.mark.fault("B04", "B09")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_graceful_stop_runs_nothing_twice(tmp_path: Path, number: signal.Signals, wait_for: Callable[..., None]):
    bench = Bench(tmp_path, "shell", count=80, pause="sleep 0.05; ")
    process = bench.start("run", "flow.yaml", "--run-id", "r1")
    wait_for(lambda: len(bench.ledger()) >= 8, "the first items")
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert not bench.in_doubt()
    code, _, err = bench.run("resume", "r1")
    assert code == 0, err
    bench.check_finished()
    assert set(bench.ledger().values()) == {1}


@pytest.mark.promise("7.05")
def test_a_unit_that_was_in_doubt_three_times_is_poison(tmp_path: Path, wait_for: Callable[..., None]):
    (tmp_path / "flow.yaml").write_text(
        "steps:\n  - name: s\n    task: batch\n    inputs:\n      items: [1]\n      continue_on_error: true\n"
        "      task: {type: shell, command: 'touch started; sleep 60'}\n"
    )
    bench = Bench.__new__(Bench)
    bench.folder, bench.ledger_file = tmp_path, tmp_path / "ledger"
    words = ["run", "flow.yaml", "--run-id", "r1"]
    for _ in range(3):
        (tmp_path / "started").unlink(missing_ok=True)
        process = bench.start(*words)
        assert kill_when(process, (tmp_path / "started").exists, wait_for)
        words = ["resume", "r1"]
    code, _, err = bench.run("resume", "r1")
    assert code == 3, err
    row = bench.items()[0]
    assert row["status"] == "failed"
    assert row["error"]["type"] == "poison"


@pytest.mark.fault("A06")
@pytest.mark.parametrize("page", [2, 3, 5])
def test_killed_while_the_source_is_still_read(tmp_path: Path, page: int):
    """No item is left out, and none that was recorded runs again."""
    bench = Bench(tmp_path, "python", count=20_000)
    workflow = (tmp_path / "flow.yaml").read_text().replace(str(list(range(20_000))), "$(seq 0 19999)")
    (tmp_path / "flow.yaml").write_text(workflow.replace("import os\n", "import os; item = int(item)\n"))
    code, _, _ = bench.run("run", "flow.yaml", "--run-id", "r1", fault=f"items.load:kill9@{page}")
    assert code == -signal.SIGKILL
    known = {index for index, row in bench.items().items() if row["status"] == "succeeded"}
    assert len(known) < 20_000
    assert "20000" not in bench.run("status", "r1")[1].replace(",", ""), "the total is not known yet"
    code, _, err = bench.run("resume", "r1")
    assert code == 0, err
    bench.check_finished()
    assert all(bench.ledger()[index] == 1 for index in known)


# ---------------------------------------------------------------- what the store is told goes wrong


@pytest.mark.fault("A04", "A05")
@pytest.mark.parametrize(
    "action", ["state.write:raise", "state.write:ENOSPC", "state.commit:execute_and_raise", "state.commit:EIO"]
)
@pytest.mark.parametrize("number", [1, 4])
def test_a_write_that_fails_or_seems_to_costs_nothing(tmp_path: Path, action: str, number: int):
    """Each of the first writes once: it is tried again, and all is recorded once."""
    bench = Bench(tmp_path, "python")
    code, _, err = bench.run("run", "flow.yaml", "--run-id", "r1", fault=f"{action}@{number}")
    assert code == 0, err
    bench.check_finished()
    assert set(bench.ledger().values()) == {1}
    assert all(row["attempts"] == 1 for row in bench.items().values())


@pytest.mark.fault("A04")
def test_writes_that_go_on_failing_end_the_run_and_it_can_be_resumed(tmp_path: Path):
    bench = Bench(tmp_path, "python")
    code, _, err = bench.run(
        "run", "flow.yaml", "--run-id", "r1", fault="state.write:raise@3,state.write:raise@4,state.write:raise@5"
    )
    assert code == 4, err
    assert "Traceback" not in err
    known = {index for index, row in bench.items().items() if row["status"] == "succeeded"}
    code, _, err = bench.run("resume", "r1")
    assert code == 0, err
    bench.check_finished()
    assert all(bench.ledger()[index] == 1 for index in known)


@pytest.mark.fault("A03")
@pytest.mark.promise("6.29")
def test_killed_when_a_failure_is_handled(tmp_path: Path):
    """The failure is recorded before; its handler runs at least once, in the resume."""
    (tmp_path / "flow.yaml").write_text(
        "steps:\n  - name: s\n    task: batch\n    inputs:\n      items: [1, 2, 3]\n      continue_on_error: true\n"
        "      task: {type: shell, command: 'echo {{ item }} >> \"$LEDGER\"; test {{ item }} -ne 2'}\n"
        "      on_item_error: {type: shell, command: 'echo {{ item }} >> handled'}\n"
    )
    bench = Bench.__new__(Bench)
    bench.folder, bench.ledger_file = tmp_path, tmp_path / "ledger"
    code, _, err = bench.run("run", "flow.yaml", "--run-id", "r1", fault="on_item_error:kill9@1")
    assert code == -signal.SIGKILL, err
    assert bench.items()[1]["status"] == "failed"
    assert not (tmp_path / "handled").exists()
    code, _, err = bench.run("resume", "r1")
    assert code == 3, err
    assert (tmp_path / "handled").read_text() == "2\n"
    assert bench.ledger()[2] == 1
