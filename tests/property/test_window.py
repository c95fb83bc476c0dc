"""The window neither loses a unit nor runs one twice, whatever happens to its calls."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from batchwork.engine.step.window import Window
from batchwork.engine.unit.attempt import Piece
from batchwork.model import Call, Units

TOTAL = 40


def units(first: int, count: int) -> Units:
    numbers = list(range(first, first + count))
    return Units(numbers, numbers, [str(n) for n in numbers], numbers)


class Calls(RuleBasedStateMachine):
    """A feed of TOTAL units, calls of any size, and every way in which a unit can come back."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window()
        self.fed = 0
        self.now = 0.0
        self.settled: list[int] = []

    @rule(most=st.integers(1, 7))
    def claim(self, most: int) -> None:
        self.window.wake(self.now)
        piece = self.window.next_piece(most)
        if piece is None and self.window.may_take_fresh() and self.fed < TOTAL:
            count = min(most, TOTAL - self.fed)
            piece = Piece(1, 0, units(self.fed, count))
            self.fed += count
        if piece is not None:
            self.window.claim(Call(self.window.number(), piece.attempt, piece.units, piece.units.values), piece.base)

    @rule(pick=st.randoms(use_true_random=False), how=st.sampled_from(["done", "again", "returned"]))
    def report(self, pick, how: str) -> None:
        if not self.window.out:
            return
        number = pick.choice(sorted(self.window.out))
        out = self.window.out[number]
        call = out.call
        start = len(call.units) - out.left
        stop = pick.randint(start + 1, len(call.units))
        part = call.units.cut(start, stop)
        if how == "done":
            self.settled += part.seqs
        elif how == "again":
            for offset in range(len(part)):
                self.window.wait(Piece(call.attempt + 1, 0, part.pick([offset])), self.now + pick.random() * 3)
        else:
            self.window.give_back(Piece(call.attempt, 0, part))
        self.window.reported(number, stop - start)

    @rule(seconds=st.floats(0, 2))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def every_unit_is_in_one_place(self) -> None:
        running = []
        for out in self.window.out.values():
            running += out.call.units.seqs[len(out.call.units) - out.left :]
        ready = [seq for piece in self.window.ready for seq in piece.units.seqs]
        waiting = [seq for _, _, piece in self.window.waiting for seq in piece.units.seqs]
        assert sorted(self.settled + list(running) + ready + waiting) == list(range(self.fed))
        assert self.window.units_out == len(running)

    @invariant()
    def what_is_ready_is_counted(self) -> None:
        assert self.window.units_ready == sum(len(piece.units) for piece in self.window.ready)

    @invariant()
    def what_is_ready_stands_in_order(self) -> None:
        firsts = [piece.units.indexes[0] for piece in self.window.ready]
        assert firsts == sorted(firsts)


Calls.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestCalls = Calls.TestCase


def test_in_strict_order_a_waiting_retry_holds_what_is_behind_it():
    window = Window(strict=True)
    window.wait(Piece(2, 0, units(0, 1)), due=5.0)
    window.give_back(Piece(1, 0, units(1, 3)))
    assert not window.may_start()
    window.wake(5.0)
    piece = window.next_piece(10)
    assert piece is not None
    assert piece.units.seqs == [0]
    retry = Call(window.number(), 2, piece.units, [0])
    window.claim(retry, 0)
    assert window.may_start(), "what follows is claimed with the retry"
    later = claimed(window, 1, 3)
    window.ready.clear()
    window.out[retry.id].started_ms = 1
    window.wait(Piece(3, 0, units(0, 1)), due=9.0)  # it has failed again
    window.reported(retry.id, 1)
    assert window.before(later), "which then goes back, and starts behind the next retry"
    assert not window.may_start()


def claimed(window: Window, first: int, count: int, attempt: int = 1) -> Call:
    call = Call(window.number(), attempt, units(first, count), ())
    window.claim(call, 0)
    return call


def test_in_strict_order_calls_that_are_claimed_in_order_overtake_nobody():
    window = Window(strict=True)
    calls = [claimed(window, 0, 3), claimed(window, 3, 3), claimed(window, 6, 3)]
    assert not any(map(window.before, calls[:1]))
    window.out[calls[0].id].started_ms = 1
    assert not window.before(calls[1])


def test_in_strict_order_what_came_back_goes_before_what_is_being_claimed():
    window = Window(strict=True)
    running, later = claimed(window, 0, 1), claimed(window, 1, 3)
    window.out[running.id].started_ms = 1
    window.give_back(Piece(1, 0, running.units))  # its reactor has died
    window.reported(running.id, 1)
    assert window.before(later)
    assert not window.may_start(), "it would be claimed beside what comes after it, and start behind it"
    window.give_back(Piece(1, 0, later.units))
    window.reported(later.id, 3)
    piece = window.next_piece(10)
    assert piece is not None
    assert [*piece.units.seqs] == [0, 1, 2, 3]


def test_in_strict_order_what_stands_before_a_retry_starts_before_it():
    window = Window(strict=True)
    first, retry = claimed(window, 0, 2), claimed(window, 2, 1, attempt=2)  # as a resume finds them
    assert not window.before(first)
    window.out[first.id].started_ms = 1
    assert not window.before(retry)


def test_a_stopped_window_has_work_only_while_calls_are_out():
    window = Window()
    window.claim(Call(window.number(), 1, units(0, 2), [0, 1]), 0)
    window.give_back(Piece(1, 0, units(2, 2)))
    window.stopped = True
    assert window.has_work(exhausted=False)
    window.reported(1, 2)
    assert not window.has_work(exhausted=False)


@pytest.mark.promise("6.36")
def test_while_too_many_retries_wait_nothing_fresh_is_taken():
    window = Window()
    for number in range(10_000):
        window.wait(Piece(2, 0, units(number, 1)), due=9.0)
    assert window.may_start()
    assert not window.may_take_fresh()


def test_retries_that_are_due_together_go_out_together():
    window = Window()
    for number in (3, 1, 2):
        window.wait(Piece(2, 0, units(number, 1)), 0.0)
    window.wait(Piece(3, 0, units(4, 1)), 0.0)
    window.wake(1.0)
    piece = window.next_piece(10)
    assert piece is not None
    assert (piece.attempt, piece.units) == (2, units(1, 3))
    assert window.units_known() == 1


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True), min_size=1, max_size=6),
    st.integers(1, 9),
)
def test_in_strict_order_what_comes_back_late_goes_between_what_came_before(parts: list[list[int]], most: int) -> None:
    window, seen = Window(strict=True), set()
    for part in parts:
        numbers = sorted(number for number in part if number not in seen)
        seen.update(numbers)
        if numbers:
            window.give_back(Piece(1, 0, Units(numbers, numbers, [str(n) for n in numbers], numbers)))
    taken: list[int] = []
    while (piece := window.next_piece(most)) is not None:
        assert len(piece.units) <= most
        taken += piece.units.indexes
    assert taken == sorted(seen)
    assert window.units_ready == 0


def test_batches_of_which_different_things_are_known_go_in_different_calls() -> None:
    window = Window()
    bare = units(0, 1)
    window.give_back(Piece(2, 0, bare))
    window.give_back(Piece(2, 0, replace(units(1, 2), members=[["a"], ["b"]])))
    pieces = [window.next_piece(10), window.next_piece(10), window.next_piece(10)]
    assert [piece and (len(piece.units), piece.units.members) for piece in pieces] == [
        (1, None),
        (2, [["a"], ["b"]]),
        None,
    ]
