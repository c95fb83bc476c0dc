"""A server that says nothing for long, though it is there: told to people, and then its connection is given up. No query is made here."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from batchwork.clock import Clock
from batchwork.store.postgres.session import PostgresSession

LOOK_S: Final = 2.0
TOLD_AFTER_S: Final = 12.0
GIVEN_UP_AFTER_S: Final = 60.0


class Underway(Struct):
    """A transaction on a connection, and since when no statement has been added to it."""

    connection: Connection[Any]
    may_last: bool
    since: float
    session: PostgresSession | None = None
    executed: int = 0

    def goes_on(self) -> bool:
        """Whether there are more statements than when that was asked last."""
        before = self.executed
        if self.session is not None:
            self.executed = self.session.executed
        return self.executed != before


class Silence:
    """Looks, on a thread of its own, at how long nothing has come of what is underway."""

    def __init__(self, name: str, clock: Clock, warn: Callable[[str], None]) -> None:
        self._name, self._clock, self._warn = name, clock, warn
        self._underway: Underway | None = None
        self._told = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def noticed(self, connection: Connection[Any], *, may_last: bool) -> Iterator[Underway]:
        """While something is underway. `may_last`: it is told, but not given up."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="store-silence", daemon=True)
            self._thread.start()
        self._told = False
        underway = self._underway = Underway(connection, may_last, self._clock.now())
        try:
            yield underway
        finally:
            self._underway = None

    def close(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Tell, or give up, what has taken too long by now."""
        underway, now = self._underway, self._clock.now()
        if underway is None:
            return
        if underway.goes_on():
            underway.since = now
        silent_s = now - underway.since
        if silent_s >= TOLD_AFTER_S and not self._told:
            self._told = True
            self._warn(f"the server of the store {self._name} has not answered for {silent_s:.0f} s; waiting for it")
        if silent_s >= GIVEN_UP_AFTER_S and not underway.may_last:
            _cut(underway.connection)


def _cut(connection: Connection[Any]) -> None:
    """Let whoever waits for an answer see the end of the connection."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)
