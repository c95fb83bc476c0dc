"""One TLS connection that never waits: frames come out of it, and what it does not take at once is kept."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from batchwork.workers.nodes.net.wire import Frames

_READ = 1 << 16
_READS = 16
"""Reads at a time: others are waiting too."""
_PIECE = 1 << 18
_AGAIN = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)


T = TypeVar("T")


class Mailbox(Generic[T]):
    """Letters from any thread for the one that waits for sockets: it is woken once for all that lie there."""

    def __init__(self) -> None:
        self.ear, self._mouth = socket.socketpair()
        self.ear.setblocking(False)
        self._mouth.setblocking(False)
        self._letters: deque[T] = deque()
        self._lock = threading.Lock()
        self._woken = False

    def put(self, letter: T) -> None:
        with self._lock:
            self._letters.append(letter)
            if self._woken:
                return
            self._woken = True
            with contextlib.suppress(OSError):  # full, or closed: then nobody waits
                self._mouth.send(b"\0")

    def take(self) -> list[T]:
        with contextlib.suppress(OSError):
            self.ear.recv(4096)
        with self._lock:
            letters, self._woken = [*self._letters], False
            self._letters.clear()
        return letters

    def close(self) -> None:
        with self._lock:
            self._woken = True
            self.ear.close()
            self._mouth.close()


class Closed(Exception):
    """The connection has ended, or cannot be used any more."""


class Connection:
    """A socket under TLS. `unsent` counts the bytes that wait. Belongs to one thread."""

    def __init__(self, secured: ssl.SSLSocket, most: int) -> None:
        secured.setblocking(False)
        self._socket = secured
        self._frames = Frames(most)
        self._waiting: deque[bytes] = deque()
        self._piece: bytes | None = None
        self._shaken = False
        self.unsent = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def far_end(self) -> str:
        """The address of the other side. Raises Closed."""
        try:
            address: str = self._socket.getpeername()[0]
        except OSError as error:
            raise Closed(str(error)) from error
        return address

    def trust(self, most: int) -> None:
        """From now on frames may be so long."""
        self._frames.most = most

    @property
    def wants_to_write(self) -> bool:
        return self._shaken and self.unsent > 0

    def hear(self) -> Iterator[tuple[int, bytes]]:
        """The frames (session, body) that have come. Raises Closed, BadFrame."""
        if not self._shake():
            return
        for _ in range(_READS):
            try:
                data = self._socket.recv(_READ)
            except _AGAIN:
                return
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from error
            if not data:
                raise Closed("the other side closed it")
            yield from self._frames.feed(data)

    @property
    def has_more(self) -> bool:
        """Whether there is something that was received and not read, which a selector does not see."""
        return self._shaken and self._socket.pending() > 0

    def say(self, data: bytes) -> None:
        """Put a frame behind those that wait; `flush` sends."""
        self._waiting.append(data)
        self.unsent += len(data)

    def flush(self) -> None:
        """Send what the socket takes. Raises Closed."""
        if not self._shake():
            return
        while (piece := self._next_piece()) is not None:
            try:
                sent = self._socket.send(piece)
            except _AGAIN:
                return
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from error
            self.unsent -= sent
            self._piece = piece[sent:] or None

    def _next_piece(self) -> bytes | None:
        """What is sent next. The same until it is sent: OpenSSL wants to be asked the same thing again."""
        if self._piece is None and self._waiting:
            pieces = [self._waiting.popleft()]
            length = len(pieces[0])
            while self._waiting and length + len(self._waiting[0]) <= _PIECE:
                pieces.append(self._waiting.popleft())
                length += len(pieces[-1])
            self._piece = b"".join(pieces)
        return self._piece

    def _shake(self) -> bool:
        """Whether both sides have their keys. Raises Closed."""
        if not self._shaken:
            try:
                self._socket.do_handshake()
            except _AGAIN:
                return False
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from error
            self._shaken = True
        return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
