"""The letter that an agent is started with, on its standard input: where the hub is, by what it is known, and the token of the launch.

No part of it stands in an argument list. Whoever has it can take part in the run until the launch's nodes are in.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from batchwork.workers.nodes.net.connection import Closed, Connection
from batchwork.workers.nodes.net.wire import GREETING_MOST, AllEnded, BadFrame, framed

_CONNECT_S = 5.0
_GOODBYE_S = 1.0
_WHATEVER_THE_DATE = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME: the certificate is the run's own, and a node's date may be wrong."""
LONGEST = 1 << 20
"""Bytes of a letter, at most."""


class Letter(Struct, frozen=True):
    """`addresses` are hosts to be tried one after another, `certificate` is the hub's own, in PEM. `former`: see wire.Hello."""

    addresses: Sequence[str]
    port: int
    certificate: str
    token: str
    former: int = 0

    def written(self) -> bytes:
        """One line."""
        return msgspec.json.encode(self) + b"\n"


def read_letter(line: bytes) -> Letter:
    """The letter in a line. Raises ValueError for anything else."""
    try:
        return msgspec.json.decode(line, type=Letter)
    except msgspec.MsgspecError as error:
        raise ValueError("on standard input a letter of batchwork is expected, which starts an agent") from error


class HubEnded(Closed):
    """Where the hub was, nobody listens any more. A hub never comes back: each run, and each resume of one, has its own."""


def call_hub(letter: Letter, patience_s: float = _CONNECT_S) -> Connection:
    """A connection to the hub, and to no one else. Raises Closed where there is none at any of its addresses.

    Each is tried for so long. For who was a node before the first address is where the hub was found: raises HubEnded where
    it is refused there.
    """
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.minimum_version = ssl.TLSVersion.TLSv1_3
    trust.check_hostname = False  # it is known by its certificate, which was made for this run
    trust.verify_flags |= _WHATEVER_THE_DATE
    trust.load_verify_locations(cadata=letter.certificate)
    failures: list[str] = []
    for address in letter.addresses:
        try:
            plain = socket.create_connection((address, letter.port), timeout=patience_s)
        except OSError as error:
            if letter.former and not failures and isinstance(error, ConnectionRefusedError):
                raise HubEnded(f"the hub at {address} has ended") from error
            failures.append(f"{address}: {error.strerror or error}")
            continue
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Connection(trust.wrap_socket(plain), GREETING_MOST)
        except (OSError, ValueError) as error:
            plain.close()
            failures.append(f"{address}: {error}")
    raise Closed(f"there is no way to the hub at port {letter.port}: {'; '.join(failures)}")


def say_ended(letter: Letter, node: int, token: str) -> None:
    """Tell the hub that nothing of a node lives any more. If there is no way, its lease ends all the same."""
    with contextlib.suppress(Closed, BadFrame):
        connection = call_hub(letter)
        try:
            connection.say(framed(0, AllEnded(node, token)))
            connection.flush()
            select.select([connection], [], [], _GOODBYE_S)
            for _ in connection.hear():  # until the hub has closed it, so that the words are not cut off
                pass
        finally:
            connection.close()
