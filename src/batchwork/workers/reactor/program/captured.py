"""What is kept of an output: read from its pipe, head and tail within a limit, as text. When to read is decided elsewhere."""

from __future__ import annotations

import contextlib
import fcntl
import os

READ_SIZE = 1 << 18
"""Bytes read at once, at most; as much as the largest pipe holds."""
_SOON = 1 << 16
"""What a pipe holds by itself; whatever writes more gets a larger one."""
_buffer = bytearray(READ_SIZE)  # one for all outputs: a reactor reads one at a time
_view = memoryview(_buffer)
_CONTINUATION = range(0x80, 0xC0)


class Captured:
    """A stream of bytes of any length, of which at most `limit` bytes are kept: the first and the last halves.

    Memory is at most 1.5 times the limit. As text it is UTF-8; a byte that is not is a lone surrogate, `\\udcff` for 0xff
    (Python's `surrogateescape`, as in items). So nothing is lost, and it is the same byte again where it is given to
    another command. A character that the cut went through is left out whole.
    """

    __slots__ = ("_head", "_limit", "_tail", "_widened", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail: bytearray | None = None  # None while all fits
        self._widened = False
        self.size = 0
        """Bytes that there were in all."""

    def read(self, fd: int) -> bool:
        """Read once from a pipe; False at its end. Raises BlockingIOError where there is nothing."""
        count = os.readv(fd, [_buffer])
        self.add(_view[:count])
        if not self._widened and self.size > _SOON:
            self._widened = True
            with contextlib.suppress(OSError, AttributeError):  # a larger pipe is only faster; users have a quota
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, READ_SIZE)
        return count > 0

    def add(self, part: bytes | memoryview) -> None:
        self.size += len(part)
        if self._tail is None:
            self._head += part
            if len(self._head) > self._limit:
                half = self._limit // 2
                self._tail = self._head[half:]
                del self._head[half:]
                self._cut_tail()
        elif len(part) > self._limit:
            self._tail = bytearray(part[-self._limit :])
        else:
            self._tail += part
            if len(self._tail) > self._limit:
                self._cut_tail()

    def _cut_tail(self) -> None:
        assert self._tail is not None
        excess = len(self._tail) - (self._limit - self._limit // 2)
        if excess > 0:
            del self._tail[:excess]

    def text(self) -> str:
        """What is kept, with a line between head and tail that says how many bytes are missing."""
        if self._tail is None:
            return self._head.decode("utf-8", "surrogateescape")
        self._cut_tail()
        head = self._head[: _whole(self._head)]
        tail = self._tail[_first(self._tail) :]
        missing = self.size - len(head) - len(tail)
        return (
            head.decode("utf-8", "surrogateescape")
            + f"\n… {missing} bytes left out …\n"
            + tail.decode("utf-8", "surrogateescape")
        )


def _whole(part: bytearray) -> int:
    """Where the last whole character of `part` ends."""
    for back in range(1, min(4, len(part)) + 1):
        byte = part[-back]
        if byte in _CONTINUATION:
            continue
        wanted = 1 + (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)  # bytes of the character that begins here
        return len(part) - back * (wanted > back)
    return len(part)


def _first(part: bytearray) -> int:
    """Where the first whole character of `part` begins."""
    for offset in range(min(3, len(part))):
        if part[offset] not in _CONTINUATION:
            return offset
    if len(part) > 3 and part[3] not in _CONTINUATION:
        return 3
    return 0
