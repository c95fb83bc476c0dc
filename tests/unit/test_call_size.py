"""How large calls are, and how many are out."""

import pytest

from batchwork.engine.step.call_size import CALL_US, LARGEST_CALL, Crew, Outstanding, Reach, UnitTime, wanted
from batchwork.model import Failure, Report

NOTHING = Outstanding()


def measured(mean_us: float, units: int = 1000) -> UnitTime:
    time = UnitTime()
    for _ in range(20):
        time.saw(units, mean_us * units)
    return time


def test_the_first_call_of_each_worker_has_one_unit_and_nothing_is_claimed_ahead():
    assert wanted(UnitTime(), NOTHING, Crew(3, 1, 1)) == [1, 1, 1]


def test_a_call_grows_by_steps_until_it_holds_twenty_milliseconds():
    time = UnitTime()
    sizes = []
    for _ in range(8):
        sizes.append(time.call_size(CALL_US))
        time.saw(sizes[-1], sizes[-1] * 10)
    assert sizes[:4] == [1, 8, 64, 512]
    assert sizes[-1] == CALL_US // 10


def test_no_call_is_larger_than_the_largest():
    assert measured(1.0, 5000).call_size(CALL_US) == LARGEST_CALL


@pytest.mark.parametrize("mean_us", [50_000, 80_000, 5_000_000])
def test_of_slow_units_nothing_is_claimed_that_does_not_run(mean_us: int):
    assert wanted(measured(mean_us), NOTHING, Crew(4, 1, 1)) == [1] * 4
    assert wanted(measured(mean_us), NOTHING, Crew(1, 64, 1)) == [64]


def test_of_short_units_two_calls_are_in_a_worker_and_one_is_claimed_ahead():
    assert len(wanted(measured(100), NOTHING, Crew(2, 1, 2))) == 6


