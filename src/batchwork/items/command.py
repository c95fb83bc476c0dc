"""Items that a command prints: `$(command)` and `{from: command, command, format}`. Its output is streamed, never held as a whole."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from batchwork.errors import SourceError
from batchwork.items.base import into_pages, unreadable, watched
from batchwork.items.files.streams import BLOCK_BYTES, Format, block_bytes, by_lines, by_nul
from batchwork.items.jsonl import read_jsonl
from batchwork.items.lines import read_lines
from batchwork.ports import ItemSource, Reading, Row, SourceType
from batchwork.text.wording import short

PIPE_BYTES = 65_536
"""What a pipe holds. Where reading may not run ahead so far, the pipe holds what the command writes at once, and no more."""
ENDING_S = 0.02
"""How often to look whether a command that closed its output has ended."""
TAIL_BYTES = 2000
"""So much of the end of the standard error stands in the message of a command that failed."""

# The command's process group must not outlive batchwork, even when that is killed. Standard input is a pipe of which
# batchwork holds the other end: a watcher, one of the group, waits for its end and then kills the group, itself included.
# The command has no input, and neither the pipe nor the watcher's descriptors reach it.
_WATCHED = 'exec 3<&0; (read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 & exec /bin/sh -c "$1" </dev/null 3<&-'


class CommandSource(SourceType):
    """What a command prints."""

    name = "command"
    commands = frozenset({"command"})

    class Fields(Struct, frozen=True):
        """Which command, and what it prints."""

        command: Annotated[
            str, Meta(description="run by /bin/sh in the working directory; it must end with exit code 0")
        ]
        format: Annotated[Literal["lines", "nul", "jsonl", "csv"], Meta(description="how its output is read")] = "lines"

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return CommandItems(fields, cwd, environ)


class CommandItems:
    """The output of a command, run once for each reading, in a process group of its own. It must end with exit code 0."""

    may_block = True

    def __init__(
        self,
        fields: CommandSource.Fields,
        cwd: str,
        environ: Mapping[str, str],
        name: str = "",
        inherits: Sequence[int] = (),
    ) -> None:
        """`inherits` are descriptors that the command has too."""
        self._command = _Command(fields.command, cwd, dict(environ), inherits)
        self._read = _format(fields.format)
        self._name = name or f"the command `{short(' '.join(fields.command.split()), 60)}`"
        self._lock = threading.Lock()
        self._run: _CommandRun | None = None
        self._closed = False

    def reading(self) -> Reading:
        """What a command will print is not known beforehand: it has no fingerprint."""
        return Reading("", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        chunks = self._read(self._name, self._blocks(block_bytes(size)))
        return watched(self._name, into_pages(chunks, start, size))

    def close(self) -> None:
        """Ends the command and all that it started in its process group; from any thread."""
        with self._lock:
            self._closed = True
            if self._run is not None:
                self._run.stop()

    def _blocks(self, most: int) -> Iterator[bytes | None]:
        with self._lock:
            if self._run is not None:
                self._run.stop()
            if self._closed:
                raise SourceError(f"{self._name} was stopped")
            run = self._run = _CommandRun(self._name, self._command, most)
        try:
            yield from run.blocks()
        finally:
            run.stop()
            run.dispose()


def _format(name: str) -> Format:
    if name == "csv":
        from batchwork.items.csv.source import DEFAULT

        return DEFAULT
    return {"lines": by_lines(read_lines), "nul": by_nul, "jsonl": by_lines(read_jsonl)}[name]


class _Command(Struct, frozen=True):
    """What is run, and what it has."""

    text: str
    cwd: str
    environ: Mapping[str, str]
    inherits: Sequence[int]

    def started(self, output: int) -> subprocess.Popen[bytes]:
        """The command in a process group of its own. Raises OSError, ValueError."""
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCHED, "sh", self.text],
            cwd=self.cwd,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=self.inherits,
        )


class _CommandRun:
    """One execution of the command."""

    def __init__(self, name: str, command: _Command, most: int) -> None:
        self._name = name
        self._errors = b""
        self._stopped = False
        self._stopping = threading.Lock()
        self._out, writing = _pipe(most)
        try:
            self._process = command.started(writing)
        except (OSError, ValueError) as error:
            os.close(self._out)
            if isinstance(error, OSError):
                raise unreadable(name, error) from error
            raise SourceError(f"{name} cannot be run: {error}") from error
        finally:
            os.close(writing)
        self._woken, self._wake = os.pipe()

    def blocks(self) -> Iterator[bytes | None]:
        """The output as it comes; None where the command has nothing more for now."""
        assert self._process.stderr is not None
        out, err = self._out, self._process.stderr.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for descriptor in (out, err):
                os.set_blocking(descriptor, False)
                selector.register(descriptor, selectors.EVENT_READ)
            yield from self._output(selector, out, err)
            while err in selector.get_map() and not self._has_ended():
                for key, _ in selector.select(ENDING_S):
                    self._check_stopped()
                    self._take(selector, key.fd, err)
            if err in selector.get_map():
                self._take(selector, err, err)
        self._check_exit()

    def _output(self, selector: selectors.BaseSelector, out: int, err: int) -> Iterator[bytes | None]:
        patience: float | None = 0.0
        while out in selector.get_map():
            ready = selector.select(patience)
            self._check_stopped()
            patience = 0.0
            if not ready:
                yield None
                patience = None
            for key, _ in ready:
                if block := self._take(selector, key.fd, err):
                    yield block

    def stop(self) -> None:
        """Kill the group and wake a reader that waits. Again and from any thread."""
        with self._stopping:
            if self._stopped:
                return
            self._stopped = True
            with contextlib.suppress(ProcessLookupError):
                # The leader, not collected before, has kept the group's number from being used again.
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            os.write(self._wake, b"!")

    def dispose(self) -> None:
        """Close what was open; after `stop`, and only by the reader, who might be waiting for it."""
        os.close(self._out)
        for stream in (self._process.stdin, self._process.stderr):
            if stream is not None:
                stream.close()
        os.close(self._woken)
        os.close(self._wake)

    def _take(self, selector: selectors.BaseSelector, descriptor: int, errors: int) -> bytes:
        """What there is to read; the standard error is kept here, of it only the tail."""
        try:
            block = os.read(descriptor, BLOCK_BYTES)
        except BlockingIOError:
            return b""
        if not block:
            selector.unregister(descriptor)
        elif descriptor == errors:
            self._errors = (self._errors + block)[-TAIL_BYTES:]
            return b""
        return block

    def _check_stopped(self) -> None:
        if self._stopped:
            raise SourceError(f"{self._name} was stopped")

    def _has_ended(self) -> bool:
        with contextlib.suppress(ChildProcessError):  # collected meanwhile
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        return True

    def _check_exit(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self._check_stopped()
        self.stop()
        if code := self._process.returncode:
            tail = self._errors.decode("utf-8", "replace").strip()
            raise SourceError(f"items: {self._name} {_ended(code)}" + f": {tail}".removesuffix(": "))


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def _pipe(most: int) -> tuple[int, int]:
    """The ends of a pipe for the output. If it is to hold little, it is one of packets with room for a single one."""
    if most >= PIPE_BYTES or sys.platform != "linux":
        return os.pipe()
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_DIRECT)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, mmap.PAGESIZE)
    return reading, writing
