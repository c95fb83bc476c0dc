"""Files that are whole or not there: written without a name, and named when they are complete. Also what is found under a name."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from batchwork.tasks.files.trouble import FileTrouble, shown, telling
from batchwork.text.wording import size as size_in_words

CHUNK = 1 << 20
READ_MAX = 64 << 20
"""The largest file that can be a result."""


class Target(Struct, frozen=True):
    """Where a file is to be. `create_dirs`: folders above it are made; `overwrite`: what is there is replaced."""

    path: str
    create_dirs: bool = True
    overwrite: bool = True


def name(path: str) -> bytes:
    """A path as the system knows it: any bytes, whatever the language of the environment."""
    return path.encode("utf-8", "surrogateescape")


def write_whole(target: Target, chunks: Iterable[bytes], mode: int | None = None) -> int:
    """Write a file; its size. Raises OSError and FileTrouble: then what stood there before stands there still.

    It is on disk before it has its name, so that a power cut leaves no half of it. `mode`: its permissions, else those
    of the file that it replaces. A symbolic link is replaced, not what it leads to.
    """
    path = name(target.path)
    folder = prepared_folder(path, target)
    refuse_folder_or_device(target.path)
    descriptor, part = _new_file(folder)
    try:
        size = sum(_write(descriptor, chunk) for chunk in chunks)
        mode = _mode_there(path) if mode is None else mode
        if mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
        _give_name(descriptor, part, path, target.overwrite)
    finally:
        os.close(descriptor)
        if part:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
    return size


def written(target: Target, data: bytes) -> dict[str, Any]:
    """Write `data`; the result of the task. A file that holds just that was written before a kill: no failure. Raises TaskFailed."""
    with telling("write", target.path):
        try:
            refuse_folder_or_device(target.path)
            if not target.overwrite and exists(target.path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            write_whole(target, [data])
        except FileExistsError:
            if not holds(target.path, [data]):
                raise
    return {"path": target.path, "bytes": len(data)}


def prepared_folder(path: bytes, target: Target) -> bytes:
    """The folder of a file that is to be, made if need be. Raises OSError."""
    folder = os.path.dirname(path) or b"."
    if target.create_dirs and not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
    return folder


def pieces(path: str) -> Iterator[bytes]:
    """What a file holds, piece by piece. Raises OSError, FileTrouble."""
    with opened(path) as descriptor:
        while piece := os.read(descriptor, CHUNK):
            yield piece


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A file to be read. A pipe or a device is refused: it could make the task wait for ever. Raises OSError, FileTrouble."""
    descriptor = os.open(name(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(kind):
            raise FileTrouble(f"cannot read {shown(path)}: it is a device, a pipe or a socket, not a file")
        yield descriptor
    finally:
        os.close(descriptor)


def read_all(path: str) -> bytes:
    """What a file holds, if that is not too much for a result. Raises TaskFailed."""
    found = bytearray()
    with telling("read", path), opened(path) as descriptor:
        known = os.fstat(descriptor).st_size
        while known <= READ_MAX and (piece := os.read(descriptor, CHUNK)):
            found += piece
            known = max(known, len(found))
    if known > READ_MAX:
        message = f"{shown(path)} has {size_in_words(known)}, and a result {size_in_words(READ_MAX)} at most"
        raise FileTrouble(message, "read it as items (`from: lines`, `jsonl` …), or where it is needed")
    return bytes(found)


def holds(path: str, chunks: Iterable[bytes]) -> bool:
    """Whether there is a file that holds just this. Raises OSError."""
    try:
        with opened(path) as descriptor:
            return all(_read(descriptor, len(chunk)) == chunk for chunk in chunks) and not os.read(descriptor, 1)
    except FileTrouble:
        return False


def refuse_folder_or_device(path: str) -> None:
    """A folder cannot be replaced, a device, a pipe or a socket must not be. Raises OSError, FileTrouble."""
    try:
        kind = os.stat(name(path)).st_mode
    except OSError:  # nothing is there, or a link to nothing; what else is wrong is said when it is written
        return
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(kind):
        raise FileTrouble(f"cannot write {shown(path)}: there is a device, a pipe or a socket of this name")


def exists(path: str) -> bool:
    """Whether there is anything of this name, a link to nothing too."""
    return os.path.lexists(name(path))


# ---------------------------------------------------------------- parts of writing


def _new_file(folder: bytes) -> tuple[int, bytes]:
    """The descriptor of an empty file, and the name that it has meanwhile: none, where the file system can do that."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):  # not every file system can; what else is wrong is said by the other way
            return os.open(folder, flags | os.O_TMPFILE, 0o666), b""
    part = _part_name(folder)
    return os.open(part, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), part


def _part_name(folder: bytes) -> bytes:
    """A name that nobody has, and no longer than any may be."""
    return os.path.join(folder, b".batchwork-" + secrets.token_hex(8).encode())


def _give_name(descriptor: int, part: bytes, path: bytes, overwrite: bool) -> None:
    """Raises OSError, FileExistsError where something is there that is not to be replaced."""
    if not part:
        try:
            _link(descriptor, path)  # mostly nothing has the name: then there is no second one to be taken away
            return
        except FileExistsError:
            if not overwrite:
                raise
        part = _part_name(os.path.dirname(path) or b".")
        _link(descriptor, part)
    try:
        take_name(part, path, overwrite)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise


def _link(descriptor: int, path: bytes) -> None:
    # Only by way of a folder's descriptor does Python follow the link in /proc.
    os.link(b"/proc/self/fd/%d" % descriptor, path, src_dir_fd=descriptor, follow_symlinks=True)


def take_name(old: bytes, new: bytes, overwrite: bool) -> None:
    """Rename; without `overwrite` only where nothing has the name. Raises OSError."""
    if overwrite:
        os.replace(old, new)
        return
    try:
        os.link(old, new, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # not every file system has several names for a file
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.replace(old, new)
        return
    os.unlink(old)


def _mode_there(path: bytes) -> int | None:
    """The permissions that its owner, if that is us, gave to a file."""
    with contextlib.suppress(OSError):
        found = os.stat(path, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            return stat.S_IMODE(found.st_mode)
    return None


def _write(descriptor: int, chunk: bytes) -> int:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]
    return len(chunk)


def _read(descriptor: int, size: int) -> bytes:
    found = b""
    while len(found) < size and (piece := os.read(descriptor, size - len(found))):
        found += piece
    return found
