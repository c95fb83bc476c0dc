"""What a failing database means for a person: SQLite's and the system's errors as StoreErrors. Nothing is mended here."""

from __future__ import annotations

import errno
import os
from typing import Literal, TypeAlias

import apsw

from batchwork.errors import MORE_FILES, StoreError, StoreFull, lacks_files

Kind: TypeAlias = Literal["full", "io", "busy", "other"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LEAST_ROOM = 64 * 1024
_FILES = 6


def kind_of(error: Exception, path: str, system_errno: int = 0) -> Kind:
    """Whether waiting may help (`full`, `busy`), a fresh connection may (`io`), or nothing will (`other`).

    `system_errno` is what the failing system call left behind; SQLite reports "file too large" only as an I/O error.
    """
    if _is_full(error, path, system_errno):
        return "full"
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return "busy"
    if isinstance(error, apsw.IOError | OSError):
        return "io"
    return "other"


def _is_full(error: Exception, path: str, system_errno: int) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    if isinstance(error, apsw.IOError | apsw.CantOpenError):
        return system_errno in _FULL or _no_room(path)
    return isinstance(error, apsw.FullError)


def _no_room(path: str) -> bool:
    try:
        room = os.statvfs(os.path.dirname(path) or ".")
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _LEAST_ROOM


def _few_files_left() -> bool:
    """Whether this process may open fewer files than a store needs. (SQLite says only that it could not open one.)"""
    opened: list[int] = []
    try:
        for _ in range(_FILES):
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 – what was opened is closed
    except OSError as error:
        return lacks_files(error)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return False


def explain(error: Exception, path: str, kind: Kind | None = None) -> StoreError:
    """The StoreError for `error`, naming the store and what to do."""
    if isinstance(error, StoreError):
        return error
    kind = kind or kind_of(error, path)
    found = _explained(error, path, kind)
    found.__cause__ = error
    return found


def _explained(error: Exception, path: str, kind: Kind) -> StoreError:
    if kind == "full":
        return StoreFull(
            f"there is no space left for the store {path} ({_reason(error)})",
            "what was recorded before is kept; make room (or raise the file size limit), then `batchwork resume`",
        )
    if kind == "busy":
        return StoreError(
            f"another process has kept the store {path} locked for writing for too long",
            "find it with `fuser " + path + "` or `lsof " + path + "`, end it, then `batchwork resume`",
        )
    if lacks_files(error) or (isinstance(error, apsw.CantOpenError) and _few_files_left()):
        return StoreError(f"the store {path} cannot be opened: too many files are open", MORE_FILES)
    if isinstance(error, apsw.NotADBError):
        return StoreError(
            f"{path} is not a batchwork store: it is not a database", "move it away, or name another with `--store`"
        )
    if isinstance(error, apsw.CorruptError):
        return StoreError(
            f"the store {path} is damaged ({_reason(error)})",
            "keep a copy with its -wal file, then try `sqlite3 STORE .recover`, or begin anew with another `--store`",
        )
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError | PermissionError):
        return StoreError(
            f"the store {path} cannot be opened for writing ({_reason(error)})",
            f"its folder {os.path.dirname(path) or '.'} and its files must belong to you and be writable; "
            "or name another with `--store`",
        )
    return StoreError(
        f"the store {path} cannot be read or written ({_reason(error)})",
        "check the disk; what was recorded before is kept, `batchwork resume` continues",
    )


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.removeprefix("[Errno 13] ").split("\n")[0]
