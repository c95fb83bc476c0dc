"""The wire format between the coordinator's process and a worker. The same for Python workers and reactors.

A frame is a length (4 bytes, big-endian, of what follows), a tag (1 byte) and a body. Both directions use inherited
pipes; bodies are UTF-8 JSON (or JSON lines). `python_worker.py` speaks it too, in its own few lines, because it may
be run by any interpreter and imports nothing of batchwork.

To a worker:
    P  prepare   {"program": {…}, "runtime": {…}}          once, first; answered by H or E
    C  call      {"id", "attempt", "keys", "indexes", "tokens", "units": [payload, …]}
    S  recall    {}                                         hand back what has not started
    X  cancel    {"grace_s": seconds; 0: at once}           reactors only; Python workers are signalled
    R  page      {"page": text or null, "error": text}      the answer to Q
From a worker:
    H  ready     {"pid", "python"}
    E  broken    {"type", "message", "traceback"}           it could not prepare; the worker ends
    O  outcomes  a header, a line feed, the results (JSON texts) joined by line feeds
    Q  query     {"step", "what", "start", "count"}         a page of a lazy sequence is wanted

Header of O: {"id", "done": [[from, to], …], "us": [µs, one for each done], "failures": [[offset, {Failure fields}, µs], …],
"cancelled": [offset, …], "returned": [offset, …], "logs": {"offset": text}}; all but `id` may be left out. Offsets count
within the call, `to` being the first that is not meant. The results stand in the order of `done`. Each unit of a call is
reported in exactly one frame.

In a program, `"sequences": {NAME: {"step", "counts", "duration", "length"}}` stands for lazy results of earlier steps.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEAD = struct.Struct(">IB")
"""Length of tag and body, tag."""

PREPARE, CALL, RECALL, CANCEL, PAGE = b"P"[0], b"C"[0], b"S"[0], b"X"[0], b"R"[0]
READY, BROKEN, OUTCOMES, QUERY = b"H"[0], b"E"[0], b"O"[0], b"Q"[0]


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
