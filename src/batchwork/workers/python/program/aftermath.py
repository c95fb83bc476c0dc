"""What units leave behind: output, processes that still run, another working directory."""

from __future__ import annotations

import contextlib
import os
import sys

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any

    from .output import Output
    from .processes import Stragglers


class Aftermath:
    """Sees to it that each unit finds things as the one before did, and that what it printed is known."""

    def __init__(self, output: Output, stragglers: Stragglers) -> None:
        self.output = output
        self._stragglers = stragglers
        self._folder = Folder()
        self._pid = os.getpid()

    def of_unit(self, start: int, slow: bool) -> tuple[int, str]:
        """After a unit that took long or printed: where the output ends that began at `start`, and its text."""
        if os.getpid() != self._pid:
            os._exit(0)  # the task forked, and its child came back here
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        if slow:
            self._tidy()
        return self._since(start)

    def of_call(self) -> str:
        """At the end of a call: what its short units may have left behind; a text about it."""
        start = self.output.end()
        self._tidy()
        return self._since(start)[1]

    def _since(self, start: int) -> tuple[int, str]:
        end = self.output.end()
        if end <= start:
            return start, ""
        return end, self.output.cut(start, end)

    def _tidy(self) -> None:
        self._folder.restore()
        left = self._stragglers.end()
        if left:
            shown = ", ".join(sorted(set(left))[:5])
            count = "1 process" if len(left) == 1 else f"{len(left)} processes"
            self.output.write(f"batchwork: leaked {count}, killed: {shown}\n")


class Folder:
    """The working directory, which every unit finds as it was."""

    def __init__(self) -> None:
        self._moved = False
        try:
            self._home: int | None = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._home = None
        self._change: Any = os.chdir
        self._change_to: Any = os.fchdir
        os.chdir, os.fchdir = self._chdir, self._fchdir

    def _chdir(self, path: Any) -> None:
        self._moved = True
        self._change(path)

    def _fchdir(self, fd: Any) -> None:
        self._moved = True
        self._change_to(fd)

    def restore(self) -> None:
        if self._moved and self._home is not None:
            self._moved = False
            with contextlib.suppress(OSError):
                self._change_to(self._home)
