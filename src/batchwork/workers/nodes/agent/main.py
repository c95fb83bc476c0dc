"""The agent: speaks to the hub in one thread, and has a session for each executor of the run that works here.

It is a child of its supervisor, whose pipe is its standard input. As soon as its lease is over, the connection is gone or the
supervisor is, it ends all its work: every process below it at once.
"""

from __future__ import annotations

import contextlib
import os
import platform
import selectors
import socket
import sys

from msgspec import Struct

from batchwork import __version__, proctree
from batchwork.clock import Clock, SystemClock, since_boot
from batchwork.workers.local import local_executors
from batchwork.workers.nodes.agent.ends import LEFT, LOST, NO_WAY, ORPHANED, OVER, REFUSED, told
from batchwork.workers.nodes.agent.lease import Lease
from batchwork.workers.nodes.agent.session import Session
from batchwork.workers.nodes.agent.ways import Ways
from batchwork.workers.nodes.net.connection import Closed, Connection, Mailbox
from batchwork.workers.nodes.net.letter import HubEnded, Letter, read_letter, say_ended
from batchwork.workers.nodes.net.wire import (
    FRAME_MOST,
    PROTOCOL,
    RENEWALS,
    AllEnded,
    AnyDown,
    BadFrame,
    Begin,
    Finish,
    Granted,
    Hello,
    Leave,
    Refused,
    Renew,
    Vouch,
    Welcome,
    framed,
    understood_down,
)

LAST_WORDS_S = 2.0
"""How long the last words to the hub may take."""


class End(Exception):
    """The agent ends with this exit code; `why` is for people."""

    def __init__(self, code: int, why: str = "") -> None:
        super().__init__(why)
        self.code, self.why = code, why


class Settings(Struct, frozen=True):
    """`slots`: attempts at once that this node offers. `report`: the descriptor on which the supervisor listens."""

    slots: int
    report: int
    clock: Clock


