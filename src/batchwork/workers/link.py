"""One worker process with its two pipes, and waiting for many of them.

Both pipes are non-blocking on this side: what does not fit is kept and written when there is room, so two full pipes
never wait for each other. That a worker is dead is learnt from its pidfd, not from its pipe, because a process that it
left behind may still hold the pipe open.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from batchwork import proctree
from batchwork.clock import Clock
from batchwork.faults import fault
from batchwork.ports import Staffing
from batchwork.workers.frames import frame
from batchwork.workers.pipes import Inbound, Outbound, two_pipes

Arguments: TypeAlias = Callable[[int, int], Sequence[str]]
"""The argument list, made from the worker's own numbers of the pipe that it reads and the pipe that it writes."""

WORKER_MARK = "BATCHWORK_WORKER"
"""The environment variable that tells the processes of one worker from those of another."""

_numbers = itertools.count(1)
_PIPE_SIZE = 1 << 18
_LOOK_S = 0.05
"""How soon it is looked whether a worker has ended where the system does not say so."""


class Link:
    """A worker process, its own session and process group, with a pipe in each direction.

    It stands in the directory of `staffing` and carries its cookie. `inherit` are further descriptors that it gets, under
    the same numbers. `output` is where its standard output and error go (nowhere, if it is not given). Raises OSError
    where the process cannot be started.
    """

    def __init__(
        self,
        command: Arguments,
        staffing: Staffing,
        environ: Mapping[str, str],
        *,
        inherit: Sequence[int] = (),
        output: int = subprocess.DEVNULL,
    ) -> None:
        fault("spawn")
        self._mark = f"{os.getpid()}-{next(_numbers)}"
        theirs_in, out_fd, in_fd, theirs_out = two_pipes()
        try:
            self._process = subprocess.Popen(
                list(command(theirs_in, theirs_out)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs_in, theirs_out, *inherit),
                env={**environ, proctree.COOKIE: staffing.cookie, WORKER_MARK: self._mark},
                cwd=staffing.cwd,
                start_new_session=True,
            )
        except BaseException:  # whatever it was, no descriptor may leak
            os.close(out_fd)
            os.close(in_fd)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.status: int | None = None
        """How it ended: the exit code, or minus the number of the signal. None while it lives."""
        self.closed = False
        self._in, self._out = Inbound(in_fd), Outbound(out_fd)
        self.watch_room: Callable[[Link, bool], None] | None = None
        """Set by `Links`: begins (True) or ends (False) watching for room in the pipe."""
        for fd in (in_fd, out_fd):
            os.set_blocking(fd, False)
            with contextlib.suppress(OSError, AttributeError):  # larger pipes are only faster; users have a quota
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        try:
            self._pid_fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # no pidfd on this system: `poll` looks every time
            self._pid_fd = -1

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    # ------------------------------------------------------------ talking

    def send(self, tag: int, body: bytes) -> None:
        """Send a frame; what the pipe does not take now is sent later. Nothing happens if the worker is dead."""
        if self.closed or self._out.finishing or self.status is not None:
            return
        self._out.pending += frame(tag, body)
        self.flush()

    def finish(self) -> None:
        """Tell the worker that nothing more will come: it ends when it has done all that it was sent."""
        self._out.finishing = True
        self.flush()

    def flush(self) -> None:
        """Write as much of what is waiting as the pipe takes."""
        if self._out.fd < 0:
            return
        self._out.write()
        if self.watch_room is not None:
            self.watch_room(self, bool(self._out.pending))
        self._out.close_if_done()

    def take(self) -> list[tuple[int, bytes]]:
        """The frames (tag, body) that have come since the last call."""
        frames, self._in.frames = self._in.frames, []
        return frames

    def hear(self) -> bool:
        """Read what there is, at most 64 KiB. False when the worker has closed its end."""
        return self._in.hear()

    # ------------------------------------------------------------ its end

    def reap(self) -> bool:
        """Whether the worker has ended. If it has, all that it wrote has been read and `status` says how it ended."""
        if self.status is None and not self.closed:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else reaped it; how it ended is lost
                pid, status = self.pid, signal.SIGKILL
            if pid:
                self.status = self._process.returncode = os.waitstatus_to_exitcode(status)
                self._in.hear_all()
        return self.status is not None

    def signal(self, number: int) -> None:
        """Signal the worker's process alone."""
        if self.status is None and not self.closed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_tree(self) -> None:
        """SIGKILL to all that the worker started, whatever its session, then to the worker. Its end comes through `reap`.

        The worker is stopped first, so that it starts nothing more, and is the last to die, because while it lives (a
        subreaper) everything that it started, daemons too, is below it.
        """
        if self.status is not None or self.closed:
            return
        self.signal(signal.SIGSTOP)
        proctree.kill_all(lambda: proctree.descendants([self.pid]))
        self.signal(signal.SIGKILL)

    def sweep(self) -> int:
        """SIGKILL to what a worker that died has left behind, found by a mark in its environment; how many there were."""

        def left() -> list[int]:
            marked = proctree.living()
            return [pid for pid in marked if proctree.environ_value(pid, WORKER_MARK) == self._mark]

        return proctree.kill_all(left)

    def terminate(self) -> None:
        """SIGTERM to the worker and all below it."""
        if self.status is None and not self.closed:
            proctree.kill((*proctree.descendants([self.pid]), self.pid), signal.SIGTERM)

    def close(self) -> None:
        """Close the pipes. A worker that still lives is killed with all below it and reaped."""
        if self.closed:
            return
        if not self.reap():
            self.kill_tree()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.status = self._process.returncode = -signal.SIGKILL
        self.closed = True
        for fd in self.descriptors:
            if fd >= 0:
                os.close(fd)
        self._in.fd = self._out.fd = self._pid_fd = -1

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """The numbers of: the pipe that is read, the pipe that is written, the pidfd (-1 where there is none)."""
        return self._in.fd, self._out.fd, self._pid_fd


