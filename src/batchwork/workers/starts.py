"""When a worker may be started again after a trouble, and from when on there is no sense in it."""

from __future__ import annotations

import errno
import signal

from batchwork.errors import MORE_FILES, WorkerError

_FOR_A_WHILE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_TRIES = 60
"""Times that starting a process is tried while the system has no room for it (about a minute)."""
_TRIES_OWN = 6
"""The same where it is our own limit that is in the way, which seldom passes (about 3 s)."""


class Trouble:
    """Why no worker can run any more, told once."""

    def __init__(self) -> None:
        self.why: WorkerError | None = None
        self._told = False

    def because(self, why: WorkerError) -> None:
        """The first reason counts."""
        self.why = self.why or why

    def tell(self) -> None:
        """Raises WorkerError the first time, where there is a trouble."""
        if self.why is not None and not self._told:
            self._told = True
            raise self.why


class Starts:
    """Counts what went wrong. `wanted`: a worker is to be started. `at` is when the next start may be tried, `trouble` why there can be none."""

    def __init__(self, trouble: Trouble) -> None:
        self.wanted = False
        self.at = 0.0
        self.trouble = trouble
        self._tries = 0  # in a row, that failed
        self._deaths = 0  # in a row, without a success between

    def due(self, now: float) -> bool:
        """Whether a worker is to be started now, where there is none."""
        return self.wanted and self.trouble.why is None and now >= self.at

    def failed(self, error: OSError, now: float, why: WorkerError) -> None:
        """A worker could not be started. It is tried again for a while, where the system only lacks room."""
        self._tries += 1
        tries = _TRIES
        if error.errno == errno.EMFILE:
            tries, why = _TRIES_OWN, WorkerError(why.message, MORE_FILES)
        if error.errno not in _FOR_A_WHILE or self._tries > tries:
            self.trouble.because(why)
        self.at = now + min(1.0, 0.02 * 2.0**self._tries)

    def succeeded(self) -> None:
        self.wanted = False
        self._tries = 0

    def worked(self) -> None:
        """A worker has done something: whatever killed others before it has passed."""
        self._deaths = 0


def how_it_ended(status: int) -> str:
    """An exit code, or minus a signal's number, in words."""
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if -status == signal.SIGKILL:
        return f"killed by {name} (out of memory?)"
    return f"killed by {name}"
