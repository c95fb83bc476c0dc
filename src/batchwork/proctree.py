"""Process trees as the system sees them: who descends from whom, who carries a cookie, and ending all of them. Starts nothing.

On Linux everything is read from `/proc`; elsewhere psutil stands in. A process may end at any moment, so nothing here
raises because one has gone. Zombies are not processes to anybody here: they run nothing and cannot be killed.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

COOKIE = "BATCHWORK_COOKIE"
"""The environment variable that marks every process that a run started."""

LINUX = sys.platform.startswith("linux")
_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 100
_PAUSE_S = 0.002


class Process(NamedTuple):
    """One living process. `session` and `group` are the ids of their leaders."""

    pid: int
    parent: int
    group: int
    session: int


def living() -> dict[int, Process]:
    """Every process there is (that may be seen), without zombies."""
    if not LINUX:
        return _living_by_psutil()
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := look(int(name))) is not None:
            found[process.pid] = process
    return found


def look(pid: int) -> Process | None:
    """The process, or None where it has ended."""
    if not LINUX:
        return _living_by_psutil().get(pid)
    stat = _read(f"/proc/{pid}/stat")
    # The name stands in parentheses and may hold anything, so what follows is found from the right.
    fields = stat[stat.rfind(b")") + 2 :].split(None, 4)
    if len(fields) < 5 or fields[0] in b"ZXx":
        return None
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[3]))


def children(pid: int) -> list[int]:
    """The direct children of `pid`, zombies included where the kernel lists them."""
    if LINUX:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            return []
        texts = [_read(f"/proc/{pid}/task/{thread}/children") for thread in threads]
        if any(texts) or os.path.exists(f"/proc/{pid}/task/{pid}/children"):
            return [int(child) for text in texts for child in text.split()]
    return [process.pid for process in living().values() if process.parent == pid]


def descendants(pids: Iterable[int], processes: Mapping[int, Process] | None = None) -> list[int]:
    """All that descend from any of `pids`, without `pids` themselves."""
    by_parent: dict[int, list[int]] = {}
    for process in (living() if processes is None else processes).values():
        by_parent.setdefault(process.parent, []).append(process.pid)
    seen = set(pids)
    found: list[int] = []
    waiting = list(seen)
    while waiting:
        for pid in by_parent.get(waiting.pop(), ()):
            if pid not in seen:
                seen.add(pid)
                found.append(pid)
                waiting.append(pid)
    return found


def below(pids: Iterable[int]) -> list[int]:
    """The same as `descendants`, in time that grows with their number and not with that of all processes.

    It may miss some while they come and go; of processes that are stopped it misses none.
    """
    if not LINUX or not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return descendants(pids)
    seen = set(pids)
    found: list[int] = []
    waiting = list(seen)
    while waiting:
        fresh = [pid for pid in children(waiting.pop()) if pid not in seen]
        seen.update(fresh)
        found += fresh
        waiting += fresh
    return found


def environ_value(pid: int, name: str) -> str | None:
    """What `pid` had as environment variable `name` when it was started; None if it had none or cannot be read."""
    if not LINUX:
        return _environ_by_psutil(pid).get(name)
    wanted = os.fsencode(name) + b"="
    for entry in _read(f"/proc/{pid}/environ").split(b"\0"):
        if entry.startswith(wanted):
            return os.fsdecode(entry[len(wanted) :])
    return None


def with_cookie(cookie: str) -> list[int]:
    """Every living process whose environment has `BATCHWORK_COOKIE=cookie`, this one excepted."""
    if not LINUX:
        return [pid for pid in _living_by_psutil() if pid != os.getpid() and environ_value(pid, COOKIE) == cookie]
    wanted = b"\0" + os.fsencode(f"{COOKIE}={cookie}") + b"\0"
    own = str(os.getpid())
    names = [name for name in os.listdir("/proc") if name.isdigit() and name != own]
    return [int(name) for name in names if wanted in b"\0" + _read(f"/proc/{name}/environ") + b"\0"]


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to each of `pids`; those that are gone or not ours to signal are passed over."""
    own = os.getpid()
    for pid in pids:
        if pid > 1 and pid != own:
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue


def kill_group(group: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process group that may be gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def strike(find: Callable[[], Iterable[int]]) -> set[int]:
    """One round of ending what `find` finds: all are stopped, until no new one appears, then killed. Waits for nothing.

    Stopped first, so that none can fork while its neighbours are being killed.
    """
    stopped = hold(find)
    kill(stopped, signal.SIGKILL)
    return stopped


def hold(find: Callable[[], Iterable[int]]) -> set[int]:
    """Stop all that `find` finds, until no new one appears. Returns which they were, for SIGCONT."""
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = {pid for pid in find() if pid not in stopped and look(pid) is not None}
        fresh.discard(os.getpid())
        if not fresh:
            break
        kill(fresh, signal.SIGSTOP)
        stopped |= fresh
    return stopped


def kill_all(find: Callable[[], Iterable[int]], patience_s: float = 2.0) -> int:
    """End everything that `find` finds, again and again until it finds nothing; returns how many there were.

    Those that are children of this process are reaped. Gives up after `patience_s` (a process in the kernel's
    uninterruptible sleep).
    """
    ended: set[int] = set()
    for _ in range(max(1, round(patience_s / _PAUSE_S))):
        struck = strike(find)
        if not struck:
            break
        ended |= struck
        select.select([], [], [], _PAUSE_S)  # the kernel ends them on its own time
        reap(struck)
    return len(ended)


def reap(pids: Iterable[int]) -> None:
    """Take the exit status of those of `pids` that are dead children of this process, so that no zombie stays."""
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def become_subreaper() -> bool:
    """Have orphans among our descendants become our children, instead of init's. False where the system cannot."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> bool:
    if not LINUX:
        return False
    import ctypes  # most that import this module do not need it

    try:
        return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError:  # it ended meanwhile
        return b"".join(parts)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _living_by_psutil() -> dict[int, Process]:
    import psutil

    found = {}
    for process in psutil.process_iter(["pid", "ppid", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE:
            pid = process.info["pid"]
            try:
                found[pid] = Process(pid, process.info["ppid"] or 0, os.getpgid(pid), os.getsid(pid))
            except OSError:
                continue
    return found


def _environ_by_psutil(pid: int) -> dict[str, str]:
    import psutil

    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return {}
