"""What a node reports and what is made of it: parts say what the whole says, and each unit is reported exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batchwork.model import Call, Failure, Report, Units
from batchwork.ports import Running
from batchwork.text.numerals import Numerals
from batchwork.workers.nodes.agent import reporting
from batchwork.workers.nodes.agent.reporting import outcomes_of, parts_of, ranges_of, report_frames
from batchwork.workers.nodes.net.wire import FRAME_MOST, BadFrame, Frames, Outcomes, understood_up
from batchwork.workers.nodes.step import sending
from batchwork.workers.nodes.step.ledger import Ledger, done_of
from batchwork.workers.nodes.step.placing import Waiting
from batchwork.workers.nodes.step.sending import fitting, run_order, unsent

FATES = ("done", "failed", "cancelled", "returned", "lost", "adrift")


def call(size: int, number: int = 1) -> Call:
    units = range(size)
    return Call(number, 1, Units(units, units, Numerals(units), units), units)


def reported(number: int, fates: dict[int, str], length: int = 3) -> Report:
    """A report in which these units, by offset, have had these fates. Of each second one there is a log."""
    found: dict[str, list[int]] = {fate: [] for fate in FATES}
    for offset, fate in fates.items():
        found[fate].append(offset)
    return Report(
        number,
        done=found["done"],
        results=[f'"{offset:0{length}}"' for offset in found["done"]],
        durations_us=[offset + 1 for offset in found["done"]],
        failures=[(offset, Failure("exit", f"{offset:0{length}}"), 7) for offset in found["failed"]],
        cancelled=found["cancelled"],
        returned=found["returned"],
        lost=found["lost"],
        adrift=found["adrift"],
        logs={offset: f"log of {offset}" for offset in fates if offset % 2},
        worker="w",
        setup="printed while it was prepared",
    )


def said(reports: Sequence[Report]) -> dict[str, Any]:
    """All that reports say together."""
    return {
        "results": {
            offset: (result, us)
            for report in reports
            for offset, result, us in zip(report.done, report.results, report.durations_us, strict=True)
        },
        "failures": {offset: (failure.message, us) for report in reports for offset, failure, us in report.failures},
        **{name: sorted(offset for report in reports for offset in getattr(report, name)) for name in FATES[2:]},
        "logs": {offset: text for report in reports for offset, text in report.logs.items()},
        "setup": "".join(report.setup for report in reports),
        "count": sum(report.count for report in reports),
    }


FATES_OF = st.lists(st.sampled_from(FATES), min_size=1, max_size=30).map(lambda fates: dict(enumerate(fates)))


@pytest.mark.parametrize("most", [1, 30, 200, 1 << 20])
def test_parts_say_what_the_whole_says(monkeypatch: pytest.MonkeyPatch, most: int):
    monkeypatch.setattr(reporting, "PART_MOST", most)

    @given(FATES_OF, st.integers(1, 80))
    def holds(fates: dict[int, str], length: int):
        report = reported(1, fates, length)
        parts = list(parts_of(report))
        assert said(parts) == said([report])
        assert len(parts) == 1 or all(
            sum(map(len, part.results)) + sum(map(len, part.logs.values())) <= most or part.count == 1
            for part in parts[1:]
        )

    holds()


@pytest.mark.parametrize("most", [1, 100, 1 << 20])
def test_what_was_printed_comes_along_however_large_the_report(monkeypatch: pytest.MonkeyPatch, most: int):
    """Over the wire and through the ledger, which forgets a call once all of its units are reported."""
    monkeypatch.setattr(reporting, "PART_MOST", most)

    @given(FATES_OF)
    def holds(fates: dict[int, str]):
        ledger, frames = Ledger(), Frames(FRAME_MOST)
        number = ledger.sent(1, 0, call(len(fates)), (0, len(fates)))
        whole = reported(number, fates, 40)
        found = []
        for frame in report_frames(5, whole):
            for _, body in frames.feed(frame):
                message = understood_up(body)
                assert isinstance(message, Outcomes)
                if (report := ledger.report(1, "alpha:w", message)) is not None:
                    found.append(report)
        assert said(found) == said([whole])
        assert ledger.load(1) == [0]

    holds()


@given(st.lists(st.integers(0, 50), unique=True))
def test_ranges_are_offsets_in_their_order(offsets: list[int]):
    assert list(done_of(ranges_of(offsets), 0)) == offsets


def test_a_range_is_one_range():
    assert ranges_of(range(3, 9)) == [(3, 9)]
    assert ranges_of(range(0)) == []


@given(st.data())
def test_each_unit_is_reported_exactly_once_whatever_the_order(data: st.DataObject):
    """A call in parts on several nodes; reports in any order, nodes that go at any time, and what they said late."""
    size = data.draw(st.integers(1, 24))
    cuts = sorted({0, size, *data.draw(st.lists(st.integers(0, size), max_size=4))})
    ledger, whole = Ledger(), call(size, 77)
    parts = []
    for start, stop in pairwise(cuts):
        node = data.draw(st.integers(1, 3))
        parts.append((ledger.sent(node, 0, whole, (start, stop)), node, start, stop))
    messages = []
    for number, node, start, stop in parts:
        order = data.draw(st.permutations(range(stop - start)))
        at = data.draw(st.integers(0, len(order)))
        for offsets in (order[:at], order[at:]):
            fates = {offset: data.draw(st.sampled_from(FATES)) for offset in offsets}
            messages.append((node, outcomes_of(reported(number, fates))))
    events: list[Any] = [*messages, *data.draw(st.lists(st.integers(1, 3), max_size=2))]
    seen: Counter[int] = Counter()
    gone: set[int] = set()
    for event in data.draw(st.permutations(events)):
        if isinstance(event, int):
            reports = list(ledger.gone(event, 2, wanted=False))
            gone.add(event)
        else:
            node, outcomes = event
            report = ledger.report(node, "w", outcomes)
            assert report is None or node not in gone
            reports = [report] if report is not None else []
        for report in reports:
            assert report.call == 77
            for name in FATES[2:]:
                seen.update(getattr(report, name))
            seen.update(report.done)
            seen.update(offset for offset, _, _ in report.failures)
    for node in (1, 2, 3):
        for report in ledger.gone(node, 2, wanted=False):
            seen.update([*report.lost, *report.adrift])
    assert seen == Counter(range(size))
    assert ledger.load(1) == [0]


WRONG = {
    "a unit twice": {"cancelled": [1, 1]},
    "a unit that was reported": {"returned": [0]},
    "a unit that was not sent": {"lost": [5]},
    "a unit before the first": {"lost": [-1]},
    "a range that was not sent": {"done": [(1, 9)], "results": ["1"] * 8, "durations_us": [1] * 8},
    "a range that goes back": {"done": [(2, 1)]},
    "fewer results than units": {"done": [(1, 3)], "results": ["1"], "durations_us": [1, 2]},
    "fewer durations than units": {"done": [(1, 3)], "results": ["1", "2"], "durations_us": [1]},
    "logs of a unit that was not sent": {"logs": {9: "x"}},
    "half right": {"cancelled": [1], "lost": [9]},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_whole_so_that_nothing_of_it_is_missing_later(changes: dict[str, Any]):
    ledger = Ledger()
    number = ledger.sent(1, 0, call(5, 7), (0, 5))
    assert ledger.report(1, "w", outcomes_of(reported(number, {0: "done"}))) is not None
    wrong = replace(outcomes_of(Report(number)), **changes)
    with pytest.raises(BadFrame):
        ledger.report(1, "w", wrong)
    (left,) = ledger.gone(1, 1, wanted=False)
    assert sorted([*left.lost, *left.adrift]) == [1, 2, 3, 4]


def test_another_nodes_report_is_not_listened_to():
    ledger = Ledger()
    number = ledger.sent(1, 0, call(2), (0, 2))
    assert ledger.report(2, "w", outcomes_of(reported(number, {0: "done"}))) is None
    assert ledger.load(1) == [2]


def test_of_what_a_node_leaves_only_what_it_was_at_counts_against_a_unit():
    ledger = Ledger()
    number = ledger.sent(1, 0, call(6, 7), (0, 6))
    ledger.sent(1, 0, call(2, 8), (0, 2))
    ledger.report(1, "w", outcomes_of(reported(number, {0: "done"})))
    first, second = ledger.gone(1, 1, wanted=False)
    assert (first.lost, first.adrift) == ([1], [2, 3, 4, 5])
    assert (second.lost, second.adrift) == ([], [0, 1])


def test_what_has_been_running_for_a_while_was_begun_too():
    ledger = Ledger()
    number = ledger.sent(1, 0, call(6, 7), (2, 6))
    (running,) = ledger.running(1, [Running(number, 3, 1.5, "w")], "alpha/1")
    assert (running.call, running.offset, running.worker) == (7, 5, "alpha/1:w")
    assert ledger.running(1, [Running(number, 9, 1.5, "w"), Running(99, 0, 1.5, "w")], "alpha/1") == []
    ledger.running(1, [Running(number, 3, 1.5, "w")], "alpha/1")
    (left,) = ledger.gone(1, 1, wanted=False)
    assert (left.lost, left.adrift) == ([2, 5], [3, 4])


def test_what_was_to_end_anyway_is_cancelled():
    ledger = Ledger()
    ledger.sent(1, 0, call(3, 7), (1, 3))
    (left,) = ledger.gone(1, 1, wanted=True)
    assert left.cancelled == [1, 2] and not left.lost and not left.adrift


def test_what_waits_goes_back():
    ledger = Ledger()
    ledger.waiting.extend([Waiting(0, call(4, 7), start=1), Waiting(0, call(2, 8))])
    assert ledger.load(1) == [5]
    assert [(report.call, list(report.returned)) for report in ledger.returned()] == [(7, [1, 2, 3]), (8, [0, 1])]
    assert ledger.load(1) == [0]


def test_a_result_that_no_frame_can_hold_fails_its_unit_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reporting, "RESULT_MOST", 50)
    whole = reported(1, {0: "done", 1: "done", 2: "failed", 3: "failed"})
    failures = [(2, replace(whole.failures[0][1], result="x" * 60), 7), whole.failures[1]]
    told = reporting.without_giants(replace(whole, results=["1", f'"{"ü" * 30}"'], failures=failures))
    assert (told.done, told.results, told.durations_us) == ([0], ["1"], [1])
    assert [(offset, failure.type, failure.result) for offset, failure, _ in told.failures] == [
        (2, "exit", None),
        (3, "exit", None),
        (1, "result", None),
    ]
    assert told.count == whole.count
    assert reporting.without_giants(whole) == whole


SIZES: list[tuple[list[int], tuple[int, int]]] = [
    ([10, 10], (2, 0)),
    ([60, 60, 5], (1, 0)),
    ([200, 5], (0, 1)),
    ([5, 200], (1, 0)),
]


@pytest.mark.parametrize(("sizes", "outcome"), SIZES)
def test_of_a_call_goes_what_a_frame_can_hold(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], outcome: tuple[int, int]
):
    monkeypatch.setattr(sending, "FRAME_MOST", 100)
    monkeypatch.setattr(sending, "_BESIDE", 0)
    payloads = ["x" * size for size in sizes]
    units = range(len(sizes))
    whole = Call(7, 1, Units(units, units, Numerals(units), payloads), payloads)
    count = fitting(run_order(whole, 0, None, (0, len(sizes))))
    assert count == outcome[0]
    if count < len(sizes):
        report = unsent(7, (0, len(sizes)), count)
        assert len(report.failures) == outcome[1]
        assert report.count == len(sizes) - count


def test_numbers_always_fit():
    assert fitting(run_order(call(5000), 0, None, (0, 5000))) == 5000
