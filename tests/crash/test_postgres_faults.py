"""A store in PostgreSQL while the server is restarted, away, full, frozen, in another's hands. `make restarts` does it again and again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from store_history import POINTS, expected, history

import postgres
from batchwork import faults
from batchwork.clock import SystemClock
from batchwork.errors import RunLocked, StoreError, StoreFull
from batchwork.model import Checkpoint, Counts
from batchwork.ports import Opening, Store
from batchwork.store import open_store
from batchwork.store.postgres import schema
from batchwork.store.postgres.server import connecting, silence
from batchwork.store.postgres.server.address import address_of
from batchwork.store.tables.blocks import codec
from batchwork.testing.store_case import commit, owned, picture, run_record, successes
from places import BIN

RESTARTS = int(os.environ.get("BATCHWORK_RESTARTS", "1"))
TEXTS: list[str] = []


@pytest.fixture
def url(postgres_server: postgres.Server, work: Path) -> Iterator[str]:
    TEXTS.clear()
    url = postgres_server.schema()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def armed(text: str) -> None:
        monkeypatch.setattr(faults, "_armed", faults._parse(text))
        monkeypatch.setattr(faults, "_hits", Counter())

    return armed


def opened(url: str, patience_s: float = 20.0, **more: object) -> Store:
    store = open_store(url, Opening(warn=TEXTS.append, patience_s=patience_s, **more))  # type: ignore[arg-type]
    if store.run("r1") is None:
        store.create_run(run_record(), [("s", True)])
    return store


# ---------------------------------------------------------------- short disconnections

FAULTS = [f"{point}:raise" for point in POINTS]


@pytest.mark.fault("A04", "A05")
@pytest.mark.parametrize("fault", [*FAULTS, "state.commit:execute_and_raise"])
@pytest.mark.parametrize("leased", [True, False])
def test_what_fails_once_is_done_again_and_counts_once(url: str, arm: Callable[[str], None], fault: str, leased: bool):
    for number in (1, 2, 4):
        store = opened(f"{url}_{number}")
        lease = store.lease("r1") if leased else None
        arm(f"{fault}@{number}")
        for checkpoint in history():
            commit(store, checkpoint)
        assert faults._hits[fault.partition(":")[0]] >= number
        if lease is not None:
            lease.release()
        assert picture(store, "r1") == expected()
        store.close()
    assert TEXTS == []


@pytest.mark.fault("A05")
def test_commits_that_are_always_reported_as_failed_are_noticed(url: str, arm: Callable[[str], None]) -> None:
    store = opened(url)
    lease = store.lease("r1")
    arm("state.commit:execute_and_raise")
    for checkpoint in history():
        commit(store, checkpoint)
    lease.release()
    assert picture(store, "r1") == expected()
    store.close()


@pytest.mark.fault("J02")
def test_nothing_is_lost_or_done_twice_while_the_server_is_restarted(
    url: str, postgres_server: postgres.Server, wait_for: Callable[..., None]
) -> None:
    store = opened(url)
    lease = store.lease("r1")
    reported: list[tuple[int, Exception | None]] = []
    over = threading.Event()

    def write() -> None:
        first = 0
        while not over.is_set():
            units = range(first, first + 20)
            checkpoint = Checkpoint(1, successes=[successes(units)], counts=Counts(None, units.stop))
            store.submit(checkpoint, lambda error, stop=units.stop: reported.append((stop, error)))  # type: ignore[misc]
            first = units.stop

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(RESTARTS):
        before = len(reported)
        postgres_server.restart()
        assert store.count(1).finished % 20 == 0
        wait_for(lambda before=before: len(reported) > before + 100, "more to be recorded")
    over.set()
    writer.join()
    lease.release()
    store.close()
    assert {error for _, error in reported} == {None}
    assert [stop for stop, _ in reported] == [*range(20, 20 * len(reported) + 1, 20)]
    again = open_store(url, Opening("look"))
    assert again.count(1) == Counts(None, 20 * len(reported))
    assert again.results(1, 0, 10**9) == [str(seq) for seq in range(20 * len(reported))]
    again.close()


FLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: {from: range, stop: 600}
      max_parallel: 2
      task:
        type: python
        code: |
          import time
          time.sleep(0.005)
          with open("ledger", "a") as ledger:
              ledger.write(f"{item}\\n")
          return item
"""


