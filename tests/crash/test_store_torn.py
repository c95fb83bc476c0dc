"""The state after a power loss: a copy of a live store with its log cut, garbled or flipped somewhere opens and has whole groups only."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from batchwork.errors import StoreError
from batchwork.model import AttemptRecord, Checkpoint, Claim, Counts, UnitStatus
from batchwork.ports import Opening
from batchwork.store import open_store
from batchwork.testing.store_case import BROKE, commit, run_record, successes, unit

GROUPS, SIZE, TRIALS = 40, 30, 110


def group(number: int) -> Checkpoint:
    """Thirty units: one has failed for good after a failed attempt, and the next call is claimed."""
    first = number * SIZE
    seqs = range(first, first + SIZE - 1)
    last = first + SIZE - 1
    coming = range(first + SIZE, first + 2 * SIZE)
    return Checkpoint(
        1,
        claims=[Claim(number + 1, 1, coming, [f"k{seq}" for seq in coming])],
        successes=[successes(seqs)],
        records=[unit(last, UnitStatus.FAILED, 1, BROKE)],
        attempts=[AttemptRecord(last, 1, BROKE, 0, 0)],
        ended=[number],
        counts=Counts(None, (SIZE - 1) * (number + 1), number + 1),
    )


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Copies of database and log while the store is open, at three moments; each in a folder of its own."""
    folder = tmp_path_factory.mktemp("live")
    store = open_store(str(folder / "x.db"))
    store.create_run(run_record(), [("s", True)])
    copies = []
    for number in range(GROUPS):
        commit(store, group(number))
        if number in (0, GROUPS // 2, GROUPS - 1):
            copies.append(folder / f"at{number}")
            copies[-1].mkdir()
            for name in ("x.db", "x.db-wal"):
                shutil.copy(folder / name, copies[-1] / name)
    yield copies
    store.close()


def tear(log: Path, chance: random.Random) -> str:
    content = bytearray(log.read_bytes())
    at = chance.randrange(len(content))
    kind = chance.choice(["cut", "tail", "flip", "zeros", "hole"])
    if kind == "cut":
        content = content[:at]
    elif kind == "tail":
        content[at:] = chance.randbytes(len(content) - at)
    elif kind == "flip":
        content[at] ^= 1 << chance.randrange(8)
    elif kind == "zeros":
        content[at:] = bytes(len(content) - at)
    else:
        content[at : at + 4096] = chance.randbytes(min(4096, len(content) - at))
    log.write_bytes(content)
    return f"{kind} at {at} of {len(content)}"


def check_prefix(path: Path, what: str) -> int:
    """That the store is sound and has some number of groups, each whole; that number."""
    connection = apsw.Connection(str(path))
    assert connection.execute("pragma integrity_check").get == "ok", what
    tables = connection.execute("select count(*) from sqlite_schema where name = 'step'").get
    connection.close()
    if not tables:
        return 0  # torn before the schema itself was synced
    store = open_store(str(path), Opening(purpose="resume"))
    if store.run("r1") is None:
        store.close()
        return 0
    counts = store.steps("r1")[0].counts
    groups = counts.failed
    found = store.count(1)
    assert (found.succeeded, found.failed) == ((SIZE - 1) * groups, groups) == (counts.succeeded, counts.failed), what
    assert list(store.page(1, -1, 10_000).seqs) == list(range(SIZE * groups)), what
    assert [claim.id for claim in store.claims(1)] == ([groups] if groups else []), what
    assert all(store.attempts(1, SIZE * number + SIZE - 1) for number in range(groups)), what
    for number in range(groups, GROUPS):  # and it can be gone on with
        commit(store, group(number))
    assert store.count(1).finished == SIZE * GROUPS, what
    store.close()
    return groups


@pytest.mark.fault("A08")
@pytest.mark.promise("10.04")
def test_a_torn_log_leaves_a_prefix_of_whole_groups(snapshots: list[Path], tmp_path: Path) -> None:
    chance = random.Random(20_000)
    seen = set()
    for trial in range(TRIALS):
        source = chance.choice(snapshots)
        folder = tmp_path / str(trial)
        shutil.copytree(source, folder)
        what = f"trial {trial}, {source.name}: {tear(folder / 'x.db-wal', chance)}"
        seen.add(check_prefix(folder / "x.db", what))
        shutil.rmtree(folder)
    assert len(seen) > 5, f"the trials should end in many different groups, not in {seen}"


def test_an_untorn_copy_has_everything(snapshots: list[Path], tmp_path: Path) -> None:
    shutil.copytree(snapshots[-1], tmp_path / "copy")
    assert check_prefix(tmp_path / "copy" / "x.db", "untorn") == GROUPS


WRITER = """
    import sys, threading
    sys.path.insert(0, sys.argv[2])
    from test_store_torn import GROUPS, group
    from batchwork.store import open_store
    from batchwork.ports import Opening
    from batchwork.testing.store_case import run_record
    store = open_store(sys.argv[1], Opening(durability=sys.argv[3]))
    store.create_run(run_record(), [("s", True)])
    for number in range(GROUPS):
        done = threading.Event()
        def committed(error):
            print(number, flush=True)
            done.set()
        store.submit(group(number), committed)
        done.wait()
"""


@pytest.mark.fault("A01")
@pytest.mark.parametrize("durability", ["full", "fast"])
def test_after_a_kill_all_that_was_reported_is_there(tmp_path: Path, durability: str) -> None:
    chance = random.Random(7)
    for trial in range(4):
        path = tmp_path / f"{trial}" / "x.db"
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), os.path.dirname(__file__), durability]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        limit, reported = chance.randrange(1, GROUPS), 0
        while reported < limit and process.stdout.readline():
            reported += 1
        process.send_signal(signal.SIGKILL)
        reported += len(process.stdout.read().splitlines())
        process.stdout.close()
        process.wait()
        assert reported <= check_prefix(path, f"killed after {reported} groups") <= reported + 1


