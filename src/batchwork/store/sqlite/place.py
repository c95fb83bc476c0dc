"""Where a store lies: its folder and file are made private, and file systems that it cannot rely on are noticed.

No database is opened here, and the file of an existing database never is: closing it would drop SQLite's locks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from batchwork.errors import StoreError
from batchwork.folders import STATE_FOLDER, check_state_folder, keep_private, make_folder
from batchwork.ports import Opening

if TYPE_CHECKING:
    from batchwork.store.sqlite.store import SqliteStore

FILE = "state.db"
NETWORK_KINDS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"})

making = threading.Lock()
"""Held from the making of a file until it has been connected to, so that no other thread has a connection meanwhile."""


class SqlitePlace:
    """Implements ports.StorePlace: a folder (state.db in it, and the rest beside), or a file (x.db, the rest in x.db.d)."""

    def __init__(self, named: str | None = None) -> None:
        self._named, self._file = named is not None, named is not None and _is_file(named)
        if named is not None and self._file:
            self._path, self.state_dir = named, f"{os.path.abspath(named)}.d"
        else:
            folder = named or STATE_FOLDER
            self._path, self.state_dir = os.path.join(folder, FILE), os.path.abspath(folder)

    def exists(self) -> bool:
        return os.path.exists(self._path)

    def open(self, opening: Opening) -> SqliteStore:
        from batchwork.store.sqlite.store import SqliteStore

        check_state_folder(self.state_dir, named=self._named)
        if opening.purpose == "run" and not self._file and not os.path.isdir(self.state_dir):
            make_folder(self.state_dir)
        if opening.purpose == "run" or (opening.purpose == "resume" and self.exists()):
            keep_private(self.state_dir, ours=self._file or not self._named)
        return SqliteStore(self._path, opening)


def _is_file(path: str) -> bool:
    """Whether a file is meant: it is one, or has a name like one."""
    if os.path.isfile(path):
        return True
    return bool(os.path.splitext(path)[1]) and not path.endswith("/") and not os.path.isdir(path)


def check_place(path: str, create: bool, warn: Callable[[str], None]) -> None:
    """See that there is a folder for the store at `path`, and that it can lie there. Raises StoreError."""
    folder = os.path.dirname(path)
    if not create and not os.path.exists(path):
        raise StoreError(f"there is no store at {path}", "run a workflow first, or name the right one with `--store`")
    if not os.path.isdir(folder):
        make_folder(folder)
    if os.path.isdir(path):
        raise StoreError(f"the store {path} is a folder", "name a file with `--store`")
    kind = file_system(folder)
    if kind in NETWORK_KINDS:
        warn(f"the store {path} lies on a network file system ({kind}): only one machine may use it at a time")


def make_private_file(path: str) -> None:
    """Make an empty file, 0600 whatever the umask, unless there is one. Raises OSError."""
    if os.path.lexists(path):
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def file_system(path: str, mounts: str = "/proc/self/mountinfo") -> str:
    """The kind of file system on which `path` lies, as the kernel names it; "" where that cannot be found out."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            found = [_mount(line) for line in lines]
    except OSError:
        return ""
    real = os.path.realpath(path)
    best = ("", "")
    for point, kind in found:
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def _mount(line: str) -> tuple[str, str]:
    left, _, right = line.partition(" - ")
    point = left.split(" ")[4].replace("\\040", " ")
    return point, right.split(" ")[0]
