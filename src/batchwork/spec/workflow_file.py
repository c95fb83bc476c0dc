"""A workflow file, or one of parameters, as text, or why it cannot be read. What the text means is not asked here."""

from __future__ import annotations

import os
import select
import stat

from batchwork.errors import UsageError

TEXT_MAX = 40 * 1024 * 1024
"""Bytes of a workflow file that are read; the loader refuses less than that, and nobody waits for a file of 99 GB."""
WRITER_S = 3
"""How long a pipe may have nobody who writes to it. Who has opened it may take the time that it needs."""


def workflow_text(path: str) -> str:
    """The text of the workflow at `path`. Raises UsageError."""
    return file_text(path, "a workflow is a YAML file in UTF-8")


def file_text(path: str, what: str) -> str:
    """The text of the file at `path`; `what` says in words what it should be. Raises UsageError."""
    try:
        raw = _content(path, what)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: {error.strerror}", _near(path)) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", what) from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: not UTF-8: {error.reason}", what) from error


def _content(path: str, what: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        first: bytes | None = b""
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            first = _first_of(descriptor)
        if first is None:
            raise UsageError(f"{path}: a pipe to which nothing writes", what)
        os.set_blocking(descriptor, True)
        return first + file.read(TEXT_MAX)


def _first_of(pipe: int) -> bytes | None:
    """What can be read of the pipe now; None where nobody writes to it, nor begins to."""
    try:
        first = os.read(pipe, select.PIPE_BUF)
    except BlockingIOError:  # somebody has it open, and is still thinking
        return b""
    if first:
        return first
    beginning = select.poll()
    beginning.register(pipe, select.POLLIN)
    return b"" if beginning.poll(WRITER_S * 1000) else None


def _near(path: str) -> str:
    """A hint: a file beside it with a name like this, or which there are."""
    from batchwork.text.spelling import listing, suggest

    folder, name = os.path.split(path)
    try:
        names = [entry.name for entry in os.scandir(folder or ".") if entry.name.endswith((".yaml", ".yml"))]
    except OSError:
        return f"there is no folder {folder}"
    if not names:
        return "there is no YAML file in this folder; `batchwork init` writes a workflow to begin with"
    return suggest(name, names) or f"YAML files in this folder: {listing(sorted(names), 5)}"
