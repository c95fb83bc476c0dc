"""Where a store lies: its folder and file are made private, and file systems that it cannot rely on are noticed.

No database is opened here, and the file of an existing database never is: closing it would drop SQLite's locks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from batchwork.errors import StoreError
from batchwork.folders import private_folder

NETWORK_KINDS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"})

making = threading.Lock()
"""Held from the making of a file until it has been connected to, so that no other thread has a connection meanwhile."""


def check_place(path: str, create: bool, warn: Callable[[str], None]) -> None:
    """See that there is a folder for the store at `path`, and that it can lie there. Raises StoreError."""
    folder = os.path.dirname(path)
    if not create and not os.path.exists(path):
        raise StoreError(f"there is no store at {path}", "run a workflow first, or name the right one with `--store`")
    make_folder(folder)
    if os.path.isdir(path):
        raise StoreError(f"the store {path} is a folder", "name a file with `--store`")
    kind = file_system(folder)
    if kind in NETWORK_KINDS:
        warn(f"the store {path} lies on a network file system ({kind}): only one machine may use it at a time")


def make_folder(path: str) -> None:
    """Make a folder for its owner only, with its parents. One that exists stays as it is. Raises StoreError."""
    try:
        private_folder(path)
    except FileExistsError as error:
        raise StoreError(
            f"the folder {path} cannot be made: there is a file of that name",
            "move it away, or name another place with `--store`",
        ) from error
    except OSError as error:
        raise StoreError(
            f"the folder {path} cannot be made: {error.strerror}",
            "make it yourself, or name another place with `--store`",
        ) from error


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
