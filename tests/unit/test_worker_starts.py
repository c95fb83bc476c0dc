"""When workers are started again after a trouble, and when no more."""

from __future__ import annotations

import errno

import pytest

from batchwork.errors import WorkerError
from batchwork.workers.python.troubles import LaneStarts
from batchwork.workers.reactor.starts import ReactorStarts
from batchwork.workers.starts import Starts, Trouble

WHY = WorkerError("it cannot be started")


def test_a_trouble_is_told_once_and_the_first_reason_counts():
    trouble = Trouble()
    trouble.tell()
    trouble.because(WHY)
    trouble.because(WorkerError("something else"))
    with pytest.raises(WorkerError, match="it cannot be started"):
        trouble.tell()
    trouble.tell()


def test_a_start_is_tried_for_about_a_minute_where_the_system_lacks_room():
    starts, now = Starts(Trouble()), 0.0
    starts.wanted = True
    while starts.trouble.why is None:
        assert starts.due(now)
        starts.failed(OSError(errno.EAGAIN, "no room"), now, WHY)
        assert not starts.due(now)
        now = starts.at
    assert 50 < now < 70
    assert not starts.due(now)


def test_a_start_that_succeeds_ends_the_counting_of_tries():
    starts = Starts(Trouble())
    for _ in range(3):
        for _ in range(30):
            starts.failed(OSError(errno.ENOMEM, "no room"), 0.0, WHY)
        starts.wanted = True
        starts.succeeded()
    assert starts.trouble.why is None
    assert not starts.wanted


def test_what_will_not_pass_is_not_tried_again():
    starts = Starts(Trouble())
    starts.failed(OSError(errno.ENOENT, "no such file"), 0.0, WHY)
    assert starts.trouble.why is WHY


def test_a_reactor_may_die_five_times_without_an_outcome():
    starts = ReactorStarts(Trouble())
    for now in range(5):
        starts.died(-9, now)
        assert now < starts.at <= now + 0.5
    starts.worked()
    for now in range(6):
        assert starts.trouble.why is None
        starts.died(-9, now)
    assert "killed by SIGKILL" in str(starts.trouble.why)


def test_in_a_lane_only_deaths_that_no_unit_is_to_blame_for_end_it():
    starts = LaneStarts(Trouble())
    for now in range(20):
        starts.died(1, now, idle=now % 5 > 0)
    assert starts.trouble.why is None
    assert starts.at == 19 + 1.0  # after many deaths, a second
    starts.died(1, 20, idle=True)
    assert "5 times with no item running: ended with exit code 1" in str(starts.trouble.why)


def test_after_an_end_on_purpose_the_next_worker_need_not_wait():
    starts = LaneStarts(Trouble())
    for _ in range(10):
        starts.ended()
    assert starts.at == 0.0


def test_a_worker_that_never_gets_ready_is_the_end_unless_another_was():
    hopeless, hopeful = LaneStarts(Trouble()), LaneStarts(Trouble())
    hopeless.never_ready(WHY)
    assert hopeless.trouble.why is WHY
    hopeful.was_ready = True
    for _ in range(4):
        hopeful.never_ready(WHY)
    assert hopeful.trouble.why is None
    hopeful.never_ready(WHY)
    assert hopeful.trouble.why is WHY
