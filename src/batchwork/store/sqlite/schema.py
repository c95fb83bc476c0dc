"""Opens the database of a store: checks whose it is and of which version, and brings it up to date. No rows here."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import TypeAlias

import apsw

from batchwork.clock import Clock
from batchwork.errors import NothingStored, StoreError, StoreVersionError
from batchwork.faults import fault
from batchwork.ports import Durability, Opening
from batchwork.store.sqlite.beside.head import Head, Mark
from batchwork.store.sqlite.place import make_private_file
from batchwork.store.sqlite.statements import statement

APPLICATION_ID = 0x62746368  # "btch"
BUSY_WARN_S, BUSY_LIMIT_S = 5.0, 60.0
BUSY_MS = 20_000  # for those who read
WAL_KEPT_BYTES = 64 << 20
SHARED_LEAST_BYTES = 32768
"""Of the file that all who have a log open share. A smaller one was begun where there was no room for it."""

Migration: TypeAlias = tuple[int, str]
Warn: TypeAlias = Callable[[str], None]

_FOLDER = os.path.join(os.path.dirname(__file__), "migrations")
_pause = threading.Event()  # never set: a wait that needs no time module


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations in order: their number (the version that they lead to) and their text."""
    names = sorted(name for name in os.listdir(_FOLDER) if re.fullmatch(r"\d{4}_\w+\.sql", name))
    return tuple((int(name[:4]), _text(name)) for name in names)


def newest() -> int:
    """The version of the stores that this version of batchwork writes."""
    return migrations()[-1][0]


def _text(name: str) -> str:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return file.read()


def open_to_write(path: str, opening: Opening, head: Head) -> apsw.Connection:
    """A connection for writing to a store of the newest version, which the file is made unless it is only looked at.

    Raises apsw.Error, StoreError, StoreVersionError.
    """
    connection = connect_to_write(path, opening)
    try:
        if opening.purpose == "look":
            _refuse_older(connection, path)
        elif os.path.getsize(path):
            _warn_of_loss(connection, path, head, opening)
            migrate(connection, path, migrations())
        elif opening.purpose == "resume":
            raise _nothing(path)
        else:
            _lay_out(connection, path, opening.durability)
        _settle_in(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_write(path: str, opening: Opening) -> apsw.Connection:
    """A connection for writing, whatever the file is. Raises apsw.Error."""
    connection = _connect(path)
    connection.set_busy_handler(BusyWait(path, opening.warn, opening.clock))
    _synchronous(connection, opening.durability)
    return connection


def open_to_read(path: str) -> apsw.Connection:
    """A connection that changes nothing; through it, an older store looks like one of the newest version.

    Raises apsw.Error, StoreError, StoreVersionError.
    """
    return _opened_to_read(path, lambda connection: None)


def open_to_look(path: str, head: Head, warn: Warn) -> apsw.Connection:
    """The first such connection of those who only look. They are warned of what the store has lost. Raises the same."""
    opening = Opening("look", warn=warn)
    return _opened_to_read(path, lambda connection: _warn_of_loss(connection, path, head, opening))


def _opened_to_read(path: str, check: Callable[[apsw.Connection], None]) -> apsw.Connection:
    try:
        return _to_read(_connect(path), path, check)
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError, apsw.FullError) as error:
        try:
            return _to_read(_connect_still(path), path, check)
        except apsw.Error:
            raise error from None