@pytest.mark.fault("H06")
def test_a_log_that_was_removed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = open_store(str(path))
    lease = store.lease("r1")
    store.create_run(run_record(), [("s", True)])
    store.close()
    store = open_store(str(path))
    lease = store.lease("r1")
    for number in range(3):
        commit(store, group(number))
    texts: list[str] = []
    open_store(str(path), Opening(warn=texts.append)).close()
    assert texts == []
    for name in ("x.db", "x.db.locks"):
        (shutil.copytree if (tmp_path / name).is_dir() else shutil.copy)(
            tmp_path / name, tmp_path / name.replace("x", "y")
        )
    lease.release()
    store.close()
    for purpose in ("run", "resume"):
        with pytest.raises(StoreError, match="has lost its last 3 transactions") as caught:
            open_store(str(tmp_path / "y.db"), Opening(purpose, warn=texts.append))
    assert "-wal" in caught.value.message
    note = tmp_path / "y.db.locks" / "head"
    assert str(note) in caught.value.hint
    assert texts == []
    open_store(str(tmp_path / "y.db"), Opening("look", warn=texts.append)).close()
    assert len(texts) == 1
    assert "has lost its last 3 transactions" in texts[0]
    note.unlink()
    store = open_store(str(tmp_path / "y.db"), Opening(warn=texts.append))
    for number in range(4):
        commit(store, group(number))
    store.close()
    open_store(str(tmp_path / "y.db"), Opening(warn=texts.append)).close()
    assert len(texts) == 1
    (tmp_path / "y.db").unlink()
    with pytest.raises(StoreError, match="is gone"):
        open_store(str(tmp_path / "y.db"), Opening(warn=texts.append))
    note.unlink()
    open_store(str(tmp_path / "y.db"), Opening(warn=texts.append)).close()
    assert len(texts) == 1, "another store in the same place is not the same store"


@pytest.mark.fault("A09")
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.promise("10.04")
def test_what_is_reported_has_been_synced(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    program = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "x.db"), os.path.dirname(__file__), "full"]
    calls = "trace=openat,pwrite64,fdatasync,fsync,write"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(trace), "-e", calls, *program], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"strace does not work here: {done.stderr[:200]}")
    logs: set[str] = set()  # descriptors of the log: the writer's, and a reader's
    dirty, reports, written = False, 0, 0
    for line in trace.read_text().splitlines():
        call = line.split(maxsplit=1)[1]
        if call.startswith("openat"):
            number = call.rsplit(" ", 1)[1]
            logs = logs | {number} if 'x.db-wal"' in call else logs - {number}
        elif (written_to := re.match(r"pwrite64\((\d+),", call)) and written_to[1] in logs:
            dirty, written = True, written + 1
        elif (synced := re.match(r"f(?:data)?sync\((\d+)", call)) and synced[1] in logs:
            dirty = False
        elif re.match(r'write\(1, "\d', call):
            assert not dirty, f"report {reports} came before its sync"
            reports += 1
    assert reports == GROUPS
    assert written > GROUPS
