"""The hub: one thread for all connections of a run to its nodes. It lets nodes in, grants their leases, carries frames, buries.

It is a thread of its own so that leases are granted however busy the coordinators of steps are. What frames of sessions say is
not looked at here.
"""

from __future__ import annotations

import selectors
import threading
from collections.abc import Callable, Sequence

from msgspec import Struct

from batchwork.clock import since_boot
from batchwork.ports.executors import NODE_LEASE_S, NODE_MARGIN_S
from batchwork.workers.nodes.hub.company import Company, Door, Peer
from batchwork.workers.nodes.hub.members import Node, Refusal, Register
from batchwork.workers.nodes.hub.news import Audience, Gone, Heard, Inbox, Joined, Silent
from batchwork.workers.nodes.net.connection import Closed, Mailbox
from batchwork.workers.nodes.net.letter import Letter
from batchwork.workers.nodes.net.wire import (
    AllEnded,
    AnyUp,
    BadFrame,
    Down,
    Granted,
    Hello,
    Introduction,
    Leave,
    Refused,
    Renew,
    Vouch,
    Welcome,
    framed,
    introduced,
    understood_up,
)

_OPEN, _LEAVING, _OVER = range(3)


class _Post(Struct, frozen=True):
    """A frame for a node, from another thread."""

    node: int
    frame: bytes


class Presence:
    """Whether there are nodes. `alone_since`: since when there is none (seconds since the machine was started)."""

    def __init__(self) -> None:
        self.alone_since: float | None = since_boot()
        self._changed = threading.Condition()

    def begin(self) -> None:
        """From now on nodes are waited for."""
        self.alone_since = since_boot()

    def see(self, any_there: bool) -> None:
        with self._changed:
            if any_there:
                self.alone_since = None
            elif self.alone_since is None:
                self.alone_since = since_boot()
            self._changed.notify_all()

    def wait_for(self, fact: Callable[[], bool]) -> None:
        """Wait until it is so; looked at whenever somebody has come or gone."""
        with self._changed:
            self._changed.wait_for(fact)


