"""The summary of a run: what people, programs and the shell get to see of it; and alike failures put together."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batchwork.model import Counts, Failure, RunRecord, RunStatus, StepRecord, StepStatus
from batchwork.ports.store import Sample
from batchwork.report import CRASHED, exit_code, summarize, summary_json, summary_text, usage
from batchwork.text.alike import EXAMPLES, GROUPS_MAX, group, pattern_of

RUN = RunRecord(
    "r1", "flow", "flow.yaml", "", "{}", "{}", RunStatus.PARTIAL, created_ms=1_000, ended_ms=4_200, window="few"
)
FETCH = StepRecord(
    7, "r1", "fetch", 0, StepStatus.SUCCEEDED, Counts(1000, 990, 8, 2), batch=True, duration_ms=3100, started_ms=1_000
)
LAST = StepRecord(8, "r1", "last", 1, StepStatus.PENDING, Counts())


@pytest.mark.promise("9.13")
def test_json_is_as_promised() -> None:
    text = json.loads(json.dumps(summary_json(summarize(RUN, [LAST, FETCH]))))
    assert text == {
        "run": "r1",
        "workflow": "flow",
        "status": "partial",
        "steps": {
            "fetch": {
                "status": "succeeded",
                "counts": {
                    "total": 1000,
                    "succeeded": 990,
                    "failed": 8,
                    "skipped": 2,
                    "in_doubt": 0,
                    "pending": 0,
                    "running": 0,
                },
                "duration": 3.1,
                "error": None,
            },
            "last": {
                "status": "pending",
                "counts": {
                    "total": None,
                    "succeeded": 0,
                    "failed": 0,
                    "skipped": 0,
                    "in_doubt": 0,
                    "pending": None,
                    "running": 0,
                },
                "duration": 0.0,
                "error": None,
            },
        },
    }
    assert list(text["steps"]) == ["fetch", "last"]


def test_a_steps_error_is_an_object() -> None:
    failed = replace(LAST, status=StepStatus.FAILED, failure=Failure("exit", "exit code 3", "trace", exit_code=3))
    steps = summary_json(summarize(RUN, [failed]))["steps"]
    assert steps["last"]["error"] == {"type": "exit", "message": "exit code 3", "exit_code": 3}


@pytest.mark.promise("7.11")
def test_running_without_an_owner_is_crashed() -> None:
    running = replace(RUN, status=RunStatus.RUNNING, ended_ms=None)
    doubt = replace(FETCH, status=StepStatus.RUNNING, counts=Counts(10, 2, in_doubt=3))
    crashed = summarize(running, [doubt])
    assert (crashed.status, crashed.steps[0].counts.in_doubt, crashed.steps[0].counts.pending) == (CRASHED, 3, 5)
    living = summarize(replace(running, living=True), [doubt], now_ms=2_000)
    assert (living.status, living.steps[0].counts.pending, living.duration_s) == ("running", 8, 1.0)


def test_text_is_a_table() -> None:
    failed = replace(
        LAST,
        status=StepStatus.FAILED,
        failure=Failure("exit", "exit code 3\x1b[31m"),
        duration_ms=20,
        counts=Counts(1, 0, 1),
    )
    lines = summary_text(summarize(RUN, [FETCH, failed])).splitlines()
    assert lines[0] == "flow (run r1): partial in 3.2 s"
    assert lines[1].split() == ["step", "status", "done", "failed", "duration", "rate"]
    assert lines[2].split() == ["fetch", "succeeded", "1,000", "8", "3.1", "s", "323/s", "2", "skipped"]
    assert lines[3].endswith(r"exit: exit code 3\x1b[31m")


def test_usage() -> None:
    samples = [Sample(1, 100.0, 5, 3, 2, 10.0, 1, 2, 3), Sample(2, 50.0, 9, 2, 4, 20.0, 1, 2, 3)]
    used = usage(samples)
    assert used is not None
    assert (used.cpu_percent, used.rss_peak, used.descriptors_peak, used.processes_peak) == (75.0, 9, 3, 4)
    assert usage([]) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (RunStatus.SUCCEEDED, 0),
        (RunStatus.PARTIAL, 3),
        (RunStatus.FAILED, 1),
        (RunStatus.INTERRUPTED, 143),
        (CRASHED, 1),
    ],
)
@pytest.mark.promise("9.49")
def test_exit_codes(status: RunStatus, code: int) -> None:
    assert exit_code(status, interrupted=143) == code
    assert exit_code(RunStatus.PARTIAL, allow_failures=True) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 3", "exit code 4"),
        ("cannot open 'a.txt'", 'cannot open "b.txt"'),
        ("no such file: /data/a/1.csv", "no such file: /tmp/2.csv"),
        ("GET https://a.example/x?y=1: refused", "GET http://b.example: refused"),
        ("object at 0x7f00aa", "object at 0x7f11bb"),
        ("user 6f1c2b9e-0000-4000-8000-1234567890ab unknown", "user 00000000-1111-4000-8000-1234567890ab unknown"),
        ("commit 6f1c2b9e00aa", "commit aa00112233ff"),
    ],
)
def test_alike_messages_have_one_pattern(one: str, other: str) -> None:
    assert pattern_of(one) == pattern_of(other)


def test_different_messages_stay_apart() -> None:
    assert pattern_of("connection refused") != pattern_of("connection reset")
    assert pattern_of("he said don't and won't") == "he said don't and won't"


def test_groups_are_counted_with_examples() -> None:
    failures = [("s", f"k{n}", "exit", f"exit code {n}") for n in range(10)] + [("s", "x", "timeout", "after 3 s")]
    first, second = group(iter(failures))
    assert (first.count, first.type, [key for key, _ in first.examples]) == (10, "exit", ["k0", "k1", "k2"])
    assert len(first.examples) == EXAMPLES
    assert (second.count, second.type) == (1, "timeout")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(), st.sampled_from(["x", "y"]), st.text()), max_size=60))
def test_every_failure_is_in_one_group(failures: list[tuple[str, str, str, str]]) -> None:
    assert sum(alike.count for alike in group(failures)) == len(failures)


def test_the_number_of_groups_is_bounded() -> None:
    def letters(number: int) -> str:
        return "".join(chr(97 + int(digit)) for digit in str(number))

    groups = group(("s", "k", "E", letters(number)) for number in range(GROUPS_MAX + 500))
    assert len(groups) == GROUPS_MAX + 1
    assert (groups[0].pattern, groups[0].count) == ("(others)", 500)


@pytest.mark.promise("7.12")
def test_a_step_of_a_run_that_does_not_go_on_is_stopped() -> None:
    running = replace(FETCH, status=StepStatus.RUNNING)
    living = replace(RUN, status=RunStatus.RUNNING, ended_ms=None, living=True)
    assert "stopped" in summary_text(summarize(replace(RUN, status=RunStatus.INTERRUPTED), [running]))
    assert "running" in summary_text(summarize(living, [running], now_ms=5_000))


def test_a_running_step_has_been_going_since_it_was_started() -> None:
    running = replace(FETCH, status=StepStatus.RUNNING, duration_ms=0, started_ms=1_000)
    run = replace(RUN, status=RunStatus.RUNNING, ended_ms=None, living=True)
    assert summarize(run, [running], now_ms=5_500).steps[0].duration_s == 4.5
    assert summarize(replace(run, living=False), [running], now_ms=5_500).steps[0].duration_s == 0


def test_a_step_that_crashed_ran_until_the_last_sample_at_least() -> None:
    crashed = replace(RUN, status=RunStatus.RUNNING, ended_ms=None)
    step = replace(FETCH, status=StepStatus.RUNNING, duration_ms=0)
    unknown = summary_text(summarize(crashed, [step]))
    assert " ms" not in unknown
    sample = Sample(3_500, 1.0, 1 << 20, 5, 2, 10.0, 1, 2, 3)
    seen = summarize(crashed, [step], [sample], now_ms=99_000)
    assert (seen.status, seen.duration_s, seen.steps[0].duration_s) == (CRASHED, 2.5, 2.5)
    assert summary_text(seen).startswith("flow (run r1): crashed after 2.5 s")
