"""A file that is written beside its place and takes it when it is complete, so that nobody ever sees half of it.

The part is locked while it is written: what a killed process left has no lock any more, and the next one takes it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from typing import IO

from batchwork.errors import OutputError


class PartFile:
    """The part of the file at `path`, open for bytes; a `visible` one is called NAME.part. Raises OutputError.

    `commit` puts it in its place; until then an older file stays as it is.
    """

    file: IO[bytes]

    def __init__(self, path: str, *, visible: bool = False) -> None:
        self._path = path
        folder, name = os.path.split(os.path.abspath(path))
        if os.path.exists(path) and not os.path.isfile(path):
            raise OutputError(f"{path} is not a file", "name a file; without one the results go to standard output")
        try:
            _sweep(folder, name)
            descriptor, self._part = _visible_part(path) if visible else _locked_part(folder, name)
        except OSError as error:
            raise OutputError(f"cannot write in {folder}: {error.strerror}") from error
        self.file = open(descriptor, "wb")  # noqa: SIM115  # closed by commit and discard

    def commit(self) -> None:
        """Put the part, which is complete, in its place."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(self.file.fileno(), 0o666 & ~mask)
            os.replace(self._part, self._path)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Take the part away, as far as it is still there; what it holds is not wanted."""
        if self.file.closed:
            return
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._part), os.fstat(self.file.fileno())):
                os.unlink(self._part)
        with contextlib.suppress(OSError):  # a full disk cannot take what was not written yet
            self.file.close()


def _visible_part(path: str) -> tuple[int, str]:
    """The part with the known name, locked and empty. Raises OutputError where another process writes it."""
    part = f"{path}.part"
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OutputError(f"another process is writing {path}", "let two runs write to two files") from None
        except OSError:  # where nothing can be locked, nobody is kept away
            pass
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(part), os.fstat(descriptor)):
                os.ftruncate(descriptor, 0)
                return descriptor, part
        os.close(descriptor)


def _locked_part(folder: str, name: str) -> tuple[int, str]:
    """A new part, open for writing and locked; another one where somebody took it for left over before it was locked."""
    while True:
        descriptor, part = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
        with contextlib.suppress(OSError):  # where nothing can be locked, nothing is taken away either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.exists(part):
            return descriptor, part
        os.close(descriptor)


def _sweep(folder: str, name: str) -> None:
    """Take away the parts of this file that no living process writes."""
    with os.scandir(folder) as entries:
        parts = [entry.path for entry in entries if _is_part(entry.name, name) and entry.is_file(follow_symlinks=False)]
    for part in parts:
        with contextlib.suppress(OSError):  # locked, gone meanwhile, or not ours
            descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(part)
            finally:
                os.close(descriptor)


def _is_part(found: str, name: str) -> bool:
    """Whether a file is a part of the one called `name`, and not of one whose name is longer."""
    middle = found.removeprefix(f".{name}.").removesuffix(".part")
    return found == f".{name}.{middle}.part" and "." not in middle
