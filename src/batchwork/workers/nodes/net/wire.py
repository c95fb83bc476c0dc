"""What the hub and the agents of nodes say to each other: messages in frames, over one TLS connection for each node.

A frame is a length (4 bytes, big-endian: of the rest), the number of a session (4 bytes, 0: of none) and a message in
MessagePack, an array whose first element is the message's name. A session is what one executor of a run does on one node.

An agent opens the connection and says Hello. It is answered by Welcome or Refused, and renews its lease with Renew, answered by
Granted. The lease counts from when the agent *asked*: an answer that comes late, kept up by a network, lengthens nothing.
Where nothing is heard, Vouch does the same on another connection: after a cut, TCP is silent for as long again.
Whoever sees all processes of a node ended says AllEnded, the supervisor of a dead agent too, on a connection of its own.

Numbers of units are offsets in the call that was sent. Payloads travel as the JSON texts that they are on the next wire.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from batchwork.model import Failure
from batchwork.ports import PageQuery, Running, Staffing
from batchwork.text.jsontext import wash

PROTOCOL: Final = 1
GREETING_MOST: Final = 1 << 16
"""Bytes of a frame from somebody who is not known yet, at most."""
FRAME_MOST: Final = 192 << 20
"""Bytes of any frame, at most: a result of 64 MiB may take three times as much, escaped."""
RENEWALS: Final = 5
"""A lease is renewed so many times while it lasts."""

_HEAD: Final = struct.Struct(">II")
HEAD_SIZE: Final = _HEAD.size
"""Bytes of a frame before its body."""


class BadFrame(Exception):
    """The other side does not speak this protocol."""


# ---------------------------------------------------------------- from a node


class Up(Struct, frozen=True, array_like=True, tag=True):
    """What a node says."""


class Hello(Up, frozen=True, array_like=True, tag=True):
    """A node wants to work. `former` is the number that it had before it lost its lease or its agent: all of that has ended."""

    token: str
    protocol: int
    version: str
    python: str
    host: str
    pid: int
    slots: int
    former: int = 0


class Renew(Up, frozen=True, array_like=True, tag=True):
    number: int


class AllEnded(Up, frozen=True, array_like=True, tag=True):
    """No process of the node that had this number lives any more."""

    node: int
    token: str


class Vouch(Up, frozen=True, array_like=True, tag=True):
    """A node renews its lease on another connection, because nothing is heard on its own. Answered by Granted, or not at all."""

    node: int
    token: str
    number: int


class Ready(Up, frozen=True, array_like=True, tag=True):
    """Which lanes of a session would start a call at once."""

    lanes: list[bool]


class Outcomes(Up, frozen=True, array_like=True, tag=True):
    """A report: `done` in ranges from, to."""

    call: int
    done: list[tuple[int, int]]
    results: list[str]
    durations_us: list[int]
    failures: list[tuple[int, Failure, int]]
    cancelled: list[int]
    returned: list[int]
    lost: list[int]
    logs: dict[int, str]
    worker: str
    setup: str
    adrift: list[int] = []


class NowRunning(Up, frozen=True, array_like=True, tag=True):
    units: list[Running]


class Trouble(Up, frozen=True, array_like=True, tag=True):
    """Workers of a session cannot be started or prepared here at all. `lacking`: for the machine lacks what others may have."""

    message: str
    hint: str
    lacking: bool = False


class SessionEnded(Up, frozen=True, array_like=True, tag=True):
    """All workers of a session have ended."""


class Question(Up, frozen=True, array_like=True, tag=True):
    """A worker wants a page of an earlier step's results."""

    number: int
    query: PageQuery


# ---------------------------------------------------------------- to a node


class Down(Struct, frozen=True, array_like=True, tag=True):
    """What a node is told."""


class Welcome(Down, frozen=True, array_like=True, tag=True):
    """It is a node of the run now. `token` is its own: with it, what has ended is told, and one further hello is said."""

    node: int
    token: str
    lease_s: float


class Refused(Down, frozen=True, array_like=True, tag=True):
    why: str


class Granted(Down, frozen=True, array_like=True, tag=True):
    number: int


class Leave(Down, frozen=True, array_like=True, tag=True):
    """There is nothing more to do: the agent ends all, says so, and goes."""


