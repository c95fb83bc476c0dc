"""The views, fed with events by hand: what they write, how much of it, and that it fits the terminal."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field

import pytest

from batchwork.events import (
    Event,
    Progressed,
    RunFinished,
    RunStarted,
    Said,
    StepFinished,
    StepStarted,
    Stopping,
    Warned,
)
from batchwork.model import Counts, RunStatus, StepStatus
from batchwork.view.barline import Standing, bar, lines
from batchwork.view.bars import Bars
from batchwork.view.json import JsonLines
from batchwork.view.lines import Lines
from batchwork.view.pace import Pace
from batchwork.view.quiet import Quiet


@dataclass
class StillClock:
    """A clock that goes when told."""

    at: float = 100.0

    def now(self) -> float:
        return self.at

    def wall_ms(self) -> int:
        return 0

    def random(self) -> float:
        return 0.5

    def run_id(self) -> str:
        return "r"


@dataclass
class Paper:
    """Where views write."""

    written: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def standing(step: str = "enrich", **changes: object) -> Standing:
    values: dict[str, object] = {
        "batch": True,
        "counts": Counts(1000, 440, 10),
        "running": 8,
        "retrying": 2,
        "per_s": 82.0,
        "left_s": 7.0,
        "elapsed_s": 5.0,
    }
    return Standing(step, **{**values, **changes})  # type: ignore[arg-type]


def drawn(rows: list[Standing], width: int) -> list[str]:
    texts = []
    for row in lines(rows, width, 0):
        text = before = ""
        for part in row:
            text += before + part.text
            before = "" if part.style == "full" else " "
        texts.append(text)
    return texts


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 120])
def test_a_bar_fits_the_terminal(width: int) -> None:
    for text in drawn([standing(), standing("a-step-with-a-long-name", counts=Counts(None, 5, 1))], width):
        assert len(text) <= max(width, 30), text
        assert "failed" in text


@pytest.mark.promise("9.25")
def test_a_wide_bar_says_everything() -> None:
    (text,) = drawn([standing()], 100)
    assert text == f"enrich {'━' * 18}{'─' * 22}  45 % 450/1,000 82/s 10 failed 2 to retry 7.0 s left"


def test_without_a_total_there_is_a_count_and_no_bar() -> None:
    (text,) = drawn([standing(counts=Counts(None, 1234), retrying=0, left_s=None)], 80)
    assert text == "enrich ⠋ 1,234 done 82/s"


def test_a_step_without_items_is_a_line() -> None:
    assert drawn([standing(batch=False)], 80) == ["enrich ⠋ running 5.0 s"]


def test_a_bar_is_full_only_when_all_is_done() -> None:
    assert bar(999_999, 1_000_000, 10) == ("━" * 9, "─")
    assert bar(5, 5, 10) == ("━" * 10, "")


def test_pace_is_of_late_and_not_of_what_was_there_before() -> None:
    pace = Pace(0.0, 500)
    for second in range(1, 61):
        pace.mark(float(second), 500 + (second if second < 30 else 30 + 10 * (second - 30)))
    assert pace.rate(60.0) == pytest.approx(10, rel=0.05)
    assert pace.left_s(60.0, 1000) == pytest.approx((1000 - 830) / 10, rel=0.05)
    assert pace.rate(80.0) < 6
    assert Pace(0.0, 0).left_s(5.0, 10) is None and pace.left_s(60.0, None) is None


def test_lines_are_no_flood() -> None:
    paper, clock = Paper(), StillClock()
    view = Lines(paper.written.append, paper.said.append, clock)
    view.emit(RunStarted("r1", "flow", False, ".batchwork"))
    view.emit(StepStarted("s", Counts(100_000), True))
    for done in range(10, 100_001, 10):
        clock.at += 0.01
        view.emit(Progressed("s", Counts(100_000, done), 4))
    view.emit(StepFinished("s", StepStatus.SUCCEEDED, Counts(100_000, 99_990, 10), 100.0, batch=True))
    view.emit(RunFinished("r1", RunStatus.PARTIAL, 100.0))
    assert paper.written[:2] == ["run r1: flow", "s: started, 100,000 items"]
    assert paper.written[2] == "s: 10,000/100,000 (10 %), 1,000/s"
    assert paper.written[-1] == "s: succeeded in 1 min 40 s: 99,990 succeeded, 10 failed"
    assert 10 <= len(paper.written) <= 14


EVENTS: list[Event] = [
    RunStarted("r1", "flow\x1b[2J", True, ".batchwork"),
    Warned("careful\nhere", "s"),
    StepStarted("s", Counts(10, 4), True),
    StepStarted("t", Counts(1), False),
    Said("s", "hello\x1b"),
    Stopping(1, "Ctrl-C", 3),
    Stopping(2, "Ctrl-C", 1),
    Stopping(3, "Ctrl-C", 1),
    StepFinished("s", StepStatus.FAILED, Counts(10, 5, 1), 2.0, "exit 7", True),
    StepFinished("t", StepStatus.SUCCEEDED, Counts(1, 1), 0.5),
    StepFinished("u", StepStatus.SKIPPED, Counts(), 0.0, "`when` is false"),
    StepFinished("v", StepStatus.SUCCEEDED, Counts(0), 0.1, "", True),
]


@pytest.mark.promise("9.26")
def test_lines_say_each_thing_once() -> None:
    paper = Paper()
    view = Lines(paper.written.append, paper.said.append, StillClock())
    for event in EVENTS:
        view.emit(event)
    view.close()
    assert paper.said == ["hello\x1b"]
    assert paper.written == [
        "resuming run r1: flow\\x1b[2J",
        "warning: s: careful\\nhere",
        "s: started, 10 items, 4 done before",
        "t: started",
        "Ctrl-C: finishing 3 running items … press Ctrl-C again to stop them",
        "Ctrl-C: stopping 1 running item (SIGTERM, in 5 s SIGKILL); Ctrl-C again kills at once",
        "Ctrl-C: killing what still runs",
        "s: failed in 2.0 s: 5 succeeded, 1 failed, 4 pending: exit 7",
        "t: succeeded in 500 ms",
        "u: skipped: `when` is false",
        "v: succeeded, 0 items",
    ]


def test_quiet_is_silent_about_progress_only() -> None:
    paper = Paper()
    view = Quiet(paper.written.append, paper.said.append)
    for event in EVENTS:
        view.emit(event)
    assert paper.said == ["hello\x1b"]
    assert [line.split(":")[0] for line in paper.written] == ["warning", "Ctrl-C", "Ctrl-C", "Ctrl-C"]


def test_json_lines_are_json_with_nothing_left_out() -> None:
    paper = Paper()
    view = JsonLines(paper.written.append, paper.said.append)
    for event in EVENTS:
        view.emit(event)
    assert [json.loads(line)["event"] for line in paper.written] == [type(event).__name__ for event in EVENTS]
    assert json.loads(paper.written[2])["counts"]["succeeded"] == 4


def test_bars_of_a_short_run_are_plain_lines() -> None:
    stream, said = io.StringIO(), list[str]()
    view = Bars(stream, said.append, StillClock())
    for event in EVENTS:
        view.emit(event)
    view.close()
    assert said == ["hello\x1b"]
    assert "s: failed in 2.0 s: 5 succeeded, 1 failed, 4 pending: exit 7\n" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_bars_survive_a_terminal_that_is_gone() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    view = Bars(Gone(), None, StillClock())
    for event in EVENTS:
        view.emit(event)
    view.close()
    assert [standing.step for standing in view.standings()] == []


def test_lines_of_a_stopped_step() -> None:
    paper = Paper()
    view = Lines(paper.written.append, paper.said.append, StillClock())
    view.emit(StepFinished("s", StepStatus.RUNNING, Counts(10, 5, 1), 2.0, "", True))
    view.emit(StepFinished("t", StepStatus.RUNNING, Counts(1), 2.0, "", False))
    assert paper.written == ["s: stopped after 2.0 s: 5 succeeded, 1 failed, 4 pending", "t: stopped after 2.0 s"]
