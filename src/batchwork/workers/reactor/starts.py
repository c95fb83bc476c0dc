"""When a reactor may be started again after a trouble, and from when on there is no sense in it."""

from __future__ import annotations

import errno

from batchwork.errors import WorkerError

_PAUSE_S = 0.05
_PAUSE_MAX_S = 0.5
_PATIENCE_S = 60.0
"""How long the system may lack room for a process before the step fails."""
_FOR_A_WHILE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_DEATHS_MAX = 5
"""Deaths in a row, without an outcome between them, after which the step fails."""


class Starts:
    """Counts what went wrong. `wanted`: there is to be a reactor. `at` is when the next start may be tried, `broken` why there can be none."""

    def __init__(self) -> None:
        self.wanted = False
        self.at = 0.0
        self.broken: WorkerError | None = None
        self._told = False
        self._deaths = 0
        self._failing_since = 0.0  # when it could not be started for the first time, 0 if it could

    def due(self, now: float) -> bool:
        """Whether a reactor is to be started now, where there is none."""
        return self.wanted and self.broken is None and now >= self.at

    def tell(self) -> None:
        """Raises WorkerError the first time, where there can be none any more."""
        if self.broken is not None and not self._told:
            self._told = True
            raise self.broken

    def succeeded(self) -> None:
        self._failing_since = 0.0

    def worked(self) -> None:
        """The reactor has sent outcomes: whatever killed others before it has passed."""
        self._deaths = 0

    def failed(self, error: OSError, now: float) -> bool:
        """It could not be started. Whether it is tried again: for a while, where the system only lacks room."""
        self._failing_since = self._failing_since or now
        if error.errno not in _FOR_A_WHILE or now - self._failing_since > _PATIENCE_S:
            self._break(f"cannot be started: {error.strerror or error}")
        self.at = now + _PAUSE_MAX_S
        return self.broken is None

    def died(self, status: int, now: float) -> None:
        """It has died, of its own: an exit code, or minus the number of a signal."""
        self._deaths += 1
        if self._deaths > _DEATHS_MAX:
            self._break(f"dies again and again ({_ended(status)})")
        self.at = now + min(_PAUSE_S * 2**self._deaths, _PAUSE_MAX_S)

    def _break(self, why: str) -> None:
        self.broken = WorkerError(f"the reactor, which runs commands and requests, {why}")


def _ended(status: int) -> str:
    if status < 0:
        return f"signal {-status}"
    return f"exit code {status}"
