"""What is kept of an output: head and tail within a limit, as text. Reading it is not done here."""

from __future__ import annotations

_CONTINUATION = range(0x80, 0xC0)


class Captured:
    """A stream of bytes of any length, of which at most `limit` bytes are kept: the first and the last halves.

    Memory is at most 1.5 times the limit. As text it is UTF-8; bytes that are not are written as `\\xff` (Python's
    `backslashreplace`), a character that the cut went through is left out whole.
    """

    __slots__ = ("_head", "_limit", "_tail", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail: bytearray | None = None  # None while all fits
        self.size = 0
        """Bytes that there were in all."""

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self._tail is None:
            self._head += part
            if len(self._head) > self._limit:
                half = self._limit // 2
                self._tail = self._head[half:]
                del self._head[half:]
                self._cut_tail()
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
            return self._head.decode("utf-8", "backslashreplace")
        self._cut_tail()
        head = self._head[: _whole(self._head)]
        tail = self._tail[_first(self._tail) :]
        missing = self.size - len(head) - len(tail)
        return (
            head.decode("utf-8", "backslashreplace")
            + f"\n… {missing} bytes left out …\n"
            + tail.decode("utf-8", "backslashreplace")
        )


def _whole(part: bytearray) -> int:
    """Where the last whole character of `part` ends."""
    for back in range(1, min(4, len(part)) + 1):
        byte = part[-back]
        if byte in _CONTINUATION:
            continue
        wanted = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        return len(part) - back if wanted > back else len(part)
    return len(part)


def _first(part: bytearray) -> int:
    """Where the first whole character of `part` begins."""
    for offset in range(min(3, len(part))):
        if part[offset] not in _CONTINUATION:
            return offset
    return min(3, len(part)) if len(part) > 3 and part[3] not in _CONTINUATION else 0