def _to_read(connection: apsw.Connection, path: str, check: Callable[[apsw.Connection], None]) -> apsw.Connection:
    connection.set_busy_timeout(BUSY_MS)
    try:
        check(connection)
        version = _known_version(connection, path)
        if version == 0:
            raise _nothing(path)
        if version < newest():
            connection.execute(_text(f"seen_{version}.sql"))
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        connection.pragma("query_only", 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _nothing(path: str) -> NothingStored:
    return NothingStored(f"nothing has been stored in {path} yet", "run a workflow first")


def _warn_of_loss(connection: apsw.Connection, path: str, head: Head, opening: Opening) -> None:
    """Warn of what the store has lost since that was noted. Raises StoreError where it cannot be gone on with so."""
    noted = head.read()  # before the database, whose number only grows
    mark = Mark(*connection.execute(statement("mark")).get) if _known_version(connection, path) else None
    if loss := head.lost(noted, mark, to_write=opening.purpose != "look"):
        opening.warn(loss)


def _connect(path: str) -> apsw.Connection:
    # Not opened read-only: a read-only connection cannot recover a log, nor clean up as the last one that is closed.
    logged = os.path.exists(f"{path}-wal")
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    if logged:  # nothing is moved from it into the database of a store that turns out not to be ours
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def _connect_still(path: str) -> apsw.Connection:
    """A connection to a store that nothing can be written to: on a read-only file system, in another's folder, on a full disk.

    SQLite reads a log with the help of a file that everybody shares. Where that is there, the log can be read as usual,
    though others write. Where it is not, nobody has the store open: so no lock is needed, and what the file would hold is
    kept in memory. Without a log, the database is all that there is.
    """
    if _size(f"{path}-shm") >= SHARED_LEAST_BYTES:
        return apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    if _size(f"{path}-wal"):
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs="unix-none")
        connection.pragma("locking_mode", "exclusive")
        return connection
    quoted = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    name = f"file:{quoted}?immutable=1"
    return apsw.Connection(name, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def _size(path: str) -> int:
    """Bytes in a file; none where there is no file."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _synchronous(connection: apsw.Connection, durability: Durability) -> None:
    level = {"full": "full", "fast": "normal"}[durability]
    connection.execute(f"pragma synchronous = {level}")


def _lay_out(connection: apsw.Connection, path: str, durability: Durability) -> None:
    """Fill an empty file. A power cut can take nothing from it yet, so it is synced once, not nine times.

    What must be on disk before anything is recorded is that the file has a log beside it. The tables stand in that log,
    and get to disk with the first thing that is recorded.
    """
    connection.execute("pragma synchronous = full")
    connection.pragma("journal_mode", "off")
    _wal(connection)
    connection.execute("pragma synchronous = off")
    migrate(connection, path, migrations())
    _synchronous(connection, durability)


def _settle_in(connection: apsw.Connection) -> None:
    """The settings that may change the file; only for a store that is known to be ours."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    _wal(connection)
    connection.execute("pragma wal_autocheckpoint = 0")  # the writer does it, after it has reported the commit
    connection.execute(f"pragma journal_size_limit = {WAL_KEPT_BYTES}")


def _wal(connection: apsw.Connection) -> None:
    for _ in range(500):  # SQLite does not wait here when another process does the same
        try:
            mode = connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            _pause.wait(0.01)
            continue
        if mode != "wal":
            raise StoreError(
                f"the store {connection.filename} cannot use a write-ahead log here",
                "its file system lacks shared memory; name another place with `--store`",
            )
        return
    raise StoreError(f"the store {connection.filename} is kept locked by another process", "try again later")


def migrate(connection: apsw.Connection, path: str, steps: Sequence[Migration]) -> None:
    """Bring the database up to date, each migration in a transaction of its own. A newer one is left untouched.

    Raises StoreVersionError, StoreError where the database belongs to another program, apsw.Error.
    """
    latest = steps[-1][0]
    found = _known_version(connection, path, latest)
    if 0 < found < latest:
        _back_up(connection, f"{path}.v{found}")
    for number, text in steps:
        if number > found:
            _migrate_to(connection, path, number, text)


def _refuse_older(connection: apsw.Connection, path: str) -> None:
    if _known_version(connection, path) < newest():
        raise StoreError(
            f"the store {path} was made by an earlier version of batchwork",
            "`batchwork resume` or `retry` brings it up to date when it works on a run of it",
        )


def _known_version(connection: apsw.Connection, path: str, latest: int | None = None) -> int:
    """The version of the store, 0 where nothing is in it. Raises StoreVersionError where it is above the latest known."""
    found, latest = _version(connection, path), latest or newest()
    if found > latest:
        raise StoreVersionError(
            f"the store {path} was made by a newer version of batchwork (its version is {found}, this knows {latest})",
            "update batchwork, or name another store with `--store`",
        )
    return found


def _version(connection: apsw.Connection, path: str) -> int:
    version, application = connection.pragma("user_version"), connection.pragma("application_id")
    assert isinstance(version, int)
    if application != APPLICATION_ID and (
        version or application or connection.execute("select 1 from sqlite_schema limit 1").get
    ):
        raise StoreError(
            f"{path} is the database of another program", "name another place for the store with `--store`"
        )
    return version


def _migrate_to(connection: apsw.Connection, path: str, number: int, text: str) -> None:
    connection.execute("begin immediate")
    try:
        if _version(connection, path) < number:  # else another process was faster
            connection.execute(text)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", number)
            fault("migrate")
        connection.execute("commit")
    except BaseException:  # whatever it is, the transaction must not stay open
        connection.execute("rollback")
        raise


def _back_up(connection: apsw.Connection, target: str) -> None:
    """A copy of the whole store beside it, in case that the migrated one does not please."""
    if os.path.exists(target):
        return
    part = f"{target}.part"
    with suppress(FileNotFoundError):
        os.unlink(part)  # left by a process that died here
    make_private_file(part)
    connection.execute("vacuum into ?", (part,))
    os.replace(part, target)


class BusyWait:
    """SQLite asks it whether to go on waiting for another process's lock: yes, for a minute, with a warning after 5 s."""

    def __init__(self, path: str, warn: Warn, clock: Clock) -> None:
        self._path = path
        self._warn = warn
        self._clock = clock
        self._since = 0.0
        self._warned = False

    def __call__(self, calls: int) -> bool:
        now = self._clock.now()
        if calls == 0:
            self._since, self._warned = now, False
        waited = now - self._since
        if waited >= BUSY_WARN_S and not self._warned:
            self._warned = True
            self._warn(f"another process keeps the store {self._path} locked for writing; waiting for it")
        if waited >= BUSY_LIMIT_S:
            return False
        _pause.wait(min(0.001 * 2 ** min(calls, 6), 0.05))
        return True
