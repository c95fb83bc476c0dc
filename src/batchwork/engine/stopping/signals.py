"""Which signals raise the stop level, and how to put the former behaviour back."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Final, Self, TypeAlias

from batchwork import proctree
from batchwork.clock import Clock
from batchwork.engine.stopping.stop_level import KILL, Control

DRAIN_S: Final = 20.0
"""How long SIGTERM and SIGHUP wait for what runs. (Kubernetes kills after 30 s.)"""

ECHO_S: Final = 0.05
"""The same signal again within this time is the same request: `timeout` and terminals send it to the process and to its group."""

_WORDS: Final = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}

Former: TypeAlias = "Callable[[int, FrameType | None], object] | int | None"


class Signals:
    """While entered: SIGINT, SIGTERM and SIGHUP raise the stop level by one each time; SIGUSR1 and SIGQUIT print all stacks.

    SIGTSTP (Ctrl-Z) stops what the run has started as well, which no terminal reaches: it carries `cookie`.
    Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self, control: Control, clock: Clock, cookie: str = "") -> None:
        self._control = control
        self._cookie = cookie
        self._clock = clock
        self._last: dict[int, float] = {}
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in _WORDS:
            # A process started with nohup keeps ignoring SIGHUP.
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            former: Former = signal.signal(number, self._stop)
            self._undo.callback(_restore, number, former)
        if self._cookie and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:  # else somebody wants none of it
            self._undo.callback(_restore, signal.SIGTSTP, signal.signal(signal.SIGTSTP, self._pause))
        for number in (signal.SIGUSR1, signal.SIGQUIT):
            _dump_on(number, self._undo)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        now = self._clock.now()
        if now - self._last.get(number, -1.0) < ECHO_S:
            return
        self._last[number] = now
        if self._control.signal is None:
            self._control.signal = number
        limit_s = None
        if number != signal.SIGINT:
            limit_s = DRAIN_S
        self._control.raise_to(min(self._control.level + 1, KILL), _WORDS[signal.Signals(number)], limit_s)

    def _pause(self, number: int, _frame: FrameType | None) -> None:
        """Stop with all that runs, and go on with it."""
        held = proctree.hold(self._family)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # here it stands still, until SIGCONT
        signal.signal(number, self._pause)
        proctree.kill(held, signal.SIGCONT)

    def _family(self) -> list[int]:
        """The workers and all below them; not the guardian, who must be able to act while all the others stand still."""
        children = proctree.children(os.getpid())
        workers = [pid for pid in children if proctree.environ_value(pid, proctree.COOKIE) == self._cookie]
        return workers + proctree.below(workers)


def interrupted_code(number: int | None) -> int:
    """The exit code of a run that a signal interrupted: 130 for Ctrl-C, 143 for SIGTERM and SIGHUP."""
    if number in (None, signal.SIGINT):
        return 130
    return 143


def _restore(number: int, former: Former) -> None:
    # None: it was set by something other than Python and cannot be put back.
    if former is None:
        former = signal.SIG_DFL
    signal.signal(number, former)


def _dump_on(number: signal.Signals, undo: ExitStack) -> None:
    try:
        faulthandler.register(number, all_threads=True)
    except (AttributeError, ValueError, OSError, RuntimeError):
        return  # standard error is not a file here, so there is nowhere to print to
    undo.callback(faulthandler.unregister, number)
