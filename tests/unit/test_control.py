"""The stop level: it only rises, wakes everybody, and cleanup steps see only what is asked for after they began."""

from __future__ import annotations

import os
import signal
import threading
from queue import SimpleQueue

import pytest

from batchwork.clock import SystemClock
from batchwork.engine.stopping.signals import DRAIN_S, Signals, interrupted_code
from batchwork.engine.stopping.stop_level import DRAIN, GO, KILL, TERMINATE, Control, Shield


class HandClock(SystemClock):
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at


def test_the_level_only_rises() -> None:
    control = Control(HandClock())
    control.raise_to(TERMINATE, "second")
    control.raise_to(DRAIN, "first, late")
    assert (control.level, control.reason) == (TERMINATE, "second")
    control.raise_to(99)
    assert control.level == KILL


def test_each_rise_wakes_the_registered() -> None:
    control = Control(HandClock())
    rung: list[int] = []
    unregister = control.register(lambda: rung.append(control.level))
    control.raise_to(DRAIN)
    control.raise_to(DRAIN)
    control.raise_to(TERMINATE)
    unregister()
    control.raise_to(KILL)
    assert rung == [DRAIN, TERMINATE]


@pytest.mark.promise("9.22")
def test_draining_has_a_time_limit() -> None:
    clock = HandClock()
    control = Control(clock)
    assert control.due_in() is None
    control.raise_to(DRAIN, "SIGTERM", 20)
    clock.at += 19
    control.escalate()
    assert (control.level, control.due_in()) == (DRAIN, 1.0)
    clock.at += 2
    control.escalate()
    assert (control.level, control.reason, control.due_in()) == (TERMINATE, "SIGTERM: time is up", None)


def test_a_shield_lets_through_only_what_comes_later() -> None:
    clock = HandClock()
    above = Control(clock)
    above.raise_to(DRAIN)
    shield = Shield(above, clock)
    assert shield.level == GO
    woken: list[int] = []
    shield.register(lambda: woken.append(shield.level))
    above.raise_to(TERMINATE)
    assert (shield.level, woken) == (TERMINATE, [TERMINATE])
    later = Shield(above, clock)
    assert later.level == GO
    later.raise_to(KILL)
    assert (above.level, later.level) == (KILL, KILL)


def test_draining_does_not_touch_cleanup_steps() -> None:
    above = Control(HandClock())
    shield = Shield(above, HandClock())
    above.raise_to(DRAIN)
    assert shield.level == GO


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143), (None, 130)]
)
def test_exit_codes(number: int | None, code: int) -> None:
    assert interrupted_code(number) == code


def test_signals_raise_one_level_each_and_echoes_count_once() -> None:
    clock = HandClock()
    control = Control(clock)
    before = signal.getsignal(signal.SIGINT)
    with Signals(control, clock):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (control.level, control.signal, control.due_in()) == (DRAIN, signal.SIGTERM, DRAIN_S)
        clock.at += 1
        os.kill(os.getpid(), signal.SIGINT)
        assert (control.level, control.reason, control.signal) == (TERMINATE, "Ctrl-C", signal.SIGTERM)
        clock.at += 1
        os.kill(os.getpid(), signal.SIGINT)
        clock.at += 1
        os.kill(os.getpid(), signal.SIGINT)
        assert control.level == KILL
    assert signal.getsignal(signal.SIGINT) is before


def test_a_rise_while_the_main_thread_waits_is_heard_there() -> None:
    control, mail = Control(SystemClock()), SimpleQueue[None]()
    control.register(lambda: mail.put(None))
    with Signals(control, SystemClock()):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        mail.get(timeout=60)
    assert control.level == DRAIN
