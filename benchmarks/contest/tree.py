"""Runs one command to its end and writes what it and everything that it started took. Needs no other file; is run by its path.

usage: python tree.py RESULT SECONDS COMMAND …      after SECONDS all of it is killed

Whatever the command starts becomes a child of this process when its parent ends, so that the CPU time of all is known.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from resource import RUSAGE_CHILDREN, getrusage

SET_CHILD_SUBREAPER = 36
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
TICK = os.sysconf("SC_CLK_TCK")
GRACE_S = 20.0
"""So long after the command itself what it started may go on."""


def below(pid: int) -> Iterator[int]:
    """The process and its descendants, as far as they live."""
    yield pid
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children") as children:
                found = children.read().split()
        except OSError:
            continue
        for child in found:
            yield from below(int(child))


def resident(pid: int) -> float:
    """MiB in memory; 0 where the process has ended."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE_MIB
    except OSError:
        return 0.0


def busy_s() -> float:
    """Seconds that all processors together have worked since the machine started, for whomever."""
    with open("/proc/stat") as file:
        times = [int(word) for word in file.readline().split()[1:9]]
    return (sum(times) - times[3] - times[4]) / TICK  # but for idling, and waiting for disks


class Watch(threading.Thread):
    """Looks at memory ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self.main, self.tree = pid, 0.0, 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.1):
            sizes = [resident(pid) for pid in below(self._pid)]
            self.main, self.tree = max(self.main, sizes[0]), max(self.tree, sum(sizes))


def end_all() -> None:
    """Kill whatever is below this process."""
    for pid in list(below(os.getpid()))[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue


def reaped(main: int) -> tuple[int, float]:
    """Wait for the command and for all that it started; its exit status, and when it ended."""
    status, ended = 0, 0.0
    while True:
        try:
            pid, found = os.waitpid(-1, 0)
        except ChildProcessError:
            return status, ended
        if pid == main:
            status, ended = found, time.perf_counter()
            late = threading.Timer(GRACE_S, end_all)
            late.daemon = True
            late.start()


def main(result: str, limit_s: float, command: list[str]) -> None:
    """Run, and write as JSON: seconds, CPU seconds, exit code, how many cores others used meanwhile, peaks of memory."""
    ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    limit = threading.Timer(limit_s, end_all)
    limit.daemon = True
    limit.start()
    began, busy = time.perf_counter(), busy_s()
    pid = os.posix_spawnp(command[0], command, os.environ)
    watch = Watch(pid)
    watch.start()
    status, ended = reaped(pid)
    watch.over.set()
    usage = getrusage(RUSAGE_CHILDREN)
    busy, whole = busy_s() - busy, time.perf_counter() - began
    spent = {
        "seconds": ended - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "code": os.waitstatus_to_exitcode(status),
        "others": max(0.0, busy - usage.ru_utime - usage.ru_stime) / whole,
        "rss_main": watch.main,
        "rss_tree": max(watch.tree, usage.ru_maxrss / 1024),  # what is over in no time was not seen
    }
    with open(result, "w") as file:
        json.dump(spent, file)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