class Agent:
    """One node, from its hello to its end."""

    def __init__(self, letter: Letter, settings: Settings) -> None:
        self._ways, self._settings = Ways(letter), settings
        self._outbox: Mailbox[bytes] = Mailbox()
        self._sessions: dict[int, Session] = {}
        self._lease: Lease | None = None
        self.node: Welcome | None = None
        self._selector = selectors.DefaultSelector()
        self._said_hello = 0.0

    def work(self) -> None:
        """Until the end. Raises End."""
        try:
            self._connection = connection = self._ways.own()
        except HubEnded as error:
            raise End(OVER, str(error)) from error
        except Closed as error:
            raise End(NO_WAY, str(error)) from error
        self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(self._outbox.ear, selectors.EVENT_READ)
        self._selector.register(self._ways.granted.ear, selectors.EVENT_READ)
        self._selector.register(0, selectors.EVENT_READ)
        self._greet()
        try:
            while True:
                self._turn(connection)
        except (Closed, BadFrame) as error:
            raise End(LOST, f"the connection to the hub is lost: {error}") from error

    def _greet(self) -> None:
        letter, python = self._ways.letter, platform.python_version()
        hello = Hello(
            letter.token,
            PROTOCOL,
            __version__,
            python,
            socket.gethostname(),
            os.getpid(),
            self._settings.slots,
            letter.former,
        )
        self._said_hello = since_boot()
        self._connection.say(framed(0, hello))

    def _turn(self, connection: Connection) -> None:
        """Send, wait, hear. Raises End, Closed, BadFrame."""
        for frame in self._outbox.take():
            connection.say(frame)
        self._renew()
        connection.flush()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_to_write else 0)
        self._selector.modify(connection, wanted)
        for key, _ in self._selector.select(0 if connection.has_more else self._wait_s()):
            if key.fileobj == 0 and not os.read(0, 4096):
                raise End(ORPHANED, "its supervisor is gone")
        for session, body in connection.hear():
            self._understand(session, understood_down(body))

    def _wait_s(self) -> float:
        if self._lease is None:
            return 1.0
        return max(0.0, self._lease.look_at - since_boot())

    def _renew(self) -> None:
        """Ask for the lease again, if it is time. Raises End once it is over."""
        lease, now = self._lease, since_boot()
        if lease is None:
            return
        for granted in self._ways.granted.take():
            lease.granted(granted)
            told(self._settings.report, "until", lease.until)
        if lease.is_over(now):
            raise End(LOST, "nothing was heard of the hub for as long as the lease lasts")
        if now >= lease.renew_at:
            self._connection.say(framed(0, Renew(lease.ask(now))))
        if (number := lease.vouch(now)) is not None and self.node is not None:
            vouch = Vouch(self.node.node, self.node.token, number)
            self._ways.ask(vouch, self.node.lease_s / RENEWALS)

    # ------------------------------------------------------------ what the hub says

    def _understand(self, number: int, message: AnyDown) -> None:
        """Raises End, BadFrame."""
        match message:
            case Begin():
                send = self._outbox.put
                clock = self._settings.clock
                session = Session(number, message, local_executors(clock), send, clock)
                self._sessions[number] = session
                session.start()
            case Welcome():
                self._welcomed(message)
            case Granted():
                self._granted(message.number)
            case Refused():
                raise End(REFUSED, message.why)
            case Leave():
                self._leave()
            case _:
                self._pass_on(number, message)

    def _welcomed(self, welcome: Welcome) -> None:
        self.node = welcome
        self._connection.trust(FRAME_MOST)
        self._lease = Lease(welcome.lease_s, self._said_hello)
        told(self._settings.report, "hub", self._connection.far_end)
        told(self._settings.report, "node", welcome.node, welcome.token)
        told(self._settings.report, "until", self._lease.until)

    def _granted(self, number: int) -> None:
        assert self._lease is not None
        self._lease.heard(number, since_boot())
        told(self._settings.report, "until", self._lease.until)

    def _pass_on(self, number: int, message: AnyDown) -> None:
        session = self._sessions.get(number)
        if session is None:
            return
        session.tell(message)
        if isinstance(message, Finish):
            del self._sessions[number]

    def _leave(self) -> None:
        """End all there is, say so, and go. Raises End."""
        for session in self._sessions.values():
            session.end()
        for session in self._sessions.values():
            session.join()
        end_below()
        assert self.node is not None
        self._connection.say(framed(0, AllEnded(self.node.node, self.node.token)))
        until = self._settings.clock.now() + LAST_WORDS_S
        with contextlib.suppress(Closed, BadFrame):
            while self._settings.clock.now() < until:
                self._connection.flush()
                for _ in self._connection.hear():  # until the hub closes it, so that the words are not cut off
                    pass
                self._selector.select(0.05)
        raise End(LEFT)


def end_below() -> None:
    """End every process that carries this agent's mark, itself excepted."""
    cookie = os.environ[proctree.COOKIE]
    proctree.kill_all(lambda: proctree.with_cookie(cookie))


def main(words: list[str]) -> None:
    """Reads the letter from standard input. `words`: slots, and the descriptor on which the supervisor listens."""
    letter, end = read_letter(_line()), End(LOST)
    agent = Agent(letter, Settings(int(words[0]), int(words[1]), SystemClock()))
    try:
        agent.work()
    except End as ended:
        end = ended
    finally:
        end_below()  # whatever it is: nothing of this node goes on without it
    if end.code == ORPHANED and agent.node is not None:
        say_ended(letter, agent.node.node, agent.node.token)
    if end.why:
        os.write(2, f"batchwork node: {end.why}\n".encode())
    os._exit(end.code)  # threads of sessions may be waiting for what is gone


def _line() -> bytes:
    """The first line of standard input, byte by byte: the rest is not for us."""
    line = bytearray()
    while not line.endswith(b"\n") and (part := os.read(0, 1)):
        line += part
    return bytes(line)


if __name__ == "__main__":
    main(sys.argv[1:])
