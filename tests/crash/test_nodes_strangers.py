"""Whoever else comes to the hub's port: sent away within five seconds, and nodes are served as before (R9)."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import platform
import resource
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import psutil
import pytest
from msgspec.structs import replace

from batchwork import __version__
from batchwork.workers.nodes.hub.company import GREETING_S
from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.hub.news import Gone, Inbox, Silent
from batchwork.workers.nodes.net import credentials
from batchwork.workers.nodes.net.connection import Closed, Connection
from batchwork.workers.nodes.net.credentials import own_certificate
from batchwork.workers.nodes.net.letter import Letter, call_hub
from batchwork.workers.nodes.net.wire import (
    PROTOCOL,
    AllEnded,
    AnyDown,
    Granted,
    Hello,
    Refused,
    Renew,
    Vouch,
    Welcome,
    framed,
    understood_down,
)

SLACK_S = 2.0
DEADLINE_S = 20.0
MEMORY = 24 << 20


class Caller:
    """The other end of a connection to the hub."""

    def __init__(self, letter: Letter) -> None:
        self._connection: Connection = call_hub(letter)
        self._heard: deque[AnyDown] = deque()

    def say(self, data: bytes) -> None:
        self._connection.say(data)
        self._connection.flush()

    def hear(self) -> AnyDown:
        """What is said next. Raises Closed."""
        deadline = time.monotonic() + DEADLINE_S
        while not self._heard:
            assert time.monotonic() < deadline, "nothing was heard"
            self._listen()
            if not self._heard:
                select.select([self._connection], [], [], 0.1)
        return self._heard.popleft()

    def _listen(self) -> None:
        try:
            for _, body in self._connection.hear():
                self._heard.append(understood_down(body))
        except Closed:
            if not self._heard:
                raise

    def is_closed(self) -> bool:
        """Whether the hub closes it, which is waited for."""
        with contextlib.suppress(Closed):
            self.hear()
            return False
        return True

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(3.0, 0.5)
    hub.open("127.0.0.1")
    yield hub
    hub.close()
    assert hub.broken is None


@pytest.fixture
def letter(hub: Hub) -> Letter:
    return hub.letter(["127.0.0.1"], None)


@pytest.fixture
def node(hub: Hub, letter: Letter) -> Iterator[Caller]:
    """A node that renews its lease all the time; at the end it has been answered each time."""
    inbox = Inbox()
    hub.begin(inbox)
    caller, over, answers = Caller(letter), threading.Event(), []
    caller.say(framed(0, hello(letter.token)))
    welcome = caller.hear()
    assert isinstance(welcome, Welcome)

    def renew() -> None:
        number = 0
        while not (number and over.wait(0.1)):
            number += 1
            began = time.monotonic()
            caller.say(framed(0, Renew(number)))
            if caller.hear() == Granted(number):
                answers.append(time.monotonic() - began)

    thread = threading.Thread(target=renew)
    thread.start()
    yield caller
    over.set()
    thread.join()
    news, _ = inbox.take(0.0)
    caller.say(framed(0, AllEnded(welcome.node, welcome.token)))
    caller.close()
    assert not [one for one in news if isinstance(one, Silent | Gone) and one.node == welcome.node]
    assert answers and max(answers) < 2.0


def plain(letter: Letter) -> socket.socket:
    return socket.create_connection(("127.0.0.1", letter.port), timeout=DEADLINE_S)


def secured(letter: Letter) -> ssl.SSLSocket:
    """Whoever talks TLS, and does not look whose certificate it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain(letter))


def ends_in_time(sock: socket.socket) -> bool:
    """Whether the hub has closed it when a stranger's time is over."""
    sock.settimeout(GREETING_S + SLACK_S)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def hello(token: str) -> Hello:
    return Hello(token, PROTOCOL, __version__, platform.python_version(), "alpha", 1, 2)


def deep(frame: bytes) -> bytes:
    """The frame, with one field more: lists in lists."""
    body = bytes([frame[8] + 1]) + frame[9:] + b"\x91" * 60_000 + b"\xc0"
    return struct.pack(">II", len(body) + 4, 0) + body


GARBAGE = {
    "nothing": b"",
    "a request of the web": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)) * 64,
    "half a handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


FRAMES = {
    "nothing under TLS": b"",
    "half a length": b"\0\0",
    "a giant length": struct.pack(">II", 2**32 - 1, 0),
    "a length of more than a greeting": struct.pack(">II", 1 << 20, 0),
    "no length": struct.pack(">II", 0, 0),
    "a frame that does not come": struct.pack(">II", 1 << 16, 0) + b"x",
    "garbage": struct.pack(">II", 104, 0) + b"\xc1" * 100,
    "a message of a member": framed(0, Renew(1)),
    "a message of a session": framed(1, hello("x")),
    "lists within lists": deep(framed(0, hello("x"))),
}


