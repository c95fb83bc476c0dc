"""Connections that are used again, a few at most: for those who read, and for short changes beside the writer. No table is known here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection

from batchwork.clock import Clock
from batchwork.errors import StoreError
from batchwork.store.postgres.server.connecting import Mode, Server
from batchwork.store.postgres.server.trouble import explain, kind_of
from batchwork.store.postgres.session import PostgresSession

KEPT: Final = 3
PAUSE_S: Final = 0.1

T = TypeVar("T")


class Pool:
    """Hands out connections to any thread. `patience_s`: how long a server that is away is waited for."""

    def __init__(self, server: Server, clock: Clock, patience_s: float) -> None:
        self._server, self._clock, self._patience_s = server, clock, patience_s
        self._idle: list[Connection[Any]] = []
        self._guard = threading.Lock()
        self._closed = threading.Event()

    def transact(self, mode: Mode, act: Callable[[PostgresSession], T], *, patient: bool = True) -> T:
        """What `act` gives, in a transaction of its own; it may be called again. Raises StoreError.

        Without patience there is one more try, because a connection that was used before may have gone.
        """
        started, tries = self._clock.now(), 0
        patience_s = self._patience_s if patient else 0.0
        while True:
            try:
                return self._once(mode, act)
            except psycopg.Error as error:
                tries += 1
                kind = kind_of(error)
                waited = self._clock.now() - started
                if kind not in {"away", "again"} or (tries > 1 and waited >= patience_s):
                    raise explain(error, self._server.address, kind) from error
                self._drop_idle()
                self._closed.wait(min(PAUSE_S * tries, 1.0))

    def add(self, connection: Connection[Any]) -> None:
        """A connection that is used from now on, or closed."""
        with self._guard:
            if not self._closed.is_set() and len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close all that nobody uses; the others are closed when they come back."""
        self._closed.set()
        self._drop_idle()

    def _once(self, mode: Mode, act: Callable[[PostgresSession], T]) -> T:
        connection = self._take()
        try:
            with self._server.transaction(connection, mode) as session:
                found = act(session)
                connection.execute("commit")
        except psycopg.Error:
            _discard(connection)
            raise
        except BaseException:
            with suppress(psycopg.Error):
                connection.rollback()
            self.add(connection)
            raise
        self.add(connection)
        return found

    def _take(self) -> Connection[Any]:
        with self._guard:
            if self._closed.is_set():
                raise StoreError(f"the store {self._server.address.shown} is closed")
            if self._idle:
                return self._idle.pop()
        return self._server.connect(to_write=False)

    def _drop_idle(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            _discard(connection)


def _discard(connection: Connection[Any]) -> None:
    with suppress(psycopg.Error):
        connection.close()