class Hub:
    """Made by the run's thread; `open` starts the thread. What is told to sessions lies in their inboxes."""

    def __init__(self, lease_s: float = NODE_LEASE_S, margin_s: float = NODE_MARGIN_S) -> None:
        self._register = Register(lease_s, lease_s + margin_s)
        self._mail: Mailbox[_Post | Callable[[], None]] = Mailbox()
        self._company = Company()
        self._audience = Audience()
        self._presence = Presence()
        self._thread = threading.Thread(target=self._work, name="hub", daemon=True)
        self._stage = _OPEN
        self.broken: Exception | None = None
        """What has ended the thread before its time."""

    # ------------------------------------------------------------ from other threads

    def open(self, address: str) -> None:
        """Listen at an address of this machine ("": at all). Raises OSError, UsageError."""
        self._door = Door(address)
        self._presence.begin()
        self._company.watch(self._door)
        self._company.watch(self._mail.ear)
        self._thread.start()

    @property
    def given_up_s(self) -> float:
        """Seconds after which a node that is not heard of is given up."""
        return self._register.given_up_s

    @property
    def alone_since(self) -> float | None:
        """Since when there has been no node (seconds since the machine was started); None while there is one."""
        return self._presence.alone_since

    @property
    def refusals(self) -> dict[str, str]:
        """Machines that were refused, and why."""
        return dict(self._register.refusals)

    def letter(self, addresses: Sequence[str], nodes: int | None) -> Letter:
        """What a launch gives its agents: good for so many nodes, or for any number."""
        return Letter(addresses, self._door.port, self._door.certificate, self._register.new_launch(nodes))

    def nodes(self) -> list[Node]:
        """The nodes that there are now."""
        return self._company.nodes()

    def begin(self, inbox: Inbox) -> int:
        """A new session, whose news go into the inbox: first the nodes that are here already. Its number."""
        number = self._audience.number()
        self._mail.put(lambda: self._audience.enter(number, inbox, self.nodes()))
        return number

    def end(self, session: int) -> None:
        """Nobody reads the session's inbox any more."""
        self._mail.put(lambda: self._audience.leave(session))

    def send(self, node: int, session: int, message: Down) -> None:
        """Say something to a node; to one that is gone it is not said."""
        self._mail.put(_Post(node, framed(session, message)))

    def expel(self, node: int) -> None:
        """Break with a node that is not trusted any more. It ends what it does as one that is cut off."""
        self._mail.put(lambda: self._cut(node))

    def close(self) -> None:
        """Send all nodes away, and wait until all that they started has ended; then end the thread."""
        if not self._thread.is_alive():  # it could not be opened, or is broken
            return
        self._mail.put(self._send_away)
        self._presence.wait_for(self._all_gone)
        self._mail.put(self._stop)
        self._thread.join()

    def _all_gone(self) -> bool:
        return self._stage == _OVER or (self._stage == _LEAVING and self._register.next_overdue() is None)

    # ------------------------------------------------------------ the thread

    def _work(self) -> None:
        try:
            while self._carry():
                self._turn()
        except Exception as error:  # noqa: BLE001  # a bug: without this thread the run would wait for ever
            self.broken = error
            for node in list(self._company.members):
                self._cut(node)
        self._company.close()
        self._door.close()
        self._mail.close()
        self._stop()
        self._presence.see(any_there=False)

    def _turn(self) -> None:
        """Hear whoever has something to say, and see whose time is over."""
        for peer, events in self._company.wait(self._register.next_overdue()):
            self._attend(peer, events)
        now = since_boot()
        for peer in self._company.late(now):
            self._drop(peer)
        for node in self._register.overdue(now):
            self._bury(node)

    def _carry(self) -> bool:
        """Do what other threads want. False once all is over."""
        written: dict[int, Peer] = {}
        for letter in self._mail.take():
            if not isinstance(letter, _Post):
                letter()
            elif (peer := self._company.members.get(letter.node)) is not None:
                peer.connection.say(letter.frame)
                written[letter.node] = peer
        for peer in written.values():
            self._flush(peer)
        return self._stage < _OVER

    def _attend(self, peer: Peer | None, events: int) -> None:
        if peer is None:
            if (connection := self._door.accept()) is not None:
                self._company.welcome(connection)
            return
        if events & selectors.EVENT_WRITE:
            self._flush(peer)
        if events & selectors.EVENT_READ:
            self._listen(peer)

    def _listen(self, peer: Peer) -> None:
        try:
            for session, body in peer.connection.hear():
                self._heard(peer, session, body)
        except (Closed, BadFrame):
            self._drop(peer)
        else:
            self._company.listen_or_speak(peer)

    def _flush(self, peer: Peer) -> None:
        if not self._company.flush(peer):
            self._drop(peer)

    def _say(self, peer: Peer, message: Down) -> None:
        peer.connection.say(framed(0, message))
        self._flush(peer)

    def _heard(self, peer: Peer, session: int, body: bytes) -> None:
        """Raises BadFrame."""
        if peer.leaving:
            return
        if peer.node is None:
            self._stranger_said(peer, introduced(body))
        elif session:
            self._audience.tell(session, Heard(peer.node.number, body))
        else:
            self._member_said(peer, peer.node, understood_up(body))

    def _stranger_said(self, peer: Peer, message: Introduction) -> None:
        match message:
            case Hello():
                self._greet(peer, message)
            case AllEnded():
                self._ended(message)
                self._part(peer)
            case Vouch():
                self._vouched(peer, message)

    def _vouched(self, peer: Peer, message: Vouch) -> None:
        """A member whose own connection is slow after a cut. Of one whose connection has ended nothing is heard again."""
        if self._register.is_own(message.node, message.token) and message.node in self._company.members:
            self._register.grant(message.node, since_boot())
            self._say(peer, Granted(message.number))
        self._part(peer)

    def _member_said(self, peer: Peer, node: Node, message: AnyUp) -> None:
        """Raises BadFrame."""
        match message:
            case Renew(number):
                self._register.grant(node.number, since_boot())
                self._say(peer, Granted(number))
            case AllEnded():
                self._ended(message)
            case _:
                raise BadFrame("a message of no session")

    def _part(self, peer: Peer) -> None:
        """Close it once all is sent."""
        peer.leaving = True
        self._flush(peer)

    # ------------------------------------------------------------ members

    def _greet(self, peer: Peer, hello: Hello) -> None:
        self._ended(AllEnded(hello.former, hello.token))
        try:
            node = self._admitted(hello)
        except Refusal as refusal:
            self._say(peer, Refused(str(refusal)))
            self._part(peer)
            return
        self._company.admit(peer, node)
        self._presence.see(any_there=True)
        self._say(peer, Welcome(node.number, self._register.token(node.number), self._register.lease_s))
        self._audience.tell_all(Joined(node))

    def _admitted(self, hello: Hello) -> Node:
        if self._stage > _OPEN:
            raise Refusal("the run is over")
        return self._register.admit(hello, since_boot())

    def _ended(self, message: AllEnded) -> None:
        """If that is true of a node, it is buried."""
        if self._register.is_own(message.node, message.token):
            self._bury(message.node)

    def _drop(self, peer: Peer) -> None:
        """The connection has ended, and is never read again. What its node did goes on until its lease is over."""
        if self._company.drop(peer) and peer.node is not None:
            self._audience.tell_all(Silent(peer.node.number))
            self._presence.see(any_there=bool(self._company.members))

    def _cut(self, node: int) -> None:
        if (peer := self._company.members.get(node)) is not None:
            self._drop(peer)

    def _bury(self, node: int) -> None:
        """Nothing of the node lives any more: what it had begun is in doubt, and may go to others."""
        self._cut(node)
        if self._register.ended(node):
            self._audience.tell_all(Gone(node))
            self._presence.see(any_there=bool(self._company.members))

    # ------------------------------------------------------------ the end

    def _send_away(self) -> None:
        self._stage = _LEAVING
        for peer in list(self._company.members.values()):
            self._say(peer, Leave())
        self._presence.see(any_there=bool(self._company.members))

    def _stop(self) -> None:
        self._stage = _OVER
