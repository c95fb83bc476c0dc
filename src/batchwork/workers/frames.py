"""Frames, in which the coordinator's process and a worker speak to each other over two inherited pipes.

A frame is a length (4 bytes, big-endian: of the rest), a tag (1 byte, a letter) and a body. The body is JSON; where lines
follow the first one, each of them is JSON too. This one asks for what has not started:

    00 00 00 03  53  7b 7d

To a worker go P (prepare a program), C (run a call), S (hand back what has not started), X (end what runs) and R (a
page of results). From a worker come H (ready), E (cannot be prepared), O (outcomes of a call), N (what is running now),
Q (a page is wanted) and L (the worker leaves).
What stands in their bodies is for Python workers and reactors to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEAD = struct.Struct(">IB")
"""Length of tag and body, tag."""

PREPARE, CALL, RECALL, CANCEL, PAGE = b"P"[0], b"C"[0], b"S"[0], b"X"[0], b"R"[0]
READY, BROKEN, OUTCOMES, NOW_RUNNING, QUERY, LEAVING = b"H"[0], b"E"[0], b"O"[0], b"N"[0], b"Q"[0], b"L"[0]


RUNNING_FROM_S = 1.0
"""Units that have been running so long are told as running."""
RUNNING_OUTPUT_MOST = 4 << 20
"""Characters of output that all of them together are told with, at most."""


def frame(tag: int, body: bytes) -> bytes:
    """A frame, ready to be written."""
    return _HEAD.pack(len(body) + 1, tag) + body


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames (tag, body) that are complete with `data`."""
        pending = self._pending
        pending += data
        start = 0
        while len(pending) - start >= _HEAD.size:
            length, tag = _HEAD.unpack_from(pending, start)
            end = start + 4 + length
            if len(pending) < end:
                break
            with memoryview(pending) as view:  # one copy, not two: a body may be 64 MiB
                body = bytes(view[start + _HEAD.size : end])
            yield tag, body
            start = end
        del pending[:start]
