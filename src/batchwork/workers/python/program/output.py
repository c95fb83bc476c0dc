"""What tasks print: a file behind standard output and error, and cutting from it what one unit wrote. Masking is done elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import List, Union

    Log = Union[str, List[Union[str, int]]]

OVERLAP = 4096
"""Characters by which head and tail are longer than asked for: the coordinator cuts them off when secrets are masked."""
TRUNCATE_AT = 4 << 20
SHRINK_AT = 64 << 20
_KEEP_SIZE_AND_PUNCH_HOLE = 3


class Output:
    """The log file, appended to by everything that the worker's process and its children print."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor = descriptor
        self._limit = limit
        self._identity = os.fstat(descriptor)

    def connect(self) -> None:
        """Standard output and error lead to the log, whatever a task may have done to them."""
        for number in (1, 2):
            try:
                found = os.fstat(number)
                if (found.st_ino, found.st_dev) == (self._identity.st_ino, self._identity.st_dev):
                    continue
            except OSError:
                pass
            os.dup2(self.descriptor, number, inheritable=True)

    def end(self) -> int:
        """How much has been written so far."""
        return os.lseek(self.descriptor, 0, os.SEEK_END)

    def write(self, text: str) -> None:
        os.write(self.descriptor, text.encode("utf-8", "backslashreplace"))

    def trim(self) -> int:
        """Give back the disk space if much was written; where the next unit's output begins."""
        end = self.end()
        if end > TRUNCATE_AT:
            os.ftruncate(self.descriptor, 0)
            return 0
        return end

    def shrink(self, start: int) -> None:
        """Give back the disk space of the middle of much output while a task still prints; head and tail stay."""
        keep = self._limit // 2 + OVERLAP
        middle = self.end() - start - 2 * keep
        if middle > SHRINK_AT:
            punch_hole(self.descriptor, start + keep, middle)

    def cut(self, start: int, end: int) -> Log:
        """What was written between two places; [head, bytes left out, tail] if it is more than the limit."""
        size = end - start
        if size <= self._limit:
            return self._read(start, size).decode("utf-8", "replace")
        half = self._limit // 2
        head = self._read(start, min(size, half + OVERLAP))
        tail = self._read(max(start, end - half - OVERLAP), min(size, half + OVERLAP))
        return [
            _whole_end(head).decode("utf-8", "replace"),
            size - 2 * half,
            _whole_start(tail).decode("utf-8", "replace"),
        ]

    def _read(self, start: int, size: int) -> bytes:
        parts = []
        while size > 0:
            part = os.pread(self.descriptor, size, start)
            if not part:
                break
            parts.append(part)
            start += len(part)
            size -= len(part)
        return b"".join(parts)


def _whole_end(text: bytes) -> bytes:
    """Without the first bytes of a character that was cut at the end."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte & 0xC0 == 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return text[:-back] if back < length else text
        if byte < 0x80:
            break
    return text


def _whole_start(text: bytes) -> bytes:
    """Without the last bytes of a character that was cut at the start."""
    start = 0
    while start < 3 and start < len(text) and text[start] & 0xC0 == 0x80:
        start += 1
    return text[start:]


def punch_hole(descriptor: int, start: int, size: int) -> None:
    """Turn a part of a file into a hole where the system can; its length stays."""
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.fallocate(descriptor, _KEEP_SIZE_AND_PUNCH_HOLE, ctypes.c_longlong(start), ctypes.c_longlong(size))


def speak_utf8() -> None:
    """What Python prints goes out at once, whatever the locale, and never fails for its letters."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[union-attr]
