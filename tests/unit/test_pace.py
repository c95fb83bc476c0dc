"""How large calls are, and how many are out."""

import pytest

from batchwork.engine.step.call_size import CALL_US, LARGEST_CALL, Pace, Standing, wanted

NOTHING = Standing(0, 0)


def measured(mean_us: float, units: int = 1000) -> Pace:
    pace = Pace()
    for _ in range(20):
        pace.saw(units, mean_us * units)
    return pace


def test_the_first_call_of_each_worker_has_one_unit_and_nothing_is_claimed_ahead():
    assert wanted(Pace(), NOTHING, lanes=3, width=1, depth=1) == [1, 1, 1]


def test_a_call_grows_by_steps_until_it_holds_twenty_milliseconds():
    pace = Pace()
    sizes = []
    for _ in range(8):
        sizes.append(pace.call_size())
        pace.saw(sizes[-1], sizes[-1] * 10)
    assert sizes[:4] == [1, 8, 64, 512]
    assert sizes[-1] == CALL_US // 10


def test_no_call_is_larger_than_the_largest():
    assert measured(1.0, 5000).call_size() == LARGEST_CALL


@pytest.mark.parametrize("mean_us", [50_000, 80_000, 5_000_000])
def test_of_slow_units_nothing_is_claimed_that_does_not_run(mean_us: int):
    assert wanted(measured(mean_us), NOTHING, lanes=4, width=1, depth=1) == [1] * 4
    assert wanted(measured(mean_us), NOTHING, lanes=1, width=64, depth=1) == [64]


def test_of_short_units_two_calls_are_in_a_worker_and_one_is_claimed_ahead():
    assert len(wanted(measured(100), NOTHING, lanes=2, width=1, depth=2)) == 6


def test_a_reactor_is_refilled_when_a_quarter_of_what_is_ahead_is_missing():
    pace = measured(20_000)
    full = 64 + pace.ahead(64)
    assert wanted(pace, Standing(1, full), 1, 64, 1) == []
    assert wanted(pace, Standing(1, full - 8), 1, 64, 1) == []
    assert wanted(pace, Standing(1, full - 32), 1, 64, 1) == [32]


def test_slots_that_on_item_error_takes_are_not_handed_out():
    assert wanted(Pace(), NOTHING, lanes=4, width=1, depth=1, busy=3) == [1]
    assert wanted(Pace(), NOTHING, lanes=1, width=8, depth=1, busy=8) == []


def test_a_unit_that_is_much_slower_than_thought_is_believed_at_once():
    pace = measured(10)
    pace.saw(1, 2_000_000)
    assert pace.call_size() == 1
