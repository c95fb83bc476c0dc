"""Reading connections: one for each thread, short read transactions. No statement is known here."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from batchwork.errors import StoreError
from batchwork.store.sqlite.beside.head import Head
from batchwork.store.sqlite.schema import open_to_look, open_to_read
from batchwork.store.sqlite.session import SqliteSession
from batchwork.store.sqlite.trouble import explain


class _Session:
    """One thread's connection. The lock is for `close`, which comes from another thread."""

    __slots__ = ("__weakref__", "connection", "depth", "lock")

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.lock = threading.RLock()
        self.depth = 0


class Readers:
    """The reading connections of a store."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._own = threading.local()
        self._all: weakref.WeakSet[_Session] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._closed = False

    def begin(self, head: Head, warn: Callable[[str], None]) -> None:
        """Open this thread's connection, and warn of what the store has lost since `head` was noted. Raises StoreError."""
        self._session(lambda: open_to_look(self._path, head, warn))

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSession]:
        """A connection that sees one state of the store, for a moment. Raises StoreError for whatever goes wrong."""
        session = self._session(lambda: open_to_read(self._path))
        with session.lock:
            if self._closed:
                raise StoreError(f"the store {self._path} is closed")
            try:
                if session.depth == 0:
                    session.connection.execute("begin")
                session.depth += 1
                try:
                    yield SqliteSession(session.connection)
                finally:
                    session.depth -= 1
                    if session.depth == 0 and session.connection.in_transaction:
                        session.connection.execute("rollback")  # there is nothing to commit
            except apsw.Error as error:
                raise explain(error, self._path) from error

    def close(self, *, leave_log: bool = False) -> None:
        """Close all connections, each when its thread is not reading. The last one moves the log, unless it is to be left."""
        with self._guard:
            self._closed = True
            sessions = list(self._all)
        for session in sessions:
            with session.lock:
                if leave_log:
                    session.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                session.connection.close()

    def _session(self, connect: Callable[[], apsw.Connection]) -> _Session:
        session: _Session | None = getattr(self._own, "session", None)
        if session is None:
            try:
                session = _Session(connect())
            except apsw.Error as error:
                raise explain(error, self._path) from error
            with self._guard:
                self._all.add(session)
            self._own.session = session
        return session
