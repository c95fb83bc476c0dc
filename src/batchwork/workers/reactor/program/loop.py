"""The one loop of a reactor: descriptors that are watched, and timers. What they are for is not known here."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TypeAlias

from batchwork.workers.reactor.program.timers import Timers

Ready: TypeAlias = Callable[[int, int], None]
"""Called with a descriptor and the events (POLLIN, POLLOUT, POLLHUP, POLLERR) that it is ready for."""

IN, OUT, ERR, HUP = 1, 4, 8, 16
"""The same numbers in poll and in epoll."""


_PAUSE_S = 0.5
"""Waking so much later than asked for means that this process was stopped, and what it runs with it (Ctrl-Z)."""
_LOOK_S = 1.0
"""Where there are timers, the loop turns so often: a pause is known to be that much shorter than it seems, at most."""


class Loop:
    """Waits for descriptors by epoll (by poll where there is none)."""

    def __init__(self) -> None:
        self._epoll = hasattr(select, "epoll")
        self._poller = (select.epoll if self._epoll else select.poll)()
        self._ready: dict[int, Ready] = {}
        self.timers = Timers()
        self.now = time.monotonic
        self._seen = self.now()

    def watch(self, fd: int, events: int, ready: Ready) -> None:
        """Call `ready` whenever `fd` is ready for `events`; watching it again changes either."""
        if fd in self._ready:
            self._poller.modify(fd, events)
        else:
            self._poller.register(fd, events)
        self._ready[fd] = ready

    def forget(self, fd: int) -> None:
        """Stop watching `fd`, before it is closed; one that is not watched is passed over."""
        if self._ready.pop(fd, None) is not None:
            self._poller.unregister(fd)

    def turn(self, longest_s: float | None = None) -> bool:
        """Wait for something and have it dealt with; at most `longest_s`. Whether any descriptor was ready."""
        wait = self.timers.wait(self.now())
        if wait is not None:
            wait = min(wait, _LOOK_S)
        if wait is None or (longest_s is not None and longest_s < wait):
            wait = longest_s
        ready = self._poller.poll(self._pause(wait))
        self._notice_pause(wait)
        for fd, events in ready:
            call = self._ready.get(fd)
            if call is not None:  # its neighbour may have ended it a moment ago
                call(fd, events)
        self._notice_pause(0.0)
        self.timers.fire(self._seen)
        return bool(ready)

    def _notice_pause(self, wait_s: float | None) -> None:
        """Put timers off where much more time has passed since the last look than was to be waited: it stood still, wherever that was."""
        before, self._seen = self._seen, self.now()
        passed_s = self._seen - before
        if wait_s is not None and passed_s > wait_s + _PAUSE_S:
            self.timers.put_off(passed_s)

    def _pause(self, wait_s: float | None) -> float:
        """The same as epoll takes it, or in milliseconds as poll does."""
        if wait_s is None:
            return -1
        if self._epoll:
            return wait_s
        return int(wait_s * 1000) + (wait_s > 0)  # rounded up, or what is due in 0.4 ms would keep the loop busy