class Links:
    """Waits for many links at once, and for `wake`. All but `wake` belongs to one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = os.pipe()
        self._waking = threading.RLock()  # reentrant, for signal handlers
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._links: dict[Link, int] = {}  # and the descriptor that is watched for room in the pipe, or -1

    def add(self, link: Link) -> None:
        read, _, pid = link.descriptors
        self._links[link] = -1
        self._selector.register(read, selectors.EVENT_READ, link)
        if pid >= 0:
            self._selector.register(pid, selectors.EVENT_READ, link)
        link.watch_room = self._watch_room
        self._watch_room(link, bool(link._out.pending))

    def remove(self, link: Link) -> None:
        """Stop watching a link; to be called before it is closed."""
        room = self._links.pop(link, None)
        if room is None:
            return
        read, _, pid = link.descriptors
        for fd in (read, pid, room):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(fd)
        link.watch_room = None

    def poll(self, timeout_s: float | None) -> list[Link]:
        """Links that have sent frames or have ended, waiting up to `timeout_s` (None: without limit) or for `wake`.

        May be empty before the time is over: after `wake`, or when there was only something to write.
        """
        heard = {link: None for link in self._links if link.descriptors[2] < 0}  # looked at every time
        if heard and (timeout_s is None or timeout_s > _LOOK_S):
            timeout_s = _LOOK_S
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._drain_wake()
            elif self._served(key.data, key.fd):
                heard[key.data] = None
        for link in heard:
            link.reap()
        return list(filter(self._has_news, heard))

    def wait(self, links: Sequence[Link], clock: Clock, timeout_s: float) -> bool:
        """Wait for the ends of some of the links, dropping what they still say. Whether all have ended."""
        until = clock.now() + timeout_s
        while any(not link.reap() for link in links):
            if clock.now() >= until:
                return False
            self.poll(_LOOK_S)
            for link in links:
                link.take()
        return True

    def _served(self, link: Link, fd: int) -> bool:
        """Do what a descriptor of a link is ready for; whether it may have sent something or ended."""
        if fd == self._links.get(link):
            link.flush()
            return False
        if fd == link.descriptors[0] and not link.hear():
            self._selector.unregister(fd)
        return True

    def _has_news(self, link: Link) -> bool:
        """Whether it sent frames or has ended; then stop watching it (a closed pipe would be ready for ever)."""
        if link.status is None:
            return bool(link._in.frames)
        for fd in (link.descriptors[0], link.descriptors[2], self._links[link]):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(fd)
        self._links[link] = -1
        return True

    def _watch_room(self, link: Link, wanted: bool) -> None:
        fd = self._links.get(link, -1)
        if wanted and fd < 0:
            self._links[link] = link.descriptors[1]
            self._selector.register(link.descriptors[1], selectors.EVENT_WRITE, link)
        elif not wanted and fd >= 0:
            self._links[link] = -1
            self._selector.unregister(fd)

    def wake(self) -> None:
        """Make `poll` return, now or the next time; from any thread and from signal handlers."""
        # Not without the lock: closed a moment ago, the number may be another file's by now.
        with self._waking, contextlib.suppress(OSError):
            if self._wake_out >= 0:
                os.write(self._wake_out, b"\0")

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._wake_in, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Close what belongs to the waiting itself; the links are closed by whoever made them. Again does nothing."""
        if self._wake_in < 0:
            return
        self._selector.close()
        with self._waking:
            read, write, self._wake_in, self._wake_out = self._wake_in, self._wake_out, -1, -1
            os.close(read)
            os.close(write)
