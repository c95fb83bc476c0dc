"""State files that somebody emptied, took away, replaced or closed: never a traceback, a fresh start, or a loss without a word."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

BATCHWORK = str(Path(sys.executable).parent / "batchwork")

WORKFLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: {from: range, count: 40}
      max_parallel: 2
      continue_on_error: true
      task: {type: shell, command: "echo {{ item }} >> ran; sleep 0.02; test {{ item }} -ne 3"}
"""
LOOKING = {"runs": ["runs"], "status": ["status", "r"], "items": ["items", "r", "--json"]}
WORKING = {
    "run": ["run", "w.yaml", "--run-id", "r"],
    "again": ["run", "w.yaml", "--resume"],
    "resume": ["resume", "r"],
    "retry": ["retry", "r"],
}

Done = subprocess.CompletedProcess[str]


def command(folder: Path, words: list[str], environ: dict[str, str], *before: str, **more: str) -> Done:
    program = [*before, BATCHWORK, *words, "--store", "st"]
    return subprocess.run(
        program, cwd=folder, env={**environ, **more}, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    """A folder with a run that was killed: all that it had recorded stands in the log of the store."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "w.yaml").write_text(WORKFLOW)
    kill = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "flush.after_commit:kill9@3"}
    assert command(folder, WORKING["run"], environ, **kill).returncode == -9
    assert {"state.db", "state.db-wal", "state.db-shm", "state.db.locks"} <= set(os.listdir(folder / "st"))
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    """The folder of another store, whose run has the same name."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "w.yaml").write_text(WORKFLOW.replace("40", "4").replace("-ne 3", "-ne 9"))
    kill = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "flush.after_commit:kill9@1"}
    assert command(folder, WORKING["run"], environ, **kill).returncode == -9
    return folder


def recorded(done: Done) -> set[int]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["item"] for row in rows if row["status"] in ("succeeded", "failed")}


def emptied(path: Path, _other: Path) -> None:
    os.truncate(path, 0)


def removed(path: Path, _other: Path) -> None:
    path.unlink()


def replaced(path: Path, other: Path) -> None:
    shutil.copy(other / path.name, path)


def garbled(path: Path, _other: Path) -> None:
    path.write_bytes(b"no such thing " * 1000)


def a_folder(path: Path, _other: Path) -> None:
    path.unlink()
    path.mkdir()


def newer(path: Path, _other: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 999)
    connection.close()


def none(_path: Path, _other: Path) -> None:
    pass


FAULTS = (emptied, removed, replaced, garbled, a_folder)
FILES = ("state.db", "state.db-wal", "state.db-shm", "state.db.locks/head", "state.db.locks/r.lock", "logs/r.jsonl")
CASES = [(name, fault) for name in FILES for fault in FAULTS if (name, fault) != ("state.db.locks/head", replaced)]
REFUSED = [("state.db", fault) for fault in (emptied, removed, a_folder, newer)]
REFUSED += [("state.db-wal", fault) for fault in FAULTS]
"""What nobody may go on with. (The log of the killed run holds all pages, whatever becomes of those in the database.)"""


def spoilt(killed: Path, other: Path, folder: Path, name: str, fault: Callable[[Path, Path], None]) -> Path:
    """A copy of the folder of the killed run, with the fault done to one file."""
    shutil.copytree(killed, folder)
    path = folder / "st" / name
    path.parent.mkdir(exist_ok=True)
    fault(path, (other / "st" / name).parent)
    return folder


@pytest.mark.fault("H06", "H07")
@pytest.mark.parametrize(("name", "fault"), [*CASES, ("state.db", newer), ("state.db", none)])
@pytest.mark.promise("10.18")
def test_whatever_is_done_to_a_state_file(
    killed: Path, other: Path, tmp_path: Path, environ: dict[str, str], name: str, fault: Callable[[Path, Path], None]
) -> None:
    shutil.copytree(killed, tmp_path / "whole")
    known = recorded(command(tmp_path / "whole", LOOKING["items"], environ))
    assert 0 < len(known) < 40
    folders = {word: spoilt(killed, other, tmp_path / word, name, fault) for word in (*WORKING, "looking")}
    with ThreadPoolExecutor(2) as pool:
        worked = {word: pool.submit(command, folders[word], words, environ) for word, words in WORKING.items()}
        looked = {word: pool.submit(command, folders["looking"], words, environ) for word, words in LOOKING.items()}
    for word, future in {**worked, **looked}.items():
        done = future.result()
        assert "Traceback" not in done.stderr, (word, done.stderr)
        assert done.returncode in (0, 3, 4), (word, done.stderr)
        if done.returncode == 4:
            assert done.stderr.count("error: ") == 1, (word, done.stderr)
            assert "\n    " in done.stderr, f"{word}: a hint"
    for word, future in worked.items():
        ran = (folders[word] / "ran").read_text().split()
        if future.result().returncode == 4:
            assert ran == (killed / "ran").read_text().split(), f"{word}: nothing runs"
            continue
        assert word != "run", "there is a run of that name"
        assert (name, fault) not in REFUSED, (word, future.result().stderr)
        twice = {int(item) for item in ran if ran.count(item) > 1} - {3}  # that one fails, and may be retried
        assert not twice & known, f"{word}: what is recorded does not run again"
        assert set(map(int, ran)) == set(range(40))
    items = looked["items"].result()
    lost = items.returncode == 4 or "has lost its last" in items.stderr
    assert lost or recorded(items) == known, items.stderr


@pytest.mark.fault("H06", "H07")
@pytest.mark.parametrize("fault", [*FAULTS, newer])
def test_whatever_is_done_to_the_database_of_a_run_that_ended(
    killed: Path, other: Path, tmp_path: Path, environ: dict[str, str], fault: Callable[[Path, Path], None]
) -> None:
    shutil.copytree(killed, tmp_path / "ended")
    assert command(tmp_path / "ended", WORKING["resume"], environ).returncode == 3
    assert not (tmp_path / "ended" / "st" / "state.db-wal").exists()
    command(shutil.copytree(other, tmp_path / "other"), WORKING["resume"], environ)
    ran = (tmp_path / "ended" / "ran").read_text()
    spoilt(tmp_path / "ended", tmp_path / "other", tmp_path / "spoilt", "state.db", fault)
    path = tmp_path / "spoilt" / "st" / "state.db"
    before = path.read_bytes() if path.is_file() else None
    for word, words in {**WORKING, **LOOKING}.items():
        done = command(tmp_path / "spoilt", words, environ)
        assert done.returncode == 4, (word, done.stdout, done.stderr)
        assert done.stderr.count("error: ") == 1, (word, done.stderr)
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr
        assert (path.read_bytes() if path.is_file() else None) == before, f"{word} leaves it as it is"
    assert (tmp_path / "spoilt" / "ran").read_text() == ran
