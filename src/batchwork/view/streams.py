"""Standard output and standard error: written so that a closed pipe or a full disk behind them harms nothing."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from batchwork.errors import OutputError
from batchwork.text.wording import visible_block, visible_json

if TYPE_CHECKING:
    from batchwork.view.table import Column


class ReaderGone(Exception):
    """Whoever read standard output has had enough (`batchwork items | head`); not an error."""


def prepare_streams() -> None:
    """Make the streams safe for any text, also where one of them is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def end_output(code: int) -> int:
    """Flush, and keep Python from complaining at its end about a stream that is gone. The exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _detach(stream)
    return code


def _detach(stream: TextIO) -> None:
    """Point the stream's file descriptor at nothing: what it still holds cannot be written anywhere."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
    except (OSError, ValueError):
        pass


def note(text: str) -> None:
    """A message on standard error, safe on a terminal."""
    try:
        sys.stderr.write(visible_block(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody to tell
        pass


def width() -> int:
    """Columns of the terminal (or what COLUMNS says); 80 where there is none."""
    said = os.environ.get("COLUMNS", "")
    try:
        columns = int(said) if said.isdigit() else os.get_terminal_size(sys.stdout.fileno()).columns
    except (ValueError, OSError):
        columns = 80
    return max(columns, 40)


class Stdout:
    """Standard output. Raises ReaderGone or OutputError; a `lenient` one warns once and goes on, saying nothing more."""

    def __init__(self, lenient: bool = False) -> None:
        self._stream: TextIO = sys.stdout
        self._lenient = lenient
        self._broken = False

    @property
    def terminal(self) -> bool:
        try:
            return self._stream.isatty()
        except ValueError:
            return False

    def line(self, text: str = "") -> None:
        """A line for people; its control characters are shown, not sent."""
        self._write(visible_block(text) + "\n")

    def json(self, text: str) -> None:
        """A JSON text on a line of its own."""
        self._write(visible_json(text) + "\n")

    def write(self, data: bytes) -> int:
        """UTF-8 as it is, line ends too, unless it goes to a terminal."""
        if self.terminal:
            self._write(visible_block(data.decode()))
        else:
            self._write("", data)
        return len(data)

    def clear(self) -> None:
        """Empty the terminal."""
        self._write("\x1b[H\x1b[2J\x1b[3J")

    def say(self, text: str) -> None:
        """What a task says: as it is, unless it goes to a terminal. At once."""
        if self.terminal:
            text = visible_block(text)
        self._write(text + "\n")
        self.flush()

    def table(self, head: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """A table of any length: it fits a terminal, and is whole in a pipe."""
        from batchwork.view.table import table_lines  # most that is written is no table

        room = None
        if self.terminal:
            room = width()
        for line in table_lines(head, rows, room):
            self._write(line + "\n")

    def flush(self) -> None:
        try:
            if not self._broken:
                self._stream.flush()
        except (OSError, ValueError) as error:
            self._failed(error)

    def _write(self, text: str, data: bytes = b"") -> None:
        if self._broken:
            return
        try:
            self._stream.write(text)
            if data:
                self._stream.flush()
                self._stream.buffer.write(data)
        except (OSError, ValueError) as error:
            self._failed(error)

    def _failed(self, error: OSError | ValueError) -> None:
        self._broken = True
        _detach(self._stream)
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        if self._lenient:
            note(f"warning: cannot write to standard output: {reason}; the run is not affected")
        elif isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise ReaderGone
        else:
            raise OutputError(f"cannot write to standard output: {reason}")
