"""A server that says nothing for long, though it is there: told to people, and then its connection is given up. No query is made here."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from psycopg import Connection

from batchwork.clock import Clock

LOOK_S: Final = 2.0
TOLD_AFTER_S: Final = 12.0
GIVEN_UP_AFTER_S: Final = 60.0


class Silence:
    """Looks, on a thread of its own, at how long what is underway has taken."""

    def __init__(self, name: str, clock: Clock, warn: Callable[[str], None]) -> None:
        self._name, self._clock, self._warn = name, clock, warn
        self._underway: tuple[Connection[Any], float, bool] | None = None
        self._told = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def noticed(self, connection: Connection[Any], *, may_last: bool) -> Iterator[None]:
        """While something is underway on a connection. `may_last`: it is told, but not given up."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="store-silence", daemon=True)
            self._thread.start()
        self._told = False
        self._underway = connection, self._clock.now(), may_last
        try:
            yield
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
        if self._underway is None:
            return
        connection, since, may_last = self._underway
        taken = self._clock.now() - since
        if taken >= TOLD_AFTER_S and not self._told:
            self._told = True
            self._warn(f"the server of the store {self._name} has not answered for {taken:.0f} s; waiting for it")
        if taken >= GIVEN_UP_AFTER_S and not may_last:
            _cut(connection)


def _cut(connection: Connection[Any]) -> None:
    """Let whoever waits for an answer see the end of the connection."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)
