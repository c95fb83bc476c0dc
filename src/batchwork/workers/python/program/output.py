"""What tasks print: a file behind standard output and error, and cutting from it what one unit wrote."""

from __future__ import annotations

import contextlib
import os
import sys

_TYPING = False  # importing typing costs more than all else here
OUTPUT_MAX = 1 << 20
"""Most of an attempt's output that is kept, in bytes; beyond it head and tail."""
TRUNCATE_AT = 4 << 20
SHRINK_AT = 64 << 20
_KEEP_SIZE_AND_PUNCH_HOLE = 3


class Output:
    """The log file, appended to by everything that the worker's process and its children print."""

    def __init__(self, descriptor: int, limit: int = OUTPUT_MAX) -> None:
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
        keep = self._limit // 2
        middle = self.end() - start - 2 * keep
        if middle > SHRINK_AT:
            punch_hole(self.descriptor, start + keep, middle)

    def cut(self, start: int, end: int) -> str:
        """What was written between two places, at most as much as is kept."""
        return read_output(self.descriptor, start, end, self._limit)


def read_output(descriptor: int, start: int, end: int, limit: int = OUTPUT_MAX) -> str:
    """What stands between two places of a file, as text; of more than `limit` bytes the head, how much is left out, the tail.

    The words between head and tail are those by which secrets that the cut went through are known.
    """
    if end - start <= limit:
        return _read(descriptor, start, end).decode("utf-8", "replace")
    half = limit // 2
    head, tail = _whole_end(_read(descriptor, start, start + half)), _whole_start(_read(descriptor, end - half, end))
    left_out = f"\n… {end - start - len(head) - len(tail):,} bytes left out …\n"
    return head.decode("utf-8", "replace") + left_out + tail.decode("utf-8", "replace")


def _read(descriptor: int, start: int, end: int) -> bytes:
    parts = []
    while start < end:
        part = os.pread(descriptor, end - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _whole_end(text: bytes) -> bytes:
    """Without the first bytes of a character that was cut at the end."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte & 0xC0 == 0xC0:
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)  # of the character that begins here
            if back < length:
                return text[:-back]
            return text
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
