"""When the disk or another process is in the store's way: what is retried, what is given up, what people are told."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import apsw
import pytest
from store_history import POINTS, expected, history

from batchwork import faults
from batchwork.errors import StoreError, StoreFull
from batchwork.model import (
    Checkpoint,
    Counts,
    UnitStatus,
)
from batchwork.ports import Opening, RunChange, StepChange
from batchwork.step_notes import WhenFalse
from batchwork.store import open_store
from batchwork.store.sqlite import schema
from batchwork.store.sqlite.beside import log
from batchwork.store.tables import writer
from batchwork.testing.store_case import BROKE, assert_raises, commit, picture, run_record, successes, unit

TEXTS: list[str] = []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    TEXTS.clear()
    return tmp_path / "x.db"


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch):
    def armed(text: str) -> None:
        monkeypatch.setattr(faults, "_armed", faults._parse(text))
        monkeypatch.setattr(faults, "_hits", Counter())

    return armed


def opened(path: Path, patience_s: float = 0.3):
    store = open_store(str(path), Opening(warn=TEXTS.append, patience_s=patience_s))
    if store.run("r1") is None:
        store.create_run(run_record(), [("s", True)])
    return store


FAULTS = [f"{point}:{action}" for point in POINTS for action in ("raise", "ENOSPC")]


@pytest.mark.fault("A04", "A05")
@pytest.mark.parametrize("fault", [*FAULTS, "state.commit:execute_and_raise"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_what_fails_once_is_done_again_and_counts_once(path: Path, arm, fault: str, number: int) -> None:
    store = opened(path)
    arm(f"{fault}@{number}")
    for checkpoint in history():
        commit(store, checkpoint)
    assert faults._hits[fault.partition(":")[0]] >= number
    assert picture(store, "r1") == expected()
    store.close()
    assert TEXTS == []
    assert sound(path)


@pytest.mark.fault("A05")
@pytest.mark.parametrize(
    "fault", ["state.commit:execute_and_raise", "flush.after_commit:raise", "claim.after_commit:EIO"]
)
def test_commits_that_are_always_reported_as_failed_are_noticed(path: Path, arm, fault: str) -> None:
    store = opened(path)
    arm(fault)
    for checkpoint in history():
        commit(store, checkpoint)
    assert picture(store, "r1") == expected()
    store.close()
    assert TEXTS == []


@pytest.mark.parametrize("number", range(1, 10, 2))
def test_changes_outside_checkpoints_survive_a_failed_write(path: Path, arm, number: int) -> None:
    store = opened(path)
    for action in ("state.write:raise", "state.commit:execute_and_raise"):
        arm(f"{action}@{number}")
        run = action.partition(":")[2]
        store.create_run(run_record(run), [("a", True)])
        step = store.steps(run)[0].number
        commit(store, Checkpoint(step, records=[unit(seq, UnitStatus.FAILED, 1, BROKE) for seq in range(5)]))
        before = store.reading(step)
        assert store.reopen(step, [0, 1]) == 2
        assert store.sweep(step, 3) == 2
        assert store.reading(step) > before
        store.update_step(step, StepChange(note=WhenFalse()))
        assert store.steps(run)[0].note == WhenFalse()
        assert store.steps(run)[0].counts == Counts(None, 0, 1, 2)
    store.close()
    assert sound(path)


@pytest.mark.fault("A04", "H10")
@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        ("state.write:ENOSPC", StoreFull, "no space left"),
        ("fsync:EIO", StoreError, "cannot be read or written"),
        ("state.commit:EIO", StoreError, "cannot be read or written"),
    ],
)
def test_what_goes_on_failing_ends_the_writing_and_keeps_what_was_there(path: Path, arm, fault, kind, says) -> None:
    store = opened(path)
    first, *rest = history()
    commit(store, first)
    commit(store, rest[0])
    before = picture(store, "r1")
    arm(fault)
    with pytest.raises(kind, match=says) as caught:
        commit(store, rest[1])
    assert str(path) in caught.value.message
    assert caught.value.hint
    arm("")
    with pytest.raises(kind) as again:
        commit(store, rest[2])
    assert again.value is caught.value, "later submissions fail the same way at once"
    assert_raises(kind, lambda: store.update_run("r1", RunChange(window="x")))
    store.close()
    assert sound(path)
    store = opened(path)
    assert picture(store, "r1") == before
    for checkpoint in history():
        commit(store, checkpoint)
    assert picture(store, "r1") == expected()
    store.close()


@pytest.mark.fault("H01")
def test_a_full_disk_is_told_once_and_waited_for(path: Path, arm) -> None:
    store = opened(path, patience_s=30)
    arm("state.write:ENOSPC")
    reported: list[Exception | None] = []
    done = threading.Event()
    store.submit(history()[0], lambda error: (reported.append(error), done.set()))
    while not TEXTS:
        assert not done.wait(0.01)
    assert str(path) in TEXTS[0]
    assert "no space left" in TEXTS[0]
    arm("")
    assert done.wait(30)
    assert reported == [None]
    assert len(TEXTS) == 1
    store.close()


def sound(path: Path) -> bool:
    connection = apsw.Connection(str(path))
    verdict = connection.execute("pragma integrity_check").get
    connection.close()
    return verdict == "ok"


# ---------------------------------------------------------------- a disk that is really full

FILL = """
    import sys, threading
    from batchwork.errors import StoreFull
    from batchwork.model import Checkpoint, Claim
    from batchwork.store import open_store
    from batchwork.ports import Opening
    from batchwork.testing.store_case import commit, run_record, successes
    store = open_store(sys.argv[1], Opening(warn=lambda text: print("warned", text), patience_s=float(sys.argv[2])))
    if store.run("r1") is None:
        store.create_run(run_record(), [("s", True)])
    done = 0
    try:
        for start in range(0, 400_000, 200):
            commit(store, Checkpoint(1, successes=[successes(range(start, start + 200))]))
            done = start + 200
    except StoreFull as error:
        print("full", error.message, error.hint)
    print("seen", store.count(1).succeeded)
    store.close()
    print("done", done)
