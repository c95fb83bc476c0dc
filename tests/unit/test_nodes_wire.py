"""Frames between the hub and agents: cut anywhere, giant, garbage; and what strangers may say."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.model import Failure
from batchwork.workers.nodes.net.letter import Letter, read_letter
from batchwork.workers.nodes.net.wire import (
    FRAME_MOST,
    GREETING_MOST,
    AllEnded,
    BadFrame,
    Cancel,
    Frames,
    Granted,
    Hello,
    Outcomes,
    Page,
    Ready,
    Run,
    Trouble,
    Welcome,
    framed,
    introduced,
    understood_down,
    understood_up,
)

HELLO = Hello("token", 1, "0.1.0", "3.11.1", "alpha", 7, 4)
UPS = [
    HELLO,
    AllEnded(3, "token"),
    Ready([True, False]),
    Trouble("there is no ü", ""),
    Outcomes(
        1,
        [(0, 2)],
        ['"a"', "{}"],
        [5, 6],
        [(2, Failure("x", "y", kinds=["OSError"]), 1)],
        [3],
        [4],
        [5],
        {2: "log"},
        "w",
        "",
    ),
]
DOWNS = [
    Welcome(1, "token", 10.0),
    Granted(5),
    Cancel(),
    Page(1, None, "no"),
    Run(0, 1, 1, None, ['"a"'], ["[1]"], 0, 3, True),
    Run(0, 1, 1, (0, 100, 1), []),
]


def body_of(frame: bytes) -> bytes:
    ((_, body),) = Frames(FRAME_MOST).feed(frame)
    return body


@pytest.mark.parametrize("message", UPS, ids=lambda message: type(message).__name__)
def test_what_a_node_says_is_understood(message):
    assert understood_up(body_of(framed(1, message))) == message


@pytest.mark.parametrize("message", DOWNS, ids=lambda message: type(message).__name__)
def test_what_a_node_is_told_is_understood(message):
    assert understood_down(body_of(framed(1, message))) == message


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.sampled_from(UPS)), max_size=6), st.data())
def test_a_stream_that_is_cut_anywhere_gives_the_same_frames(said, data):
    stream = b"".join(framed(session, message) for session, message in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames, heard = Frames(FRAME_MOST), []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += [(session, understood_up(body)) for session, body in frames.feed(stream[start:stop])]
    assert heard == said


@pytest.mark.parametrize("length", [0, 3, GREETING_MOST + 1, 2**31, 2**32 - 1])
def test_a_frame_that_cannot_be_is_refused_by_its_length_alone(length):
    frames = Frames(GREETING_MOST)
    with pytest.raises(BadFrame, match="a frame of"):
        list(frames.feed(struct.pack(">II", length, 0)))


def test_the_largest_frame_is_believed():
    frames = Frames(1000)
    body = b"x" * 996
    assert list(frames.feed(struct.pack(">II", 1000, 9) + body)) == [(9, body)]


@given(st.binary(max_size=200))
def test_garbage_is_no_message(body):
    for understand in (understood_up, understood_down, introduced):
        try:
            message = understand(body)
        except BadFrame:
            continue
        assert isinstance(message, msgspec.Struct)


def nested(message: Hello | AllEnded | Ready) -> bytes:
    """The message with one field more, in which lists stand in lists."""
    body = framed(0, message)[8:]
    return bytes([body[0] + 1]) + body[1:] + b"\x91" * 60_000 + b"\xc0"


@pytest.mark.parametrize(
    "message", [HELLO, AllEnded(3, "token"), Ready([True])], ids=lambda message: type(message).__name__
)
def test_lists_within_lists_are_no_message_and_break_nothing(message):
    for understand in (understood_up, introduced):
        with pytest.raises(BadFrame):
            understand(nested(message))


@pytest.mark.parametrize("message", UPS[2:], ids=lambda message: type(message).__name__)
def test_a_stranger_may_only_say_who_he_is(message):
    with pytest.raises(BadFrame):
        introduced(body_of(framed(0, message)))


def test_what_is_no_text_is_washed():
    sent = understood_up(body_of(framed(1, Trouble("a\ud800b", ""))))
    assert isinstance(sent, Trouble)
    sent.message.encode()


def test_a_letter_is_one_line():
    letter = Letter(["10.0.0.1", "127.0.0.1"], 4711, "-----BEGIN\n", "token")
    written = letter.written()
    assert written.count(b"\n") == 1 and written.endswith(b"\n")
    assert read_letter(written) == letter


@pytest.mark.parametrize("line", [b"", b"\n", b"{}", b"[1]", b"\xff\xfe", b'{"port": "x"}'])
def test_what_is_no_letter_is_said_so(line):
    with pytest.raises(ValueError, match="a letter of batchwork is expected"):
        read_letter(line)
