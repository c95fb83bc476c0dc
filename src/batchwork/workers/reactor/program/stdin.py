"""A text on its way into a command's standard input. It waits for nobody: what the pipe does not take is written later."""

from __future__ import annotations

import os

from batchwork.workers.reactor.program.loop import OUT, Loop


class StdinText:
    """Writes a text to a non-blocking pipe and closes it; a command that does not read it is no error."""

    def __init__(self, loop: Loop, fd: int, text: str) -> None:
        self._loop = loop
        self._fd = fd
        self._rest = memoryview(text.encode("utf-8", "surrogateescape"))
        self._write(fd, OUT)

    def _write(self, fd: int, _events: int) -> None:
        try:
            while self._rest:
                self._rest = self._rest[os.write(fd, self._rest[: 1 << 20]) :]
        except BlockingIOError:
            self._loop.watch(fd, OUT, self._write)
            return
        except OSError:  # the command has closed its end
            pass
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._rest = memoryview(b"")
