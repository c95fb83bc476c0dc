"""Requests that can be cut short from another thread, whatever they wait for: a name, a connection, an answer. What is asked is not known here."""

from __future__ import annotations

import contextlib
import http.client
import socket
import urllib.request
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class WasCut(Exception):
    """The request was cut short."""


class Cutter:
    """Runs one request at a time, in a thread of its own: what the system lets nobody interrupt, such as looking up a name, is left behind."""

    def __init__(self) -> None:
        self._over = Event()
        self._lock = Lock()
        self._job: _Job[Any] | None = None
        self._socket: socket.socket | None = None

    def handlers(self) -> list[urllib.request.BaseHandler]:
        """Handlers of urllib whose connections are cut."""
        return [_Http(self._connected), _Https(self._connected)]

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives. Raises what it raises, and WasCut."""
        job = _Job(work)
        with self._lock:
            if self._over.is_set():
                raise WasCut
            self._job = job
        job.start()
        job.ended.wait()
        if self._over.is_set():
            raise WasCut
        return job.outcome()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is over; whether it is."""
        return self._over.wait(seconds)

    def cut(self) -> None:
        """From any thread: it is over, whatever is waited for."""
        with self._lock:
            self._over.set()
            if self._job is not None:
                self._job.ended.set()
            _shut(self._socket)

    def _connected(self, made: socket.socket) -> None:
        with self._lock:
            self._socket = made
            if self._over.is_set():
                _shut(made)


def _shut(made: socket.socket | None) -> None:
    if made is not None:
        with contextlib.suppress(OSError):
            made.shutdown(socket.SHUT_RDWR)


class _Job(Thread, Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(name="items: request", daemon=True)
        self._work = work
        self.ended = Event()
        self._given: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._given.append(self._work())
        except BaseException as error:  # noqa: BLE001  raised again by whoever waits for it
            self._error = error
        self.ended.set()

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._given[0]


Connected = Callable[[socket.socket], None]


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connected: Connected) -> None:
        super().__init__()
        self._connected = connected

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_told(http.client.HTTPConnection, self._connected), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connected: Connected) -> None:
        super().__init__()
        self._connected = connected

    def do_open(self, http_class: Any, req: urllib.request.Request, **how: Any) -> http.client.HTTPResponse:
        return super().do_open(_told(http_class, self._connected), req, **how)


def _told(kind: Callable[..., http.client.HTTPConnection], connected: Connected) -> Any:
    """A maker of connections that tells of each as soon as there is one."""

    def made(*where: Any, **how: Any) -> http.client.HTTPConnection:
        connection = kind(*where, **how)
        connect = connection.connect

        def connect_and_tell() -> None:
            connect()
            connected(connection.sock)

        connection.connect = connect_and_tell  # type: ignore[method-assign]
        return connection

    return made