"""


def filled(*command: str) -> tuple[list[str], int]:
    done = subprocess.run(
        [*command[:-2], sys.executable, "-c", textwrap.dedent(FILL), *command[-2:]],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return lines, int(lines[-1].split()[1])


@pytest.mark.fault("H02")
def test_a_file_size_limit_is_a_full_disk(path: Path) -> None:
    lines, done = filled("prlimit", f"--fsize={1 << 20}", str(path), "0.2")
    assert 0 < done < 400_000
    assert [line.split()[0] for line in lines] == ["warned", "full", "seen", "done"]
    assert str(path) in lines[1]
    assert sound(path)
    store = open_store(str(path))
    assert store.count(1).succeeded == done
    store.close()
    lines, done = filled(str(path), "0.2")
    assert (lines, done) == (["seen 400000", "done 400000"], 400_000)
    assert sound(path)


@pytest.mark.fault("H01")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.promise("10.18")
def test_a_full_disk_keeps_what_was_recorded(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(mount)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    path = mount / "x.db"
    try:
        lines, done = filled(str(path), "0.2")
        assert 0 < done < 400_000
        assert [line.split()[0] for line in lines] == ["warned", "full", "seen", "done"]
        assert "make room" in lines[1]
        subprocess.run(["mount", "-o", "remount,size=64m", str(mount)], check=True)
        assert sound(path)
        store = open_store(str(path))
        assert store.count(1).succeeded == done
        store.close()
        assert filled(str(path), "0.2") == (["seen 400000", "done 400000"], 400_000)
    finally:
        subprocess.run(["umount", str(mount)], check=True)


# ---------------------------------------------------------------- files that are taken away meanwhile


@pytest.mark.fault("H06")
@pytest.mark.parametrize("name", ["x.db", "x.db-wal"])
@pytest.mark.parametrize("how", ["removed", "replaced", "emptied"])
def test_a_file_that_is_taken_away_while_it_is_written_to_is_missed(path: Path, name: str, how: str) -> None:
    if (name, how) == ("x.db-wal", "emptied"):
        pytest.skip("a log may be empty; what it had is then missed by its number of transactions")
    store = opened(path)
    for checkpoint in history()[:2]:
        commit(store, checkpoint)
    file = path.parent / name
    if how == "emptied":
        os.truncate(file, 0)
    else:
        file.rename(file.with_name("aside"))
    if how == "replaced":
        file.write_bytes((path.parent / "aside").read_bytes())
    with pytest.raises(StoreError, match=how) as caught:
        commit(store, history()[2])
    assert str(file) in caught.value.message
    assert caught.value.exit_code == 4
    with pytest.raises(StoreError):
        commit(store, history()[3])
    store.close()
    assert (file.stat().st_size if how == "emptied" else 0) == 0, "left as it is"


# ---------------------------------------------------------------- other processes


@pytest.mark.fault("H13")
def test_a_lock_of_another_process_is_waited_for_with_a_warning(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_WARN_S", 0.05)
    store = opened(path)
    other = apsw.Connection(str(path))
    other.execute("begin immediate")
    done, reported = threading.Event(), list[object]()
    store.submit(history()[0], lambda error: (reported.append(error), done.set()))
    while not TEXTS:
        assert not done.wait(0.01)
    assert "locked for writing" in TEXTS[0]
    assert picture(store, "r1"), "reading goes on meanwhile"
    other.execute("rollback")
    assert done.wait(30)
    assert reported == [None]
    assert len(TEXTS) == 1
    other.close()
    store.close()


@pytest.mark.fault("H13")
def test_a_lock_that_is_never_given_up_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_LIMIT_S", 0.1)
    store = opened(path)
    other = apsw.Connection(str(path))
    other.execute("begin immediate")
    with pytest.raises(StoreError, match="locked for writing for too long"):
        commit(store, history()[0])
    other.close()
    store.close()


@pytest.mark.fault("H12")
def test_a_long_reader_does_not_stop_the_writer_and_the_log_shrinks_after_it(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(log, "MOVE_PAGES", 50)
    monkeypatch.setattr(log, "WARN_PAGES", 300)
    monkeypatch.setattr(schema, "WAL_KEPT_BYTES", 100 * 4096)
    store = opened(path)
    other = apsw.Connection(str(path))
    other.execute("begin")
    other.execute("select * from run").fetchall()

    def written(start: int) -> int:
        commit(store, Checkpoint(1, successes=[successes(range(start, start + 500))]))
        return (path.parent / "x.db-wal").stat().st_size

    start = 0
    while written(start) < 400 * 4096:
        start += 500
    assert [text for text in TEXTS if "has grown" in text] == TEXTS[:1] != []
    other.execute("commit")
    for _ in range(20):
        start += 500
        size = written(start)
    assert size <= 120 * 4096
    other.close()
    store.close()
    assert sound(path)


def test_without_readers_the_log_stays_short(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOVE_PAGES", 50)
    store = opened(path)
    for start in range(0, 20_000, 200):
        commit(store, Checkpoint(1, successes=[successes(range(start, start + 200))]))
    assert (path.parent / "x.db-wal").stat().st_size < 100 * 4096
    store.close()
    assert not (path.parent / "x.db-wal").exists()


def test_checkpoints_share_transactions(path: Path, arm) -> None:
    store = opened(path)
    arm("state.commit:sleep20")
    done = threading.Semaphore(0)
    for seq in range(100):
        store.submit(Checkpoint(1, successes=[successes([seq])]), lambda error: done.release())
    for _ in range(100):
        done.acquire()
    store.close()
    connection = apsw.Connection(str(path))
    assert connection.execute("select commits from mark").get < 20
    connection.close()


def test_the_queue_is_bounded(path: Path, arm) -> None:
    store = opened(path)
    arm("state.commit:sleep30")
    reported: list[object] = []
    for seq in range(300):
        store.submit(Checkpoint(1, successes=[successes([seq])]), reported.append)
        assert seq + 1 - len(reported) <= 2 * writer.QUEUE_MAX + 1
    store.close()
    assert reported == [None] * 300


def test_a_report_that_raises_leaves_nobody_waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    store = opened(path)

    def committed(error: Exception | None) -> None:
        raise ZeroDivisionError

    store.submit(history()[0], committed)
    with pytest.raises(StoreError, match="ZeroDivisionError"):
        for checkpoint in history():
            commit(store, checkpoint)
    store.close()


def test_errors_of_the_system_are_told_apart() -> None:
    from batchwork.store.sqlite.trouble import kind_of

    assert kind_of(OSError(errno.EDQUOT, ""), "/") == "full"
    assert kind_of(apsw.FullError(), "/") == "full"
    assert kind_of(apsw.IOError(), "/", errno.EFBIG) == "full"
    assert kind_of(apsw.IOError(), "/", errno.EIO) == "io"
    assert kind_of(apsw.BusyError(), "/") == "busy"
    assert kind_of(apsw.CorruptError(), "/") == "other"
