"""Opening the SQLite store: whose it is, its version, its migrations, its place and its modes."""

from __future__ import annotations

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import apsw
import pytest

from batchwork import faults
from batchwork.errors import StoreError, StoreVersionError
from batchwork.model import Checkpoint
from batchwork.ports import Opening
from batchwork.store import open_store, store_at
from batchwork.store.sqlite import place, schema
from batchwork.store.sqlite.store import SqliteStore
from batchwork.testing.store_case import commit, picture, run_record, successes

SOURCE = Path(schema.__file__).parent


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def started(path: Path):
    """A store with the run r1 and some units."""
    store = open_store(str(path))
    store.create_run(run_record(), [("s", True)])
    commit(store, Checkpoint(1, successes=[successes(range(100))]))
    return store


@pytest.mark.fault("H16")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
@pytest.mark.promise("10.15")
def test_folder_and_files_are_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        store = started(tmp_path / "a" / ".batchwork" / "state.db")
        store.lease("r1")
        folder = tmp_path / "a" / ".batchwork"
        assert mode(folder) == 0o700
        found = {path.name: mode(path) for path in folder.rglob("*") if path.is_file()}
        assert found == dict.fromkeys(["state.db", "state.db-wal", "state.db-shm", "r1.lock", "head"], 0o600)
        assert mode(folder / "state.db.locks") == 0o700
        store.close()
    finally:
        os.umask(before)


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    open_store(str(tmp_path / "x.db")).close()
    assert mode(tmp_path) == 0o755
    assert mode(tmp_path / "x.db") == 0o600


def test_the_schema_is_what_the_migrations_make(tmp_path: Path) -> None:
    written = apsw.Connection(":memory:")
    written.execute((SOURCE / "migrations" / "current.sql").read_text())
    store = open_store(str(tmp_path / "x.db"))
    store.close()
    made = apsw.Connection(str(tmp_path / "x.db"))

    def tables(connection: apsw.Connection) -> list[tuple[str, ...]]:
        rows = connection.execute("select type, name, sql from sqlite_schema order by type, name").fetchall()
        return [(kind, name, re.sub(r"\s*([,()]|\s)\s*", r"\1", sql or "")) for kind, name, sql in rows]

    assert tables(made) == tables(written)
    assert made.pragma("user_version") == schema.migrations()[-1][0]
    assert made.pragma("application_id") == schema.APPLICATION_ID
    assert [number for number, _ in schema.migrations()] == list(range(1, len(schema.migrations()) + 1))
    made.close()


@pytest.mark.fault("H07")
@pytest.mark.promise("10.18")
def test_a_newer_store_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    started(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 999)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match=r"newer version of batchwork.*999") as caught:
        open_store(str(path))
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 4
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x.db", "x.db.locks"]


@pytest.mark.fault("H07")
def test_a_newer_store_is_not_even_checkpointed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    started(path).close()
    live = apsw.Connection(str(path))
    live.pragma("user_version", 999)  # stays in the log while this connection is open
    shutil.copy(path, tmp_path / "y.db")
    shutil.copy(tmp_path / "x.db-wal", tmp_path / "y.db-wal")
    live.close()
    before = (tmp_path / "y.db").read_bytes()
    with pytest.raises(StoreVersionError):
        open_store(str(tmp_path / "y.db"))
    assert (tmp_path / "y.db").read_bytes() == before


def make_foreign(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("create table t (x); insert into t values (1)")
    connection.close()


def make_damaged(path: Path) -> None:
    started(path).close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_foreign, "another program"),
        (lambda path: path.write_bytes(b"not a database " * 400), "not a database"),
        (lambda path: path.mkdir(), "is a folder"),
        (make_damaged, "damaged"),
    ],
    ids=["foreign", "garbage", "folder", "damaged"],
)
def test_what_is_no_store_is_refused(tmp_path: Path, make, says: str) -> None:
    path = tmp_path / "x.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=says) as caught:
        store = SqliteStore(str(path), Opening())
        try:
            store.units(1)
        finally:
            store.close()
    assert str(path) in caught.value.message
    assert caught.value.hint
    if says == "another program":
        assert path.read_bytes() == before


@pytest.mark.fault("H04")
def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_store(str(tmp_path / "file" / "state.db"))


def test_a_missing_store_is_only_made_when_asked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_store(str(tmp_path / "a" / "x.db"), Opening(purpose="look"))
    assert list(tmp_path.iterdir()) == []


def test_urls_of_other_stores_are_refused() -> None:
    with pytest.raises(StoreError, match="mysql") as caught:
        open_store("mysql://user:secret@host/db")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreError, match="no path"):
        open_store("")


@pytest.mark.fault("H04")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.promise("10.18")
def test_without_permission_the_store_says_so(request: pytest.FixtureRequest, what: str) -> None:
    top = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    request.addfinalizer(lambda: shutil.rmtree(top))
    top.chmod(0o755)
    folder = top / "state"
    started(folder / "state.db").close()
    folder.chmod(0o755)
    os.chmod(folder / "state.db", 0o444 if what == "folder" else 0o000)
    program = """
        import os, sys
        from batchwork.store import open_store
        from batchwork.errors import StoreError
        from batchwork.ports import RunChange
        open_store(sys.argv[2]).close()  # all is imported while it may be read
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        try:
            store = open_store(sys.argv[1])
            store.update_run("r1", RunChange(window="x"))
        except StoreError as error:
            print(error.message); print(error.hint); sys.exit(error.exit_code)
    """
    done = run_python(program, str(folder / "state.db"), str(top / "other.db"))
    assert done.returncode == 4, done.stderr
    assert str(folder / "state.db") in done.stdout
    assert "writable" in done.stdout