def test_a_reactor_is_refilled_when_half_of_what_is_ahead_is_missing():
    time = measured(20_000)
    ahead = time.ahead(Crew(1, 64))
    full = 64 + ahead
    assert wanted(time, Outstanding(1, full), Crew(1, 64)) == []
    assert wanted(time, Outstanding(1, full - ahead // 2 + 1), Crew(1, 64)) == []
    assert wanted(time, Outstanding(1, full - ahead // 2), Crew(1, 64)) == [ahead // 2]


def test_slots_that_on_item_error_takes_are_not_handed_out():
    assert wanted(UnitTime(), Outstanding(busy=3), Crew(4, 1, 1)) == [1]
    assert wanted(UnitTime(), Outstanding(busy=8), Crew(1, 8, 1)) == []


def test_a_unit_that_is_much_slower_than_thought_is_believed_at_once():
    time = measured(10)
    time.saw(1, 2_000_000)
    assert time.call_size(CALL_US) == 1


@pytest.mark.parametrize(("lanes", "call_us"), [(8, 20_000), (200, 20_000), (300, 30_000), (5_000, 50_000)])
def test_with_many_lanes_calls_are_longer_so_that_one_coordinator_keeps_up(lanes: int, call_us: float):
    assert Crew(lanes).call_us == call_us


def test_what_waits_in_a_lane_lasts_until_more_arrives():
    far = Crew(4, depth=2, latency_us=200_000)
    assert far.call_us * (far.depth - 1) >= far.latency_us
    time = UnitTime(slow_us=200_000)
    for _ in range(20):
        time.saw(4, 4 * 60_000)
    assert wanted(time, NOTHING, far) == [3] * 12


def test_for_lanes_far_away_units_are_claimed_ahead_that_would_be_slow_nearby():
    assert not measured(60_000).short
    time = UnitTime(slow_us=200_000)
    time.saw(1, 60_000)
    assert time.short


def test_calls_that_failures_end_become_as_short_as_they_come_and_grow_again() -> None:
    reach = Reach()
    assert reach.limit(4000) == 4000
    sizes = []
    for _ in range(20):
        sizes.append(reach.limit(4000))
        reach.saw(20, sizes[-1] - 20, True)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 5 * 20, "what comes back is not very much more than what was done"
    for _ in range(60):
        reach.saw(reach.limit(4000), 0, False)
    assert reach.limit(4000) == 4000


def test_calls_that_come_back_without_a_failure_say_nothing_of_failures() -> None:
    reach = Reach()
    reach.saw(3, 997, False)
    assert reach.limit(4000) == 4000


def test_a_call_has_one_unit_at_least_whatever_fails() -> None:
    reach = Reach()
    for _ in range(50):
        reach.saw(1, 9, True)
    assert reach.limit(4000) >= 1
    for _ in range(60):
        reach.saw(reach.limit(4000), 0, False)
    assert reach.limit(4000) == 4000


def test_a_few_failures_that_take_long_hardly_shorten_the_next_call() -> None:
    time = measured(10)
    failures = [(offset, Failure("ValueError", "no"), 300) for offset in range(0, 1000, 100)]
    done = [offset for offset in range(1000) if offset % 100]
    time.heard(Report(1, done, ["1"] * len(done), [10] * len(done), failures))
    assert time.call_size(CALL_US) > CALL_US // 10 * 0.9


def test_a_call_in_which_all_fails_says_how_long_failures_take() -> None:
    time = measured(10)
    time.heard(Report(1, failures=[(offset, Failure("ValueError", "no"), 300) for offset in range(50)]))
    assert time.call_size(CALL_US) == CALL_US // 300


def test_towards_the_end_calls_become_short_so_that_all_lanes_end_together() -> None:
    time, sizes, left = measured(1000), list[int](), 300
    while left:
        sizes.append(wanted(time, Outstanding(left=left), Crew(2))[0])
        left -= min(left, sizes[-1])
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 20
    assert sizes[-1] == 5, "and not shorter than is worth a call"


def test_no_call_takes_most_of_what_is_left_before_anything_slow_was_seen() -> None:
    assert wanted(measured(10), Outstanding(left=10_000), Crew(2))[0] == 10_000 // 8
    assert wanted(measured(10), Outstanding(left=None), Crew(2))[0] == 2000


def test_the_last_unit_is_handed_out() -> None:
    assert wanted(measured(100_000), Outstanding(left=1), Crew(8))[0] == 1
    assert wanted(UnitTime(), Outstanding(left=0), Crew(8))[0] == 1


def test_a_call_of_many_more_units_than_before_is_believed_alone() -> None:
    time = UnitTime()
    time.saw(1, 300)
    time.saw(8, 8 * 100)
    assert time.mean_us == 100
    time.saw(64, 64 * 5)
    assert time.mean_us == 5
    time.saw(64, 64 * 9)
    assert time.mean_us == 6


def test_one_lane_has_no_other_to_end_together_with() -> None:
    assert wanted(measured(10), Outstanding(left=3000), Crew(1))[0] == 2000


def test_calls_are_claimed_together_while_each_lane_has_one_that_waits() -> None:
    time, crew = measured(1000), Crew(4, depth=2)
    assert wanted(time, Outstanding(calls=9), crew) == []
    assert wanted(time, Outstanding(calls=8), crew) == [20] * 4
    assert wanted(time, Outstanding(calls=3), crew) == [20] * 9


@pytest.mark.parametrize("crew", [Crew(4, depth=1), Crew(4, depth=2, latency_us=200_000)])
def test_where_lanes_are_far_or_take_one_call_each_is_claimed_at_once(crew: Crew) -> None:
    all_of_them = crew.lanes * (1 + crew.depth)
    assert len(wanted(measured(1000), Outstanding(calls=all_of_them - 1), crew)) == 1


def test_calls_of_tiny_units_are_claimed_at_once() -> None:
    assert len(wanted(measured(10), Outstanding(calls=11), Crew(4, depth=2))) == 1


def test_units_that_are_slow_are_claimed_one_by_one() -> None:
    assert wanted(measured(80_000), Outstanding(calls=3), Crew(4, depth=2)) == [1]