class Begin(Down, frozen=True, array_like=True, tag=True):
    """A session begins: the executor for this kind of worker is started. `prepare` is JSON.

    `declared` is the environment that the workflow asks for beside the node's own. `needed` are paths that must be there,
    each with the SHA-256 of what the file must hold, or nothing. `window`: bytes of outcomes that may be on the way.
    """

    worker: str
    prepare: str
    staffing: Staffing
    declared: list[tuple[bytes, bytes]]
    needed: list[tuple[str, str]]
    window: int


class Run(Down, frozen=True, array_like=True, tag=True):
    """A call. Its payloads are the numbers of a range, or JSON texts; with `shared`, texts of lists that stand in these."""

    lane: int
    call: int
    attempt: int
    numbers: tuple[int, int, int] | None
    texts: list[str]
    shared: list[str] | None = None
    slot: int = 0
    ends_after: int | None = None
    forgives: bool = False


class Warm(Down, frozen=True, array_like=True, tag=True):
    lanes: int


class Recall(Down, frozen=True, array_like=True, tag=True):
    pass


class Cancel(Down, frozen=True, array_like=True, tag=True):
    pass


class Kill(Down, frozen=True, array_like=True, tag=True):
    pass


class Finish(Down, frozen=True, array_like=True, tag=True):
    """The session is over: its workers are stopped."""


class Page(Down, frozen=True, array_like=True, tag=True):
    """The answer to a question: JSON text, or why there is none."""

    number: int
    page: str | None
    error: str


class Took(Down, frozen=True, array_like=True, tag=True):
    """So many bytes of outcomes of a session have been taken by whom they are for."""

    count: int


Introduction = Hello | AllEnded | Vouch
"""What somebody may say who is not known yet."""
AnyUp = Hello | Renew | AllEnded | Vouch | Ready | Outcomes | NowRunning | Trouble | Question | SessionEnded
AnyDown = (
    Welcome | Refused | Granted | Leave | Begin | Run | Warm | Recall | Cancel | Kill | Finish | Page | Took
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()
_introduction = msgspec.msgpack.Decoder(Introduction)
_up = msgspec.msgpack.Decoder(AnyUp)
_down = msgspec.msgpack.Decoder(AnyDown)


def framed(session: int, message: Up | Down) -> bytes:
    """A message as a frame. Lone surrogates in its texts are washed: what programs print may be no text at all."""
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError:
        body = _encoder.encode(_washed(msgspec.to_builtins(message)))
    return _HEAD.pack(len(body) + 4, session) + body


def extent(text: str) -> int:
    """Bytes that a text takes in a frame, at most."""
    return (len(text) if text.isascii() else len(text.encode("utf-8", "replace"))) + 5


def _washed(value: Any) -> Any:
    if isinstance(value, str):
        return wash(value)
    if isinstance(value, dict):
        return {_washed(name): _washed(part) for name, part in value.items()}
    return [*map(_washed, value)] if isinstance(value, list | tuple) else value


def introduced(body: bytes) -> Introduction:
    """What somebody said who is not known yet. Raises BadFrame."""
    message: Introduction = _understood(_introduction, body)
    return message


def understood_up(body: bytes) -> AnyUp:
    """What a node said. Raises BadFrame."""
    message: AnyUp = _understood(_up, body)
    return message


def understood_down(body: bytes) -> AnyDown:
    """What the hub said. Raises BadFrame."""
    message: AnyDown = _understood(_down, body)
    return message


def _understood(decoder: msgspec.msgpack.Decoder[Any], body: bytes) -> Any:
    """Lists within lists without end are no message either. Raises BadFrame."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadFrame(f"it is not a message of batchwork: {error}") from error


class Frames:
    """Cuts a stream of bytes into frames. `most` is the length of a frame that is believed."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames (session, body) that are complete with `data`. Raises BadFrame before anything is kept for a giant."""
        pending = self._pending
        pending += data
        start = 0
        while len(pending) - start >= _HEAD.size:
            length, session = _HEAD.unpack_from(pending, start)
            if not 4 <= length <= self.most:
                raise BadFrame(f"a frame of {length:,} bytes")
            end = start + 4 + length
            if len(pending) < end:
                break
            with memoryview(pending) as view:
                body = bytes(view[start + _HEAD.size : end])
            yield session, body
            start = end
        del pending[:start]
