"""Leases: one owner for each run, gone with its process, whatever children it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchwork.clock import SystemClock
from batchwork.errors import RunLocked, RunRefused, StoreError
from batchwork.store.sqlite.beside.lock import Locks

OWNER = """
    import os, subprocess, sys, time
    from batchwork.clock import SystemClock
    from batchwork.errors import RunLocked
    from batchwork.store.sqlite.beside.lock import Locks
    try:
        lease = Locks(sys.argv[1], SystemClock()).lease("r1")
    except RunLocked as error:
        print(error.message, flush=True)
        sys.exit(4)
    child = ""
    if sys.argv[2] == "spawn":
        child = subprocess.Popen(["sleep", "60"], close_fds=False).pid
    if sys.argv[2] == "fork":
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
    print("owner", os.getpid(), child, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "x.db.locks"


@pytest.fixture
def started(folder: Path) -> Iterator[object]:
    """Starts a process that takes the lease, and gives it with the line that it prints."""
    processes: list[subprocess.Popen[str]] = []
    children: list[int] = []

    def start(kind: str = "alone") -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", textwrap.dedent(OWNER), str(folder), kind]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if line.startswith("owner") and len(line.split()) == 3:
            children.append(int(line.split()[2]))
        return process, line

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
    for child in children:
        os.kill(child, signal.SIGKILL)


def locks(folder: Path) -> Locks:
    return Locks(str(folder), SystemClock())


def test_the_owner_is_named(folder: Path, started) -> None:
    process, line = started()
    assert line.startswith("owner")
    with pytest.raises(
        RunLocked, match=rf"run r1 is being worked on by process {process.pid} on \S+ since 20"
    ) as caught:
        locks(folder).lease("r1")
    assert "batchwork status r1" in caught.value.hint
    assert caught.value.exit_code == 4
    assert locks(folder).living("r1")


@pytest.mark.fault("I04")
@pytest.mark.parametrize("kind", ["alone", "spawn", "fork"])
@pytest.mark.promise("10.06")
def test_a_dead_owner_is_no_owner_even_if_its_children_live(folder: Path, started, wait_for, kind: str) -> None:
    process, line = started(kind)
    assert line.startswith("owner")
    if kind != "alone":
        os.kill(int(line.split()[2]), 0)
    process.kill()
    process.wait()
    wait_for(lambda: not locks(folder).living("r1"), "the forked child to close its copy of the lock")
    locks(folder).lease("r1").release()


@pytest.mark.fault("I01")
def test_of_many_at_once_one_gets_it(folder: Path) -> None:
    program = textwrap.dedent(OWNER)
    command = [sys.executable, "-c", program, str(folder), "alone"]
    many = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    lines = [process.stdout.readline() for process in many]  # type: ignore[union-attr]
    assert sum(line.startswith("owner") for line in lines) == 1
    assert sum("is being worked on by" in line for line in lines) == 5
    for process in many:
        process.communicate("")


def test_those_who_look_do_not_keep_the_owner_out(folder: Path) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            locks(folder).living("r1")

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    owned = 0
    for _ in range(50):
        locks(folder).lease("r1").release()
        owned += 1
    stop.set()
    for thread in threads:
        thread.join()
    assert owned == 50


def test_a_released_lease_leaves_no_file(folder: Path) -> None:
    mine = locks(folder)
    lease = mine.lease("r1")
    assert os.listdir(folder) == ["r1.lock"]
    lease.release()
    assert os.listdir(folder) == []
    mine.lease("r1")
    mine.lease("r2")
    mine.release_all()
    assert os.listdir(folder) == []
    assert not mine.living("r1")


def test_runs_are_locked_one_by_one(folder: Path, started) -> None:
    started()
    other = locks(folder).lease("r2")
    assert locks(folder).living("r2")
    other.release()
    assert not locks(folder).living("r2")


@pytest.mark.parametrize("run", ["", ".", "..", "../x", "a/b", "a\0b", "x" * 65])
def test_an_odd_id_never_becomes_a_path(folder: Path, run: str) -> None:
    with pytest.raises(RunRefused):
        locks(folder).lease(run)
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.db.locks").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        locks(tmp_path / "x.db.locks").lease("r1")