@pytest.mark.fault("J02")
def test_a_run_goes_on_while_the_server_is_restarted(
    url: str, postgres_server: postgres.Server, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    (work / "w.yaml").write_text(FLOW.replace("600", f"{600 * RESTARTS}"))
    ledger = work / "ledger"
    words = [str(BIN / "batchwork"), "run", "w.yaml", "--quiet", "--store", url]
    run = subprocess.Popen(words, env=environ, stderr=subprocess.PIPE, text=True)
    for number in range(RESTARTS):
        wait_for(lambda number=number: ledger.exists() and ledger.read_text().count("\n") > 100 + 400 * number)
        postgres_server.restart()
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert Counter(ledger.read_text().split()) == Counter(map(str, range(600 * RESTARTS)))


@pytest.mark.fault("A03", "J10")
@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_is_killed_at_a_point_of_the_commit_path_is_resumed_at_once(
    url: str, work: Path, environ: Mapping[str, str], point: str
) -> None:
    (work / "w.yaml").write_text(FLOW.replace("600", "60"))
    words = [str(BIN / "batchwork"), "run", "w.yaml", "--quiet", "--run-id", "r1", "--store", url]
    armed = {**environ, "BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": f"{point}:kill9@3"}
    assert subprocess.run(words, env=armed, check=False, timeout=60).returncode == -signal.SIGKILL
    again = [str(BIN / "batchwork"), "resume", "r1", "--quiet", "--store", url]
    resumed = subprocess.run(again, env=environ, check=False, timeout=60, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    done = Counter((work / "ledger").read_text().split())
    assert {*done} == {*map(str, range(60))}
    assert sum(done.values()) <= 62, "each of two workers may have been in the middle of one item"
    store = open_store(url, Opening("look"))
    assert store.count(1) == Counts(60, 60)
    assert store.claims(1) == []
    store.close()


@pytest.mark.fault("J03")
def test_a_server_that_stays_away_is_an_error_and_the_run_can_be_resumed(
    url: str, postgres_server: postgres.Server
) -> None:
    store = opened(url, patience_s=1.0)
    lease = store.lease("r1")
    commit(store, Checkpoint(1, successes=[successes(range(20))]))
    postgres_server.stop()
    try:
        for seqs in (range(20, 40), range(40, 60)):
            with pytest.raises(StoreError, match="cannot be reached") as caught:
                commit(store, Checkpoint(1, successes=[successes(seqs)]))
            assert caught.value.exit_code == 4
            assert "batchwork resume" in caught.value.hint
        with pytest.raises(StoreError, match="cannot be reached"):
            store.count(1)
        assert len(TEXTS) == 1
        assert "trying again for 1 s" in TEXTS[0]
        lease.release()
        store.close()
    finally:
        postgres_server.start()
    store = opened(url)
    store.lease("r1").release()
    assert store.count(1).succeeded == 20
    store.close()


# ---------------------------------------------------------------- whose a run is


def expire(postgres_server: postgres.Server, url: str) -> None:
    """Let the lease run out, as it does where its owner cannot renew it."""
    postgres_server.execute(f"update {url.rpartition('=')[2]}.lease set until = '-infinity'")


@pytest.mark.fault("I09")
def test_who_comes_late_after_a_take_over_records_nothing(url: str, postgres_server: postgres.Server) -> None:
    late, next_one = opened(url, patience_s=0.2), opened(url)
    late.lease("r1")
    commit(late, Checkpoint(1, successes=[successes(range(20))]))
    with pytest.raises(RunLocked, match=f"worked on by process {os.getpid()} on "):
        next_one.lease("r1")
    expire(postgres_server, url)
    lease = next_one.lease("r1")
    for _ in range(2):
        with pytest.raises(StoreError, match="not ours any more"):
            commit(late, Checkpoint(1, successes=[successes(range(20, 40))]))
    commit(next_one, Checkpoint(1, successes=[successes(range(40, 60))]))
    late.close()
    assert owned(next_one)
    assert next_one.count(1).succeeded == 40
    lease.release()
    next_one.close()


@pytest.mark.fault("I09")
def test_an_owner_that_stands_still_in_a_transaction_is_passed(
    url: str, postgres_server: postgres.Server, arm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "IDLE_MS", 300)
    late = opened(url, patience_s=0.2)
    late.lease("r1")
    arm("state.write:sleep3000")
    reported: list[Exception | None] = []
    late.submit(Checkpoint(1, successes=[successes(range(20))]), reported.append)
    next_one = opened(url)
    expire(postgres_server, url)
    next_one.lease("r1")
    assert reported == [], "it stood still meanwhile"
    late.close()
    assert [str(error) for error in reported if "not ours any more" in str(error)], reported
    assert next_one.count(1).succeeded == 0
    next_one.close()


@pytest.mark.fault("I09")
def test_a_run_that_was_frozen_is_gone_on_with_elsewhere(
    url: str, postgres_server: postgres.Server, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    (work / "w.yaml").write_text(FLOW)
    ledger = work / "ledger"
    words = [str(BIN / "batchwork"), "run", "w.yaml", "--quiet", "--run-id", "r1", "--store", url]
    frozen = subprocess.Popen(words, env=environ, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: ledger.exists() and ledger.read_text().count("\n") > 50)
    frozen.send_signal(signal.SIGSTOP)
    expire(postgres_server, url)
    store = opened(url)
    lease = store.lease("r1")
    before = store.count(1)
    frozen.send_signal(signal.SIGCONT)
    _, said = frozen.communicate(timeout=60)
    assert frozen.returncode == 4, said
    assert "not ours any more: another process has taken it over" in said
    assert "Traceback" not in said
    assert store.count(1) == before
    lease.release()
    store.close()
    again = [str(BIN / "batchwork"), "resume", "r1", "--quiet", "--store", url]
    assert subprocess.run(again, env=environ, timeout=60, check=False).returncode == 0
    assert {*ledger.read_text().split()} == {*map(str, range(600))}


class Ahead(SystemClock):
    """A machine's clock that is five minutes off."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def wall_ms(self) -> int:
        return super().wall_ms() + 1000 * self._seconds

    def now(self) -> float:
        return super().now() + self._seconds


@pytest.mark.fault("J09")
@pytest.mark.parametrize("seconds", [300, -300])
def test_clocks_of_machines_do_not_matter_to_leases(url: str, seconds: int) -> None:
    store, other = opened(url), opened(url, clock=Ahead(seconds))
    lease = store.lease("r1")
    with pytest.raises(RunLocked):
        other.lease("r1")
    assert owned(other)
    lease.release()
    other.lease("r1")
    with pytest.raises(RunLocked):
        store.lease("r1")
    store.close()
    other.close()


def test_the_lease_of_a_run_that_was_forgotten_leaves_nothing(url: str, postgres_server: postgres.Server) -> None:
    store = opened(url)
    lease = store.lease("r1")
    commit(store, Checkpoint(1, successes=[successes(range(20))]))
    store.forget("r1")
    lease.release()
    store.close()
    name = url.rpartition("=")[2]
    for table in ("run", "step", "unit", "block", "claim", "lease", "mark", "member"):
        assert postgres_server.execute(f"select count(*) from {name}.{table}") == [(0,)], table


# ---------------------------------------------------------------- what a server can lose


def test_a_server_that_has_lost_transactions_is_found_out(url: str, postgres_server: postgres.Server) -> None:
    name = url.rpartition("=")[2]
    store = opened(url)
    store.lease("r1")
    for start in range(0, 100, 20):
        commit(store, Checkpoint(1, successes=[successes(range(start, start + 20))]))
    store.close()
    postgres_server.execute(f"update {name}.mark set commits = commits - 2")  # as after a failover, or an older copy
    store = opened(url)
    for _ in range(2):
        with pytest.raises(StoreError, match="has lost the last 2 transactions of run r1") as caught:
            store.lease("r1")
    note = caught.value.hint.rpartition(" ")[2]
    os.unlink(note)
    store.lease("r1").release()
    store.close()


def test_a_loss_under_way_ends_the_run(url: str, postgres_server: postgres.Server) -> None:
    name = url.rpartition("=")[2]
    store = opened(url)
    store.lease("r1")
    for start in range(0, 100, 20):
        commit(store, Checkpoint(1, successes=[successes(range(start, start + 20))]))
    postgres_server.execute(
        f"update {name}.mark set commits = 2; select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'batchwork'"
    )
    with pytest.raises(StoreError, match="has lost transactions of run r1: it had 5, now it has 2"):
        commit(store, Checkpoint(1, successes=[successes(range(100, 120))]))
    store.close()


def test_what_may_be_lost_where_that_was_chosen_is_a_warning(url: str, postgres_server: postgres.Server) -> None:
    store = opened(url, durability="fast")
    store.lease("r1")
    for start in range(0, 100, 20):
        commit(store, Checkpoint(1, successes=[successes(range(start, start + 20))]))
    store.close()
    postgres_server.execute(f"update {url.rpartition('=')[2]}.mark set commits = commits - 2")
    store = opened(url, durability="fast")
    store.lease("r1").release()
    assert [text for text in TEXTS if "has lost the last 2 transactions of run r1: what they recorded" in text]
    store.close()


# ---------------------------------------------------------------- in each other's way


@pytest.mark.fault("J06")
@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014", "57P01", "08006", "53300"])
def test_what_may_succeed_another_time_is_tried_again(url: str, postgres_server: postgres.Server, state: str) -> None:
    name = url.rpartition("=")[2]
    store = opened(url)
    store.lease("r1")
    postgres_server.execute(
        f"""create sequence {name}.times;
        create function {name}.spoil() returns trigger language plpgsql as $$
        begin
            if nextval('{name}.times') % 3 <> 0 then raise exception 'not now' using errcode = '{state}'; end if;
            return new;
        end $$;
        create trigger spoil before insert on {name}.block for each row execute function {name}.spoil()"""
    )
    for start in range(0, 60, 20):
        commit(store, Checkpoint(1, successes=[successes(range(start, start + 20))]))
    assert store.count(1).succeeded == 60
    store.close()


@pytest.mark.fault("J06")
def test_a_lock_that_another_program_holds_is_waited_for(
    url: str, postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., None]
) -> None:
    monkeypatch.setattr(connecting, "LOCK_MS", 200)
    store = opened(url)
    reported: list[Exception | None] = []
    with postgres_server.connection() as other, other.transaction():
        other.execute(f"lock table {url.rpartition('=')[2]}.block")
        store.submit(Checkpoint(1, successes=[successes(range(20))]), reported.append)
        wait_for(lambda: TEXTS, "a warning")
        assert "canceling statement due to lock timeout; trying again" in TEXTS[0]
        assert reported == []
    store.close()
    assert reported == [None]


@pytest.mark.fault("J07")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small file system")
def test_a_full_disk_is_waited_for_and_then_an_error(
    url: str, postgres_server: postgres.Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    small = postgres_server.folder / "small"
    small.mkdir()
    owner = os.stat(postgres_server.host).st_uid
    settings = f"size=2m,mode=700,uid={owner}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", settings, "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small file system can be made here")
    request.addfinalizer(lambda: subprocess.run(["umount", small], check=True))
    postgres_server.execute(f"create tablespace small location '{small}'")
    request.addfinalizer(lambda: postgres_server.execute("drop tablespace small"))
    store = opened(url, patience_s=0.5)
    request.addfinalizer(lambda: postgres_server.drop(url))
    postgres_server.execute(f"alter table {url.rpartition('=')[2]}.unit set tablespace small")
    commit(store, Checkpoint(1, successes=[successes(range(100), attempt=2)]))
    start = 100
    with pytest.raises(StoreFull, match="there is no room left") as caught:
        while True:
            commit(store, Checkpoint(1, successes=[successes(range(start, start + 1000), attempt=2)]))
            start += 1000
    assert "No space left on device" in caught.value.message
    assert "trying again for 0.5 s" in TEXTS[0]
    store.close()
    subprocess.run(["mount", "-o", "remount,size=20m", small], check=True)
    store = opened(url)
    assert store.count(1).succeeded == start
    commit(store, Checkpoint(1, successes=[successes(range(start, start + 1000), attempt=2)]))
    store.close()


@pytest.mark.fault("J05")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop a process of the server")
def test_a_server_process_that_says_nothing_is_noticed_and_left(
    url: str, postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "LOOK_S", 0.05)
    monkeypatch.setattr(silence, "TOLD_AFTER_S", 0.2)
    monkeypatch.setattr(silence, "GIVEN_UP_AFTER_S", 0.6)
    before = {*backends(postgres_server)}
    store = opened(url)
    commit(store, Checkpoint(1, successes=[successes(range(20))]))
    mine = {*backends(postgres_server)} - before
    for process in mine:
        os.kill(process, signal.SIGSTOP)
    try:
        commit(store, Checkpoint(1, successes=[successes(range(20, 40))]))
    finally:
        for process in mine:
            os.kill(process, signal.SIGCONT)
    assert "has not answered for" in TEXTS[0]
    assert store.count(1).succeeded == 40
    store.close()


def backends(postgres_server: postgres.Server) -> list[int]:
    rows = postgres_server.execute("select pid from pg_stat_activity where application_name = 'batchwork'")
    return [pid for (pid,) in rows]


@pytest.mark.fault("J08")
def test_nothing_is_kept_in_a_connection_between_transactions(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with pgbouncer, which may give each transaction another connection."""
    usual = connecting.Server.transaction

    @contextlib.contextmanager
    def emptied(self, connection, mode):
        connection.execute("discard all")
        with usual(self, connection, mode) as session:
            yield session

    monkeypatch.setattr(connecting.Server, "transaction", emptied)
    store = opened(url)
    lease = store.lease("r1")
    for checkpoint in history():
        commit(store, checkpoint)
    lease.release()
    assert picture(store, "r1") == expected()
    store.close()


# ---------------------------------------------------------------- the schema


@pytest.mark.fault("H08")
def test_a_migration_that_fails_changes_nothing(url: str, arm: Callable[[str], None]) -> None:
    address = address_of(url)
    opened(url).close()
    newer = (*schema.migrations(), (schema.newest() + 1, "alter table run add column extra text"))
    with contextlib.closing(connecting.Server(address).connect(to_write=True)) as connection:
        arm("migrate:raise")
        with pytest.raises(OSError, match="migrate"):
            schema.prepare(connection, address, "run", newer)
        arm("")
        assert schema.version(connection, address) == schema.newest()
    opened(url).close()


@pytest.mark.fault("H08")
def test_a_kill_during_the_first_opening_does_no_harm(url: str) -> None:
    program = "import sys; from batchwork.store import open_store; open_store(sys.argv[1])"
    environ = {**os.environ, "BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "migrate:kill9@1"}
    killed = subprocess.run([sys.executable, "-c", program, url], env=environ, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    opened(url).close()


def test_old_blocks_become_rows_where_a_store_is_found_by_keys(url: str) -> None:
    store = opened(url)
    lease = store.lease("r1")
    for start in range(0, 2000, 500):
        commit(store, Checkpoint(1, successes=[successes(range(start, start + 500))]))
    keys = [f"k{seq}" for seq in range(0, 2000, 3)]
    assert {key: record.seq for key, record in store.match(1, keys).items()} == {key: int(key[1:]) for key in keys}
    commit(store, Checkpoint(1, successes=[successes(range(2000, 2500))]))
    assert store.match(1, ["k2499"])["k2499"].seq == 2499
    assert store.count(1).succeeded == 2500
    lease.release()
    store.close()


def test_a_program_that_only_looks_changes_nothing(url: str) -> None:
    opened(url).close()
    program = """
        import sys
        from batchwork.errors import StoreError
        from batchwork.model import Checkpoint
        from batchwork.ports import Opening
        from batchwork.store import open_store
        store = open_store(sys.argv[1], Opening("look"))
        try:
            store.submit(Checkpoint(1), print)
        except StoreError as error:
            print(error.message)
        print([run.id for run in store.runs()])
        store.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), url], capture_output=True, text=True, check=True, timeout=60
    )
    assert "open for looking only" in done.stdout
    assert "['r1']" in done.stdout
    assert codec.LEAST > 1