def run_python(program: str, *args: str, **more) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


# ---------------------------------------------------------------- migrations

NEWEST = schema.migrations()[-1][0]
TO_NEXT = (*schema.migrations(), (NEWEST + 1, "alter table run add column extra text; create table more (x)"))


def open_with(path: Path, steps) -> apsw.Connection:
    connection = schema.connect_to_write(str(path), Opening())
    schema.migrate(connection, str(path), steps)
    return connection


@pytest.mark.fault("H08")
def test_an_older_store_is_migrated_and_backed_up(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    started(path).close()
    connection = open_with(path, TO_NEXT)
    assert connection.pragma("user_version") == NEWEST + 1
    assert connection.execute("select sum(units) from block").get == 100
    assert connection.execute("select count(*) from more").get == 0
    connection.close()
    backup = apsw.Connection(f"{path}.v{NEWEST}")
    assert backup.pragma("user_version") == NEWEST
    assert backup.execute("select sum(units) from block").get == 100
    backup.close()
    assert mode(tmp_path / f"x.db.v{NEWEST}") == 0o600


@pytest.mark.fault("H08")
def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    started(path).close()
    monkeypatch.setattr(faults, "_armed", {"migrate": [("raise", 0)]})
    with pytest.raises(OSError, match="migrate"):
        open_with(path, TO_NEXT)
    monkeypatch.undo()
    connection = open_with(path, TO_NEXT[:-1])
    assert connection.pragma("user_version") == NEWEST
    assert connection.execute("select count(*) from sqlite_schema where name = 'more'").get == 0
    connection.close()


@pytest.mark.fault("H08")
def test_a_kill_during_the_first_opening_does_no_harm(tmp_path: Path) -> None:
    program = "import sys; from batchwork.store import open_store; open_store(sys.argv[1])"
    path = tmp_path / "x.db"
    fault = {**os.environ, "BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "migrate:kill9@1"}
    assert run_python(program, str(path), env=fault).returncode == -9
    started(path).close()


# ---------------------------------------------------------------- habits


@pytest.mark.fault("H17")
def test_the_file_of_the_database_is_never_opened() -> None:
    opens = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"open", "os.open", "io.open", "Path.open"}:
                opens.add((file.name, ast.unparse(node.args[0])))
    assert opens == {
        ("head.py", "self._note"),  # a file of its own
        ("schema.py", "os.path.join(_FOLDER, name)"),  # SQL
        ("statements.py", "os.path.join(_FOLDER, f'{name}.sql')"),  # SQL
        ("lock.py", "path"),  # the lock's file
        ("lock.py", "self._path(run)"),
        ("place.py", "mounts"),
        ("trouble.py", "os.devnull"),
        ("place.py", "path"),  # makes it (O_EXCL), before there can be a connection
    }


def test_sqlite_is_imported_only_when_used() -> None:
    program = """
        import sys
        from batchwork.store import open_store
        open_store("memory:").close()
        print("apsw" in sys.modules)
    """
    assert run_python(program).stdout == "False\n"


def test_the_kind_of_file_system_is_found(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 0:9 / {tmp_path} rw shared:1 - nfs4 server:/x rw\n"
        f"3 1 0:9 / {tmp_path}/a\\040b rw - tmpfs none rw\n"
    )
    assert place.file_system(str(tmp_path / "x.db"), str(mounts)) == "nfs4"
    assert place.file_system(str(tmp_path / "a b" / "x.db"), str(mounts)) == "tmpfs"
    assert place.file_system("/usr", str(mounts)) == "ext4"
    assert place.file_system("/usr", str(tmp_path / "nothing")) == ""


def test_a_network_file_system_is_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "file_system", lambda path: "nfs4")
    texts: list[str] = []
    open_store(str(tmp_path / "x.db"), Opening(warn=texts.append)).close()
    assert len(texts) == 1
    assert "nfs4" in texts[0]


@pytest.mark.parametrize(
    ("named", "state_dir", "file"),
    [
        (None, ".batchwork", ".batchwork/state.db"),
        ("there", "there", "there/state.db"),
        ("a.b/", "a.b", "a.b/state.db"),
        ("x.db", "x.db.d", "x.db"),
    ],
)
def test_a_place_is_a_folder_or_a_file_and_knows_whether_a_store_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, state_dir: str, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    place = store_at(named)
    assert not place.exists()
    assert place.state_dir == str(tmp_path / state_dir)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="no store at"):
        place.open(Opening("resume"))
    store = place.open(Opening("run"))
    assert store.describe() == str(tmp_path / file)
    store.close()
    assert place.exists()
    store_at(named).open(Opening("look")).close()


def test_a_store_in_memory_is_never_there_before_it_is_opened() -> None:
    place = store_at("memory:")
    place.open(Opening()).close()
    assert not place.exists()


def test_a_store_without_blocks_is_looked_at_as_it_is_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = open_store(str(path))
    store.create_run(run_record(), [("s", True)])
    commit(store, Checkpoint(1, successes=[successes(range(100), attempt=2)]))
    before = picture(store, "r1")
    store.close()
    connection = apsw.Connection(str(path))
    connection.execute("drop table block; pragma user_version = 2")
    connection.close()
    store = open_store(str(path), Opening("look"))
    assert picture(store, "r1") == before
    store.close()
    store = open_store(str(path), Opening("resume"))
    assert picture(store, "r1") == before
    commit(store, Checkpoint(1, successes=[successes(range(100, 200))]))
    assert store.count(1).succeeded == 200
    store.close()
    assert (tmp_path / "x.db.v2").exists()
