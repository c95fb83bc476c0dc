"""The hub: one thread for all connections of a run to its nodes. It lets nodes in, grants their leases, carries frames, buries.

It is a thread of its own so that leases are granted however busy the coordinators of steps are. What frames of sessions say is
not looked at here.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from batchwork.clock import since_boot
from batchwork.workers.nodes.connection import Closed, Connection, Mailbox
from batchwork.workers.nodes.credentials import own_certificate
from batchwork.workers.nodes.letter import Letter
from batchwork.workers.nodes.members import Node, Refusal, Register
from batchwork.workers.nodes.news import Gone, Heard, Inbox, Joined, Silent
from batchwork.workers.nodes.wire import (
    FRAME_MOST,
    GREETING_MOST,
    AllEnded,
    BadFrame,
    Down,
    Granted,
    Hello,
    Leave,
    Refused,
    Renew,
    Welcome,
    framed,
    understood_up,
)

GREETING_S: Final = 5.0
"""Who has not said by then who he is, is sent away."""
STRANGERS_MOST: Final = 256
LEASE_S: Final = 10.0
MARGIN_S: Final = 2.0
"""How long the processes of a node may take to be gone once its lease is over."""


class _Peer(Struct, eq=False):
    """Somebody at the other end of a connection; `node` once it is a member."""

    connection: Connection
    until: float
    node: Node | None = None
    goodbye: bool = False
    """It is closed as soon as all is sent."""


class _Post(Struct, frozen=True):
    """A frame for a node, from another thread."""

    node: int
    frame: bytes


class Hub:
    """Made by the run's thread; `open` starts the thread. What is told to sessions lies in their inboxes."""

    def __init__(self, lease_s: float = LEASE_S, margin_s: float = MARGIN_S) -> None:
        self._lease_s = lease_s
        self._register = Register(lease_s + margin_s)
        self._mail: Mailbox[_Post | Callable[[], None]] = Mailbox()
        self._selector = selectors.DefaultSelector()
        self._peers: dict[int, _Peer] = {}
        self._strangers: set[_Peer] = set()
        self._sessions: dict[int, Inbox] = {}
        self._numbers = 0
        self._thread = threading.Thread(target=self._work, name="hub", daemon=True)
        self._leaving = self._over = False
        self.emptied = threading.Condition()
        self.alone_since: float | None = since_boot()
        """Since when there has been no node; None while there is one."""

    # ------------------------------------------------------------ from other threads

    def open(self, address: str) -> None:
        """Listen at an address of this machine ("": at all). Raises OSError, UsageError."""
        self._context, self._certificate = own_certificate()
        self._door = socket.create_server((address, 0), backlog=STRANGERS_MOST)
        self._door.setblocking(False)
        self._selector.register(self._door, selectors.EVENT_READ)
        self._selector.register(self._mail.ear, selectors.EVENT_READ)
        self._thread.start()

    def letter(self, addresses: Sequence[str], nodes: int | None) -> Letter:
        """What a launch gives its agents: good for so many nodes, or for any number."""
        token = self._register.new_launch(nodes)
        return Letter(addresses, self._door.getsockname()[1], self._certificate, token)

    def nodes(self) -> list[Node]:
        """The nodes that there are now."""
        return [peer.node for peer in list(self._peers.values()) if peer.node is not None]

    @property
    def refusals(self) -> dict[str, str]:
        """Machines that were refused, and why."""
        return dict(self._register.refusals)

    def begin(self, inbox: Inbox) -> int:
        """A new session, whose news go into the inbox: first the nodes that are here already. Its number."""
        self._numbers += 1
        number = self._numbers

        def enter() -> None:
            self._sessions[number] = inbox
            for node in self.nodes():
                inbox.put(Joined(node))

        self._mail.put(enter)
        return number

    def end(self, session: int) -> None:
        """Nobody reads the session's inbox any more."""
        self._mail.put(lambda: self._forget(session))

    def _forget(self, session: int) -> None:
        self._sessions.pop(session, None)

    def send(self, node: int, session: int, message: Down) -> None:
        """Say something to a node; to one that is gone it is not said."""
        self._mail.put(_Post(node, framed(session, message)))

    def expel(self, node: int) -> None:
        """Break with a node that is not trusted any more. It ends what it does as one that is cut off."""
        self._mail.put(lambda: self._cut(node))

    def _cut(self, node: int) -> None:
        if (peer := self._peers.get(node)) is not None:
            self._drop(peer)

    def close(self) -> None:
        """Send all nodes away, and wait until all that they started has ended; then end the thread."""
        self._mail.put(self._send_away)
        with self.emptied:
            self.emptied.wait_for(lambda: not self._peers and self._register.next_overdue() is None)
        self._mail.put(self._stop)
        self._thread.join()

    # ------------------------------------------------------------ the thread

    def _work(self) -> None:
        while not self._over:
            self._carry()
            for key, events in self._selector.select(self._wait_s()):
                self._attend(key, events)
            self._look(since_boot())
        for peer in [*self._peers.values(), *self._strangers]:
            self._close(peer)
        self._door.close()
        self._selector.close()
        self._mail.close()

    def _carry(self) -> None:
        """Do what other threads want."""
        written = set()
        for letter in self._mail.take():
            if not isinstance(letter, _Post):
                letter()
            elif (peer := self._peers.get(letter.node)) is not None:
                peer.connection.say(letter.frame)
                written.add(peer.node)
        for node in written:
            if node is not None and (peer := self._peers.get(node.number)) is not None:
                self._speak(peer)

    def _wait_s(self) -> float | None:
        if any(peer.connection.has_more for peer in self._peers.values()):
            return 0.0
        times = [peer.until for peer in self._strangers]
        if (overdue := self._register.next_overdue()) is not None:
            times.append(overdue)
        return max(0.0, min(times) - since_boot()) if times else None

    def _attend(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._door:
            self._accept()
        elif isinstance(key.data, _Peer):
            if events & selectors.EVENT_WRITE:
                self._speak(key.data)
            if events & selectors.EVENT_READ:
                self._listen(key.data)

    def _look(self, now: float) -> None:
        """What is due by the clock."""
        for peer in [peer for peer in self._strangers if now >= peer.until]:
            self._drop(peer)
        for peer in [peer for peer in self._peers.values() if peer.connection.has_more]:
            self._listen(peer)
        for node in self._register.overdue(now):
            self._bury(node)

    # ------------------------------------------------------------ one connection

    def _accept(self) -> None:
        try:
            plain, _ = self._door.accept()
        except OSError:  # it went away, or there are too many files: the next one may have more luck
            return
        if len(self._strangers) >= STRANGERS_MOST:
            plain.close()
            return
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        except (OSError, ssl.SSLError):
            plain.close()
            return
        peer = _Peer(Connection(secured, GREETING_MOST), since_boot() + GREETING_S)
        self._strangers.add(peer)
        self._selector.register(peer.connection, selectors.EVENT_READ, peer)

    def _listen(self, peer: _Peer) -> None:
        try:
            for session, body in peer.connection.hear():
                self._heard(peer, session, body)
            self._watch(peer)
        except (Closed, BadFrame):
            self._drop(peer)

    def _speak(self, peer: _Peer) -> None:
        try:
            peer.connection.flush()
            self._watch(peer)
        except Closed:
            self._drop(peer)

    def _watch(self, peer: _Peer) -> None:
        """Wait for room to write only where something waits for it."""
        if peer.goodbye and not peer.connection.unsent:
            self._drop(peer)
        elif peer.connection.fileno() >= 0:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.connection.wants_to_write else 0)
            self._selector.modify(peer.connection, wanted, peer)

    def _say(self, peer: _Peer, message: Down) -> None:
        peer.connection.say(framed(0, message))
        self._speak(peer)

    def _heard(self, peer: _Peer, session: int, body: bytes) -> None:
        """Raises BadFrame."""
        if peer.goodbye:
            return
        if session and peer.node is not None:
            if (inbox := self._sessions.get(session)) is not None:
                inbox.put(Heard(peer.node.number, body))
            return
        match understood_up(body):
            case Renew(number) if peer.node is not None:
                self._register.grant(peer.node.number, since_boot())
                self._say(peer, Granted(number))
            case AllEnded(node, token):
                if self._register.is_own(node, token):
                    self._bury(node)
                if peer.node is None:
                    self._part(peer)
            case Hello() as hello if peer.node is None:
                self._greet(peer, hello)
            case _:
                raise BadFrame("a message out of turn")

    def _part(self, peer: _Peer) -> None:
        """Close it once all is sent."""
        peer.goodbye = True
        self._speak(peer)

    # ------------------------------------------------------------ members

    def _greet(self, peer: _Peer, hello: Hello) -> None:
        if hello.former and self._register.is_own(hello.former, hello.token):
            self._bury(hello.former)
        try:
            node = self._admitted(hello)
        except Refusal as refusal:
            self._say(peer, Refused(str(refusal)))
            self._part(peer)
            return
        self._strangers.discard(peer)
        peer.node = node
        peer.connection.trust(FRAME_MOST)
        self._peers[node.number] = peer
        self.alone_since = None
        self._say(peer, Welcome(node.number, self._register.token(node.number), self._lease_s))
        for inbox in self._sessions.values():
            inbox.put(Joined(node))

    def _admitted(self, hello: Hello) -> Node:
        if self._leaving:
            raise Refusal("the run is over")
        return self._register.admit(hello, since_boot())

    def _drop(self, peer: _Peer) -> None:
        """The connection has ended, and is never read again. What its node did goes on until its lease is over."""
        self._close(peer)
        self._strangers.discard(peer)
        if peer.node is not None and self._peers.pop(peer.node.number, None) is not None:
            for inbox in self._sessions.values():
                inbox.put(Silent(peer.node.number))
            self._empty()

    def _close(self, peer: _Peer) -> None:
        if peer.connection.fileno() >= 0:
            self._selector.unregister(peer.connection)
            peer.connection.close()

    def _bury(self, node: int) -> None:
        """Nothing of the node lives any more: what it had begun is in doubt, and may go to others."""
        if (peer := self._peers.get(node)) is not None:
            self._drop(peer)
        if self._register.ended(node):
            for inbox in self._sessions.values():
                inbox.put(Gone(node))
        self._empty()

    def _empty(self) -> None:
        if not self._peers:
            self.alone_since = self.alone_since or since_boot()
        with self.emptied:
            self.emptied.notify_all()

    def _send_away(self) -> None:
        self._leaving = True
        for peer in list(self._peers.values()):
            self._say(peer, Leave())

    def _stop(self) -> None:
        self._over = True
