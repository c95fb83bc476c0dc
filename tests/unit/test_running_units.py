"""What is told of units that run for long: only what changed, the longest first, and what a follower is shown."""

from __future__ import annotations

import pytest

from batchwork.cli.commands.logs import news
from batchwork.engine.step.running_units import LOOK_EVERY_S, MOST, RunningUnits
from batchwork.engine.step.window import Out
from batchwork.model import Call, LogRecord, Units
from batchwork.ports import Running

SEQS = range(10, 10 + MOST + 5)
CALL = Call(7, 2, Units(SEQS, SEQS, [f"k{seq}" for seq in SEQS], [None] * len(SEQS)), [None] * len(SEQS))
OUT = {7: Out(CALL, 0, len(SEQS))}


def test_a_change_is_told_once_and_the_start_stays_as_it_was_first_said() -> None:
    units = RunningUnits(begun=100.0)
    assert units.due_s(100.2, busy=True) == pytest.approx(LOOK_EVERY_S - 0.2)
    (told,) = units.look([Running(7, 1, 1.5, "w", "a")], OUT, 101.0, 50_000) or ()
    assert (told.seq, told.key, told.attempt, told.started_ms, told.stdout) == (11, "k11", 2, 48_500, "a")
    assert units.look([Running(7, 1, 2.501, "w", "a")], OUT, 102.0, 51_003) is None
    (told,) = units.look([Running(7, 1, 3.5, "w", "ab")], OUT, 103.0, 52_000) or ()
    assert (told.started_ms, told.stdout) == (48_500, "ab")
    assert units.due_s(103.5, busy=False) == pytest.approx(0.5), "that it has ended is still to be told"
    assert units.look([], OUT, 104.0, 53_000) == []
    assert units.due_s(104.0, busy=False) is None


def test_of_many_the_longest_are_told_and_what_is_not_out_is_not() -> None:
    running = [Running(7, offset, float(offset), "w") for offset in range(len(SEQS))]
    told = RunningUnits(0.0).look([*running, Running(8, 0, 99_999.0, "w")], OUT, 1.0, 0) or []
    assert [unit.seq for unit in told] == list(reversed(SEQS))[:MOST]


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        ([], ["a\nb\n"], ["a", "b"]),
        (["a\n"], ["a\nb\n"], ["b"]),
        (["a\n"], ["a\n"], []),
        (["a"], ["ab\n"], ["b"]),
        (["x" * 50 + "\nthe end of the old one\n"], ["old one\nnew\n"], ["old one", "new"]),
        (["y" * 300 + "\n"], ["y" * 250 + "\nnew\n"], ["new"]),
        (["out\n"], ["out\n", "err\n"], ["err"]),
    ],
)
def test_a_follower_is_shown_what_is_new(before: list[str], now: list[str], lines: list[str]) -> None:
    logs = [[LogRecord(1, 1, text) for text in texts] for texts in (before, now)]
    assert list(news(*logs)) == lines
