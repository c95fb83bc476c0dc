"""What a Python worker says, in frames over two inherited pipes: a length (4 bytes, big-endian), a tag (1 byte), a body.

    H {}
    L {}
    E {"type": "ModuleNotFoundError", "message": "No module named 'nowhere' (flow.yaml:3)", "again": false}
    Q {"step": "users", "what": "results", "start": 0, "count": 1000}
    O {"id": 7, "done": [[0, 2]], "us": "0cff", "long": {"1": 900},
       "failures": [[2, {"type": "ValueError", "message": "no", "traceback": ""}, 15]], "cancelled": [3], "returned": [4], "logs": {"0": "printed\\n"}}
      {"a":1}
      null

H: the program is prepared, calls may come. E: it cannot be, and the worker ends; `type` may be empty, `again` says whether it
is worth another try. L: the worker's service is over, and it ends by itself; calls that it has not answered go back.

Q asks for a page of an earlier step's results; `what` is results, failed or succeeded. Calls may come before the answer.

O are outcomes of a call. All but `id` may be left out, and a call may have several such frames, but each unit is in one
of them only. Offsets count the call's units: `done` are ranges, whose end is not in them, and for each unit in them `us`
has its microseconds and a line below has its result. In `us` each has two hexadecimal digits; what takes more stands in
`long`, by its place in `us`. A failure has the fields of a `Failure`. `cancelled` and `returned` (not started) are offsets. A
log is a text; at -1 stands what was printed by nobody knows which unit.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import struct
import threading
from collections import deque

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any

_HEAD = struct.Struct(">IB")
PREPARE, CALL, PAGE = b"P"[0], b"C"[0], b"R"[0]
READY, BROKEN, OUTCOMES, QUERY, LEAVING = b"H"[0], b"E"[0], b"O"[0], b"Q"[0], b"L"[0]

_READ_SIZE = 1 << 16
"""More than that at once costs the allocation of a buffer that is seldom filled."""
_OUT_OF_REACH = 1040
"""Tasks that close all descriptors that they can think of stop at 1024."""


def out_of_reach(descriptor: int) -> int:
    """The same file under a number that tasks do not happen to close, and that what they start does not inherit."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    least = _OUT_OF_REACH if soft == resource.RLIM_INFINITY or soft > _OUT_OF_REACH + 64 else max(3, soft - 32)
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
    except OSError:
        os.set_inheritable(descriptor, False)
        return descriptor
    os.close(descriptor)
    return moved


class Wire:
    """The two pipes. Calls that come while a page is waited for are kept for later."""

    def __init__(self, read: int, write: int) -> None:
        self.read = read
        self._write = write
        self._lock = threading.RLock()
        self._buffer = bytearray()
        self._kept: deque[tuple[int, bytes]] = deque()

    def send(self, tag: int, body: bytes) -> None:
        """Write a frame, all of it."""
        with self._lock:
            self._write_all(_HEAD.pack(len(body) + 1, tag) + body)

    def send_json(self, tag: int, value: Any) -> None:
        self.send(tag, json.dumps(value).encode("ascii"))

    def receive(self) -> tuple[int, bytes] | None:
        """The next frame, None when the coordinator has closed its end."""
        with self._lock:
            return self._kept.popleft() if self._kept else self._next()

    def ask(self, query: Any) -> Any:
        """A page of results: its JSON data. Raises RuntimeError where the coordinator cannot give it."""
        with self._lock:
            self.send_json(QUERY, query)
            while True:
                frame = self._next()
                if frame is None:
                    raise RuntimeError("batchwork has ended")
                if frame[0] == PAGE:
                    break
                self._kept.append(frame)
        answer = json.loads(frame[1])
        if answer.get("page") is None:
            raise RuntimeError(answer.get("error") or "the results cannot be read")
        return json.loads(answer["page"])

    def _write_all(self, data: bytes) -> None:
        start = os.write(self._write, data)
        if start < len(data):
            with memoryview(data) as view:
                while start < len(view):
                    start += os.write(self._write, view[start:])

    def _next(self) -> tuple[int, bytes] | None:
        if not self._fill(_HEAD.size):
            return None
        length, tag = _HEAD.unpack_from(self._buffer, 0)
        if not self._fill(4 + length):
            return None
        body = bytes(self._buffer[_HEAD.size : 4 + length])
        del self._buffer[: 4 + length]
        return tag, body

    def _fill(self, size: int) -> bool:
        while len(self._buffer) < size:
            chunk = os.read(self.read, _READ_SIZE)
            if not chunk:
                return False
            self._buffer += chunk
        return True
