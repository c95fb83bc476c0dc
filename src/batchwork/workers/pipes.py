"""The two pipes of a worker, both without waiting: what comes in frames, and what goes."""

from __future__ import annotations

import contextlib
import os

from batchwork.workers.frames import FrameReader

_READ_SIZE = 1 << 16


def two_pipes() -> tuple[int, int, int, int]:
    """The ends of two pipes, read and write each. Raises OSError, and then none is left open."""
    read, write = os.pipe()
    try:
        return read, write, *os.pipe()
    except OSError:
        os.close(read)
        os.close(write)
        raise


class Inbound:
    """The pipe from a worker: frames come out of it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.frames: list[tuple[int, bytes]] = []
        self._reader = FrameReader()

    def hear(self) -> bool:
        """Read what there is, at most 64 KiB. False at its end."""
        try:
            chunk = os.read(self.fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return True
        self.frames.extend(self._reader.feed(chunk))
        return bool(chunk)

    def hear_all(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.fd, _READ_SIZE):
                self.frames.extend(self._reader.feed(chunk))


class Outbound:
    """The pipe to a worker: what it does not take is kept in `pending`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.pending = bytearray()
        self.finishing = False
        """Nothing more will come: closed as soon as all is written."""

    def write(self) -> None:
        """Write as much of what is waiting as the pipe takes."""
        pending = self.pending
        try:
            while pending:
                with memoryview(pending) as view:
                    written = os.write(self.fd, view[:_READ_SIZE])
                del pending[:written]
        except BlockingIOError:
            pass
        except OSError:  # it closed its end; that it is dead is learnt elsewhere
            pending.clear()

    def close_if_done(self) -> None:
        if self.finishing and not self.pending:
            os.close(self.fd)
            self.fd = -1
