"""What follows from the death of a reactor."""

from __future__ import annotations

from batchwork.errors import WorkerError
from batchwork.workers.starts import Starts, how_it_ended

_DEATHS_MAX = 5
"""Deaths in a row, without an outcome between them, after which the step fails."""


class ReactorStarts(Starts):
    """Starts of a reactor: after each death the next one waits longer."""

    def died(self, status: int, now: float) -> None:
        """It has died, of its own: an exit code, or minus the number of a signal."""
        self._deaths += 1
        if self._deaths > _DEATHS_MAX:
            self.trouble.because(cannot_run(f"dies again and again ({how_it_ended(status)})"))
        self.at = now + min(0.05 * 2**self._deaths, 0.5)


def cannot_run(why: str) -> WorkerError:
    return WorkerError(f"the reactor, which runs commands and requests, {why}")
