"""A file that is written beside its place and takes it when it is complete, so that nobody ever sees half of it.

The part is locked while it is written: what a killed process left has no lock any more, and the next one takes it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterable

from batchwork.errors import OutputError


def write_whole(path: str, lines: Iterable[str]) -> None:
    """Write the lines to the file at `path`. Raises OutputError; an older file stays as it is then."""
    folder, name = os.path.split(os.path.abspath(path))
    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(f"{path} is not a file", "without -o the results go to standard output")
    try:
        _sweep(folder, name)
        descriptor, part = _locked_part(folder, name)
    except OSError as error:
        raise OutputError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(line + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(file.fileno(), 0o666 & ~mask)
            os.replace(part, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


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
