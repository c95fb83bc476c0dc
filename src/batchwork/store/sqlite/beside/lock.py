"""Leases on runs: one locked file for each run, in a folder beside the store. A lease is gone when its process is.

The lock is flock(2) on a descriptor that is closed on exec and in forked children, so that no worker outlives its
engine as an owner. The file's content only tells people who the owner is.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress

from batchwork.clock import Clock, iso
from batchwork.errors import RunLocked, StoreError, lacks_files
from batchwork.folders import make_folder
from batchwork.store.sqlite.trouble import explain, kind_of
from batchwork.store.tables.rows import checked_run_id

TRIES = 100
PAUSE_S = 0.003

_held: weakref.WeakSet[RunLease] = weakref.WeakSet()
_pause = threading.Event()  # never set


class RunLease:
    """Ownership of one run."""

    def __init__(self, path: str, descriptor: int, forget: Callable[[RunLease], None]) -> None:
        self.path = path
        self._descriptor = descriptor
        self._forget = forget
        self._owner = os.getpid()
        _held.add(self)

    def release(self) -> None:
        """Give the run up. The second time does nothing."""
        if self._descriptor < 0:
            return
        if os.getpid() == self._owner:
            with suppress(OSError):
                os.unlink(self.path)
        self.drop()
        self._forget(self)

    def drop(self) -> None:
        """Close the descriptor and nothing else: what a forked child does with a lease that is not its own."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def _drop_all() -> None:
    for lease in list(_held):
        lease.drop()


os.register_at_fork(after_in_child=_drop_all)


class Locks:
    """The locks of a store's runs, in `folder`: the path of the store and `.locks`."""

    def __init__(self, folder: str, clock: Clock) -> None:
        self.folder = folder
        self._store = folder.removesuffix(".locks")
        self._clock = clock
        self._leases: set[RunLease] = set()

    def lease(self, run: str) -> RunLease:
        """Own `run`. Raises RunLocked naming its owner, StoreError where the lock cannot be made."""
        path = self._path(run)
        make_folder(self.folder)
        try:
            descriptor = self._acquire(path)
        except OSError as error:
            if kind_of(error, self._store) == "full" or lacks_files(error):
                raise explain(error, self._store) from error
            raise StoreError(
                f"the run {run} cannot be locked: {path}: {error.strerror}",
                "its folder must belong to you and be writable, on a file system with locks",
            ) from error
        if descriptor is None:
            raise RunLocked(
                f"run {run} is being worked on by {self._owner(path)}",
                f"wait for it, or look at it with `batchwork status {run}`; Ctrl-C or SIGTERM ends it in good order",
            )
        lease = RunLease(path, descriptor, self._leases.discard)
        self._leases.add(lease)
        try:
            self._sign(descriptor)
        except OSError as error:
            lease.release()
            raise explain(error, self._store) from error
        return lease

    def _sign(self, descriptor: int) -> None:
        """Write down who the owner is. Raises OSError."""
        content = {"pid": os.getpid(), "host": os.uname().nodename, "since": iso(self._clock.wall_ms())}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(content).encode(), 0)

    def living(self, run: str) -> bool:
        """Whether some process owns `run` now."""
        try:
            descriptor = os.open(self._path(run), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False  # no file: no owner, or none that we may know of
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def release_all(self) -> None:
        for lease in list(self._leases):
            lease.release()

    def _path(self, run: str) -> str:
        return os.path.join(self.folder, f"{checked_run_id(run)}.lock")

    def _acquire(self, path: str) -> int | None:
        """A locked descriptor, or None if another process has it. Those who only look hold it for a moment: try again."""
        for _ in range(TRIES):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same_file(descriptor, path):  # else its owner deleted it between our opening and locking it
                    return descriptor
            except BlockingIOError:
                _pause.wait(PAUSE_S)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        return None

    @staticmethod
    def _owner(path: str) -> str:
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            return f"process {content['pid']} on {content['host']} since {content['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process (which has not yet written down its name)"


def _same_file(descriptor: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