def test_who_does_not_speak_the_protocol_is_sent_away(letter: Letter, node: Caller) -> None:
    with ExitStack() as stack:
        strangers = {name: stack.enter_context(plain(letter)) for name in GARBAGE}
        strangers |= {name: stack.enter_context(secured(letter)) for name in FRAMES}
        for name, sock in strangers.items():
            sock.sendall({**GARBAGE, **FRAMES}[name])
        assert [name for name, sock in strangers.items() if not ends_in_time(sock)] == []


def test_a_wrong_token_is_refused(letter: Letter, node: Caller, hub: Hub) -> None:
    stranger = Caller(letter)
    stranger.say(framed(0, hello("x" * 43)))
    refused = stranger.hear()
    assert isinstance(refused, Refused) and "its token is not one of this run" in refused.why
    assert stranger.is_closed()
    stranger.close()
    assert hub.refusals == {}
    assert len(hub.nodes()) == 1


def test_nobody_can_say_that_a_node_has_ended_but_itself(letter: Letter, node: Caller, hub: Hub) -> None:
    stranger = Caller(letter)
    stranger.say(framed(0, AllEnded(1, letter.token)))
    assert stranger.is_closed()
    stranger.close()
    assert len(hub.nodes()) == 1


def test_a_lease_is_granted_on_another_connection_to_nodes_that_are_there_only(letter: Letter, hub: Hub) -> None:
    member, inbox = Caller(letter), Inbox()
    hub.begin(inbox)
    member.say(framed(0, hello(letter.token)))
    welcome = member.hear()
    assert isinstance(welcome, Welcome)
    for number in range(3, 60):  # for longer than the lease, its own connection says nothing
        other = Caller(letter)
        other.say(framed(0, Vouch(welcome.node, welcome.token, number)))
        assert other.hear() == Granted(number)
        other.close()
        select.select([], [], [], 0.1)
    assert len(hub.nodes()) == 1
    for node, token in ((welcome.node, letter.token), (welcome.node, ""), (7, welcome.token), (0, "")):
        other = Caller(letter)
        other.say(framed(0, Vouch(node, token, 99)))
        assert other.is_closed()
        other.close()
    member.close()
    news, _ = inbox.take(1.0)
    while not any(isinstance(one, Silent) for one in news):
        news, _ = inbox.take(DEADLINE_S)
    other = Caller(letter)
    other.say(framed(0, Vouch(welcome.node, welcome.token, 100)))
    assert other.is_closed(), "what it says is not heard any more, so that its lease must end"
    other.close()


def test_an_agent_talks_to_no_other_hub(letter: Letter) -> None:
    """Its letter names the certificate; the token is sent to nobody else."""
    _, other = own_certificate()
    with pytest.raises(Closed, match="certificate verify failed"):
        call_hub(replace(letter, certificate=other))


@pytest.mark.parametrize("years", [-40, 40])
def test_a_node_with_a_wrong_date_is_let_in(monkeypatch: pytest.MonkeyPatch, years: int) -> None:
    class Elsewhen(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.now(tz) + dt.timedelta(days=366 * years)

    shifted = SimpleNamespace(datetime=Elsewhen, UTC=dt.UTC, timedelta=dt.timedelta)
    monkeypatch.setattr(credentials, "dt", shifted)
    hub = Hub(3.0, 0.5)
    hub.open("127.0.0.1")
    caller = Caller(hub.letter(["127.0.0.1"], None))
    caller.say(framed(0, hello("x")))
    assert isinstance(caller.hear(), Refused), "it came through"
    caller.close()
    hub.close()


def test_three_hundred_who_say_nothing_change_nothing(letter: Letter, node: Caller, hub: Hub) -> None:
    files = len(os.listdir("/proc/self/fd"))
    silent = [plain(letter) for _ in range(300)]
    try:
        assert all(map(ends_in_time, silent))
    finally:
        for sock in silent:
            sock.close()
    late = Caller(letter)
    late.say(framed(0, hello(letter.token)))
    welcome = late.hear()
    assert isinstance(welcome, Welcome)
    assert len(hub.nodes()) == 2
    late.say(framed(0, AllEnded(welcome.node, welcome.token)))
    late.close()
    assert len(os.listdir("/proc/self/fd")) < files + 20


def test_giant_lengths_take_no_memory(letter: Letter, node: Caller) -> None:
    before = psutil.Process().memory_info().rss
    for _ in range(20):
        with secured(letter) as sock, contextlib.suppress(OSError):
            sock.sendall(struct.pack(">II", 150 << 20, 0) + b"x" * 30_000)
            assert ends_in_time(sock)
    assert psutil.Process().memory_info().rss < before + MEMORY


def test_when_no_more_files_can_be_opened_strangers_are_sent_away(letter: Letter, node: Caller) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    knocking = [socket.socket() for _ in range(5)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, limits[1]))
    try:
        began = time.process_time()
        for sock in knocking:
            sock.connect(("127.0.0.1", letter.port))
        assert all(map(ends_in_time, knocking))
        assert time.process_time() - began < 2.0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for sock in knocking:
            sock.close()
