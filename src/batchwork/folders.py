"""Folders of batchwork: for their owner only, never somebody else's, never reached through a link that others may have set.

Whoever can write the working directory could otherwise choose where results and logs go, or which are read.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from batchwork.errors import StoreError

STATE_FOLDER = ".batchwork"
"""Where stores, logs and the folders of runs are unless another place is named."""

_PARTS = ("state.db", "logs", "runs", ".gitignore")
"""How what batchwork keeps in such a folder begins."""
_IGNORE = b"# The state of batchwork is not for version control.\n*\n"


def private_folder(path: str) -> str:
    """Make the folder and those above it that are missing, 0700 whatever the umask; gives `path` back. Raises OSError.

    A link in its place is not followed.
    """
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "it is a symbolic link", path)
    if path and not os.path.isdir(path):
        _make(path)
    return path


def _make(path: str) -> None:
    above = os.path.dirname(path)
    if above and not os.path.isdir(above):
        _make(above)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)
    if not os.path.isdir(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)


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


def default_state_folder() -> str:
    """The state folder that nobody has named, absolute."""
    return os.path.abspath(STATE_FOLDER)


def take_state_folder(path: str) -> None:
    """Check the state folder that nobody has named, and make it private. Raises StoreError."""
    check_state_folder(path, named=False)
    keep_private(path, ours=True)


def check_state_folder(path: str, *, named: bool) -> None:
    """Insist that a state folder that is there may be used. `named`: by `--store` or BATCHWORK_STORE. Raises StoreError.

    One that was named may be a link to a folder of ours, and for root another's; links in it are never followed.
    """
    if os.path.islink(path) and not named:
        target = os.readlink(path)
        _refuse(path, f"is a symbolic link to {target}", f"say `--store {target}` if that is yours")
    try:
        there = os.stat(path)
    except OSError:  # there is none, or whoever opens it says what is the matter
        return
    if not stat.S_ISDIR(there.st_mode):
        return
    me = os.geteuid()
    if there.st_uid != me and not (named and me == 0):
        _refuse(path, f"belongs to {_owner(there.st_uid)}", "name a folder of yours with `--store`")
    for entry in _parts(path):
        if entry.is_symlink():
            _refuse(entry.path, f"is a symbolic link to {os.readlink(entry.path)}", "remove it if you have not made it")


def keep_private(path: str, *, ours: bool) -> None:
    """Make a state folder of ours 0700, its files 0600, and keep it out of version control. `ours`: whatever is in it.

    One that was named and holds other things too is left as it is, but for the files of batchwork. What cannot be
    changed stays.
    """
    path = os.path.realpath(path)
    with suppress(OSError):
        if os.stat(path).st_uid != os.geteuid():
            return
        known = _parts(path)
        if ours or len(known) == len(os.listdir(path)):
            _restrict(path, 0o700)
            _ignore(os.path.join(path, ".gitignore"))
        for entry in known:
            _restrict(entry.path, 0o700 if entry.is_dir(follow_symlinks=False) else 0o600)


def _parts(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.name.startswith(_PARTS)]
    except OSError:
        return []


def _restrict(path: str, mode: int) -> None:
    there = os.stat(path, follow_symlinks=False)
    if stat.S_IMODE(there.st_mode) & ~mode and not stat.S_ISLNK(there.st_mode):
        os.chmod(path, mode)


def _ignore(path: str) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, _IGNORE)
        finally:
            os.close(descriptor)


def _owner(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (user {uid})"
    except KeyError:
        return f"user {uid}"


def _refuse(path: str, why: str, hint: str) -> None:
    raise StoreError(f"state is not kept in {path}: it {why}", hint)
