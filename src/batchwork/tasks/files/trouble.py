"""What went wrong with a file, for people: what was done, where, why, and what helps. No file is touched here."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batchwork.tasks.base import TaskFailed
from batchwork.text.wording import visible

_WHY: dict[int, tuple[str, str]] = {
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "move that file away, or name another path"),
    errno.EISDIR: ("there is a folder of this name", "name a file"),
    errno.EACCES: ("permission denied", "see who owns the file and its folders, and their modes"),
    errno.EPERM: ("the system does not permit it", "see who owns the file and its folders, and their modes"),
    errno.ENOSPC: ("no space left on the device; nothing was changed", "make room, then `batchwork retry`"),
    errno.EDQUOT: ("the disk quota is used up; nothing was changed", "make room, then `batchwork retry`"),
    errno.EFBIG: ("the file would be larger than is allowed here; nothing was changed", "see `ulimit -f`"),
    errno.ENAMETOOLONG: (
        "its name is longer than the file system allows",
        "shorten it, such as by {{ key }} or {{ index }}",
    ),
    errno.EROFS: ("the file system is read-only", "name another place"),
    errno.ELOOP: ("its path has a symbolic link that leads back to itself", "see `ls -l`"),
    errno.EEXIST: ("there is a file of this name", "`overwrite: true` replaces it"),
}


class FileTrouble(TaskFailed):
    """A file cannot be what the task wants of it, whoever tries again."""

    def __init__(self, message: str, advice: str = "", kind: str = "file") -> None:
        super().__init__(joined(message, advice), kind=kind, retryable=False)


def joined(message: str, advice: str) -> str:
    return f"{message} ({advice})" if advice else message


def shown(path: str) -> str:
    """A path in a message."""
    return visible(path)


@contextmanager
def telling(what: str, path: str) -> Iterator[None]:
    """What the system refuses becomes a failure that says so: `what` is "read", "write" …"""
    try:
        yield
    except OSError as error:
        raise TaskFailed(said(what, path, error), kind=type(error).__name__) from error


def said(what: str, path: str, error: OSError, cwd: Callable[[], str] = os.getcwd) -> str:
    """The message for an error of the system."""
    why, advice = _WHY.get(error.errno or 0, ("", ""))
    if error.errno == errno.ENOENT:
        why, advice = _missing(what, path, cwd)
    if not why:
        why = error.strerror or str(error)
    return joined(f"cannot {what} {shown(path)}: {why}", advice)


def _missing(what: str, path: str, cwd: Callable[[], str]) -> tuple[str, str]:
    if what in ("write", "append to"):
        return "its folder is not there", "`create_dirs: true` makes it"
    if os.path.isabs(path):
        return "there is no such file", ""
    return "there is no such file", f"paths are relative to {cwd()}"
