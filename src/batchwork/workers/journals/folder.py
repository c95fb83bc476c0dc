"""The folder of an execution's journals: made, taken, listed, removed. What is in the journals is not known here."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from contextlib import suppress

from batchwork.ports.journals import NOBODY, Owner

_OWNER = "owner"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a file of ours is made, which nobody has made before."""


def boot_id() -> str:
    """What tells this start of the machine from others; empty where nothing does."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
    return ""


def taken(folder: str, owner: Owner) -> int:
    """The open folder of an execution that begins, locked as long as that is open. Raises OSError."""
    descriptor = os.open(folder, _FOLDER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        noted = os.open(os.path.join(folder, _OWNER), NEW, 0o600)
        with open(noted, "w", encoding="utf-8") as file:
            json.dump(owner, file)
    except OSError:
        os.close(descriptor)
        remove_folder(folder)
        raise
    return descriptor


def owner_of(folder: str) -> Owner:
    """The store that knows of a folder's execution, NOBODY where that is not said."""
    try:
        descriptor = os.open(os.path.join(folder, _OWNER), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8") as file:
            beside, store = json.load(file)
    except (OSError, ValueError, TypeError):
        return NOBODY
    return Owner(str(beside), str(store))


def is_held(folder: str) -> bool:
    """Whether the execution of a folder goes on."""
    try:
        descriptor = os.open(folder, _FOLDER)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def files_of(folder: str, step: int | None = None) -> dict[str, list[str]]:
    """The paths of the journals in a folder that is ours, by step."""
    found: dict[str, list[str]] = {}
    if not own_folder(folder):
        return found
    for name in sorted(os.listdir(folder)):
        of, _, number = name.partition(".")
        if number.isdigit() and step in (None, int(of) if of.isdigit() else -1):
            found.setdefault(of, []).append(os.path.join(folder, name))
    return found


def own_folder(folder: str) -> bool:
    """Whether it is a folder of ours, and no link to one."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def remove_step(folder: str, step: int) -> None:
    """Remove a step's journals, the index first: without it none is complete."""
    with suppress(OSError):
        os.unlink(os.path.join(folder, f"{step}.index"))
    for path in files_of(folder, step).get(str(step), ()):
        with suppress(OSError):
            os.unlink(path)


def remove_folder(folder: str) -> None:
    """Remove all journals of an execution, and the folder."""
    if own_folder(folder):
        for name in os.listdir(folder):
            with suppress(OSError):
                os.unlink(os.path.join(folder, name))
        with suppress(OSError):
            os.rmdir(folder)
