"""Everybody who is connected to the hub: strangers, who have to say who they are, and members. Who is written to, read, sent away."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from batchwork.clock import since_boot
from batchwork.workers.nodes.hub.members import Node
from batchwork.workers.nodes.net.connection import Closed, Connection
from batchwork.workers.nodes.net.credentials import own_certificate
from batchwork.workers.nodes.net.wire import FRAME_MOST, GREETING_MOST

GREETING_S: Final = 5.0
"""Who has not said by then who he is, is sent away."""
STRANGERS_MOST: Final = 256


class Peer(Struct, eq=False):
    """Somebody at the other end of a connection; `node` once it is a member. `until` is when a stranger's time is over."""

    connection: Connection
    until: float
    node: Node | None = None
    leaving: bool = False
    """It is closed as soon as all is sent, and not listened to any more."""


class Door:
    """Where nodes come in. Raises OSError, UsageError."""

    def __init__(self, address: str) -> None:
        self._context, self.certificate = own_certificate()
        self._socket = socket.create_server((address, 0), backlog=STRANGERS_MOST)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._spare: int | None = None
        self._keep_spare()

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self) -> Connection | None:
        """Somebody new; None where he is gone already, or is sent away because too many files are open."""
        try:
            plain, _ = self._socket.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._send_away()
            return None
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        except (OSError, ssl.SSLError):
            plain.close()
            return None
        return Connection(secured, GREETING_MOST)

    def _send_away(self) -> None:
        """With a file that was kept for this: whoever stood at the door would be announced again and again."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with contextlib.suppress(OSError):
            self._socket.accept()[0].close()
        self._keep_spare()

    def _keep_spare(self) -> None:
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        self._socket.close()
        if self._spare is not None:
            os.close(self._spare)


class Company:
    """The connections. Belongs to the hub's thread, but for `nodes`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._strangers: set[Peer] = set()
        self.members: dict[int, Peer] = {}

    def nodes(self) -> list[Node]:
        return [peer.node for peer in list(self.members.values()) if peer.node is not None]

    def watch(self, ear: Door | socket.socket) -> None:
        """Wait for this, too."""
        self._selector.register(ear, selectors.EVENT_READ)

    def wait(self, until: float | None) -> Iterator[tuple[Peer | None, int]]:
        """Who has something to say, or room to hear (None: whatever else is waited for), waiting up to a time."""
        full = self._full()
        wait_s = 0.0 if full else self._wait_s(until)
        ready = [(key.data, events) for key, events in self._selector.select(wait_s)]
        yield from ready
        seen = {peer for peer, _ in ready}
        yield from ((peer, selectors.EVENT_READ) for peer in full if peer not in seen)

    def _full(self) -> list[Peer]:
        """Members of whom something is received and not read, which no selector sees."""
        return [peer for peer in self.members.values() if peer.connection.has_more]

    def _wait_s(self, until: float | None) -> float | None:
        times = [peer.until for peer in self._strangers]
        if until is not None:
            times.append(until)
        return max(0.0, min(times) - since_boot()) if times else None

    def welcome(self, connection: Connection) -> None:
        """A stranger."""
        if len(self._strangers) >= STRANGERS_MOST:
            connection.close()
            return
        peer = Peer(connection, since_boot() + GREETING_S)
        self._strangers.add(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)

    def late(self, now: float) -> Sequence[Peer]:
        """Strangers whose time is over."""
        return [peer for peer in self._strangers if now >= peer.until]

    def admit(self, peer: Peer, node: Node) -> None:
        """A stranger is a member now, and believed."""
        self._strangers.discard(peer)
        peer.node = node
        peer.connection.trust(FRAME_MOST)
        self.members[node.number] = peer

    def flush(self, peer: Peer) -> bool:
        """Send what can be sent, and wait for room only where something waits for it. False once the connection is to be dropped."""
        try:
            peer.connection.flush()
        except Closed:
            return False
        if peer.leaving and not peer.connection.unsent:
            return False
        self.listen_or_speak(peer)
        return True

    def listen_or_speak(self, peer: Peer) -> None:
        if peer.connection.fileno() >= 0:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.connection.wants_to_write else 0)
            self._selector.modify(peer.connection, wanted, peer)

    def drop(self, peer: Peer) -> bool:
        """Close the connection, for good. Whether it was a member's."""
        if peer.connection.fileno() >= 0:
            self._selector.unregister(peer.connection)
            peer.connection.close()
        self._strangers.discard(peer)
        return peer.node is not None and self.members.pop(peer.node.number, None) is not None

    def close(self) -> None:
        for peer in [*self.members.values(), *self._strangers]:
            self.drop(peer)
        self._selector.close()
