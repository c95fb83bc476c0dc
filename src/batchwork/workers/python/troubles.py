"""What follows from troubles with Python workers: when one may be started again, and what is said where none can be."""

from __future__ import annotations

import errno
from typing import Any

from batchwork.errors import WorkerError
from batchwork.workers.python.preparation import Preparation
from batchwork.workers.starts import Starts, Trouble, how_it_ended

_IDLE_DEATHS = 5
"""Deaths in a row that no unit is to blame for, after which the step fails."""
_SETUP_TRIES = 3
_SETUP_PAUSES_S = (0.25, 1.0)
"""Waits after the first and the second time that a worker could not be prepared: a database may be just starting."""


class LaneStarts(Starts):
    """Starts of the workers of a lane. `was_ready`: one of them could be prepared."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.was_ready = False
        self.stopped = False
        """No more are wanted."""
        self._idle_deaths = 0
        self._setups = 0  # in a row, that failed

    def prepared(self) -> None:
        """A worker is ready."""
        self.was_ready = True
        self._setups = 0

    def not_prepared(self, preparation: Preparation, now: float) -> None:
        """A worker could not be prepared. It is tried three times in all, where another try may help."""
        self._setups += 1
        assert preparation.failure is not None
        if not preparation.again or self._setups >= _SETUP_TRIES:
            self.trouble.because(_tried(preparation.failure, self._setups))
            return
        self.at = now + _SETUP_PAUSES_S[self._setups - 1]
        self.wanted = not self.stopped

    def worked(self) -> None:
        self._deaths = self._idle_deaths = 0

    def never_ready(self, why: WorkerError) -> None:
        """A worker that ends before it is ready will do so again, unless others of its kind were ready before."""
        self._idle_deaths += 1
        if not self.was_ready or self._idle_deaths >= _IDLE_DEATHS:
            self.trouble.because(why)

    def ended(self) -> None:
        """A worker was ended on purpose: the next one need not wait."""
        self._deaths += 1
        self._idle_deaths = 0

    def died(self, status: int, now: float, *, idle: bool) -> None:
        """After some deaths the next start waits longer and longer; with no unit to blame for them there is none."""
        self._deaths += 1
        self._idle_deaths += 1
        if not idle:
            self._idle_deaths = 0
        if self._deaths > 3:
            self.at = now + min(1.0, 0.05 * 2.0 ** (self._deaths - 4))
        if self._idle_deaths >= _IDLE_DEATHS:
            why = f"a Python worker ended {_IDLE_DEATHS} times with no item running: {how_it_ended(status)}"
            self.trouble.because(WorkerError(why))


def cannot_start(interpreter: str, error: OSError) -> WorkerError:
    what = hint = ""
    if error.filename and error.filename != interpreter:
        what = f" ({error.filename})"
    if error.errno in {errno.ENOENT, errno.EACCES}:
        hint = "`interpreter:` must name a Python of 3.8 or newer"
    return WorkerError(f"cannot start a Python worker with `{interpreter}`: {error.strerror}{what}", hint)


def cannot_prepare(told: dict[str, Any], interpreter: str, log: str) -> WorkerError:
    why = ": ".join(filter(None, (told["type"], told["message"])))
    hint = "\n".join(log.strip().splitlines()[-8:])
    if told["type"] == "ModuleNotFoundError":
        hint = f"its interpreter is `{interpreter}`"
    return WorkerError(f"the Python worker cannot be prepared: {why}", hint)


def _tried(why: WorkerError, times: int) -> WorkerError:
    if times == 1:
        return why
    return WorkerError(f"{why.message} (tried {times} times)", why.hint)


def too_slow(setup_timeout_s: float) -> WorkerError:
    """It took too long to be prepared."""
    text = f"the Python worker cannot be prepared: `setup` took longer than {setup_timeout_s:g} s"
    return WorkerError(text, "`setup_timeout` says how long it may take")


def not_ready(interpreter: str, status: int, log: str) -> WorkerError:
    """It ended before it could be prepared; the last lines of its `log` may say why."""
    text = f"the Python worker `{interpreter}` ended before it was ready: {how_it_ended(status)}"
    return WorkerError(text, "\n".join(log.strip().splitlines()[-8:]))
