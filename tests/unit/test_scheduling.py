"""Which steps may start: a table of cases, and a simulation of random workflows that must never break the rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from step_plans import step_plan

from batchwork.engine.run.scheduling import ENDED, downstream, met, next_finalizers, next_moves, run_status
from batchwork.model import RunStatus, StepStatus
from batchwork.plan.model import StepPlan

P, R, S, F, K = StepStatus.PENDING, StepStatus.RUNNING, StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED
LINE = (step_plan("a"), step_plan("b", "a"), step_plan("c", "b"))
FORK = (step_plan("a"), step_plan("b", "a"), step_plan("c", "a"), step_plan("d", "b", "c"))


def moves(steps: tuple[StepPlan, ...], *statuses: StepStatus, underway: str = "", stopping: bool = False) -> Any:
    states = {step.name: status for step, status in zip(steps, statuses, strict=True)}
    found = next_moves(steps, states, underway, stopping)
    return [step.name for step in found.start], [step.name for step, _ in found.skip]


@pytest.mark.parametrize(
    ("steps", "statuses", "underway", "start"),
    [
        (LINE, (P, P, P), "", ["a"]),
        (LINE, (R, P, P), "a", []),
        (LINE, (R, P, P), "", ["a"]),  # stopped before: resumed
        (LINE, (S, P, P), "", ["b"]),
        (LINE, (K, P, P), "", ["b"]),  # only follows it
        (LINE, (F, P, P), "", []),
        (LINE, (S, S, S), "", []),
        (FORK, (S, P, P, P), "", ["b", "c"]),
        (FORK, (S, R, P, P), "b", ["c"]),
        (FORK, (S, S, R, P), "c", []),
        (FORK, (S, F, P, P), "", []),  # a failure keeps others from starting
        (FORK, (S, S, S, P), "", ["d"]),
        (LINE, (R, S, P), "a", []),  # the first is retried, the last waits for it
    ],
)
def test_what_starts(
    steps: tuple[StepPlan, ...], statuses: tuple[StepStatus, ...], underway: str, start: list[str]
) -> None:
    assert moves(steps, *statuses, underway=underway) == (start, [])
    assert moves(steps, *statuses, underway=underway, stopping=True) == ([], [])


def test_a_failure_from_before_holds_up_only_what_depends_on_it() -> None:
    steps = (step_plan("a"), step_plan("b", "a"), step_plan("c"))
    states = {"a": F, "b": P, "c": R}
    assert next_moves(steps, states, (), stopping=False).start == ()
    found = next_moves(steps, states, (), stopping=False, before=frozenset({"a"}))
    assert [step.name for step in found.start] == ["c"]


def test_what_refers_to_a_skipped_step_is_skipped() -> None:
    steps = (step_plan("a"), step_plan("b", "a", references=frozenset({"a"})), step_plan("c", "b"))
    assert moves(steps, K, P, P) == ([], ["b"])
    assert moves(steps, K, K, P) == (["c"], [])


def test_a_tolerated_failure_does_not_stop_the_others() -> None:
    steps = (step_plan("a", on_error="continue"), step_plan("b", "a"))
    assert moves(steps, F, P) == (["b"], [])


def test_finalizers_wait_only_for_each_other() -> None:
    steps = (step_plan("a"), step_plan("f", "a", finalizer=True), step_plan("g", "f", finalizer=True))
    states = {"a": F, "f": P, "g": P}
    assert [step.name for step in next_finalizers(steps, states, ())] == ["f"]
    assert [step.name for step in next_finalizers(steps, {**states, "f": F}, ())] == ["g"]
    assert next_finalizers(steps, {**states, "f": R}, ("f",)) == ()
    assert moves(steps, S, P, P) == ([], [])


@pytest.mark.parametrize(
    ("statuses", "failed_units", "stopped", "expected"),
    [
        ((S, S, S), False, False, RunStatus.SUCCEEDED),
        ((S, S, S), False, True, RunStatus.SUCCEEDED),  # the stop came too late to matter
        ((S, K, S), False, False, RunStatus.SUCCEEDED),
        ((S, S, S), True, False, RunStatus.PARTIAL),
        ((S, F, P), False, False, RunStatus.FAILED),
        ((S, F, P), True, True, RunStatus.FAILED),  # nothing that the stop kept from running
        ((S, R, P), False, True, RunStatus.INTERRUPTED),
        ((S, P, P), False, True, RunStatus.INTERRUPTED),
    ],
)
@pytest.mark.promise("9.49")
def test_how_a_run_ended(
    statuses: tuple[StepStatus, ...], failed_units: bool, stopped: bool, expected: RunStatus
) -> None:
    states = dict(zip("abc", statuses, strict=True))
    assert run_status(LINE, states, failed_units, stopped) is expected


def test_a_tolerated_failure_is_partial_and_a_finalizers_failure_counts() -> None:
    steps = (step_plan("a", on_error="continue"), step_plan("f", finalizer=True))
    assert run_status(steps, {"a": F, "f": S}, False, False) is RunStatus.PARTIAL
    assert run_status(steps, {"a": S, "f": F}, False, False) is RunStatus.FAILED


def test_downstream() -> None:
    steps = (*FORK, step_plan("e"), step_plan("f", "d", finalizer=True))
    assert downstream(steps, ["b"]) == ["d"]
    assert downstream(steps, ["a"]) == ["b", "c", "d"]
    assert downstream(steps, ["a", "b"]) == ["c", "d"]
    assert downstream(steps, []) == []


@st.composite
def workflows(draw: st.DrawFn) -> tuple[StepPlan, ...]:
    count = draw(st.integers(1, 7))
    steps = []
    for number in range(count):
        earlier = [f"s{other}" for other in range(number)]
        depends = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        refers = draw(st.lists(st.sampled_from(depends), unique=True)) if depends else []
        on_error = draw(st.sampled_from([None, "continue"]))
        steps.append(step_plan(f"s{number}", *depends, references=frozenset(refers), on_error=on_error))
    return tuple(steps)


@given(workflows(), st.data())
def test_no_workflow_breaks_the_rules(steps: tuple[StepPlan, ...], data: st.DataObject) -> None:
    by_name = {step.name: step for step in steps}
    states = dict.fromkeys(by_name, P)
    underway: set[str] = set()
    stopping = False
    started: list[str] = []
    for _ in range(10 * len(steps)):
        stopping = stopping or data.draw(st.integers(0, 15)) == 0
        found = next_moves(steps, states, underway, stopping)
        untolerated = any(states[n] is F and by_name[n].on_error is None for n in states)
        for step, why in found.skip:
            assert why in step.references and states[why] is K and states[step.name] is P
            states[step.name] = K
        for step in found.start:
            assert not stopping and not untolerated
            assert step.name not in started, "a step runs once"
            assert all(met(by_name[name], states[name]) for name in step.depends_on)
            assert not any(states[name] is K for name in step.references)
            started.append(step.name)
            if data.draw(st.integers(0, 4)) == 0:
                states[step.name] = K  # its `when` was false
            else:
                states[step.name] = R
                underway.add(step.name)
        if underway:
            name = data.draw(st.sampled_from(sorted(underway)))
            underway.discard(name)
            states[name] = data.draw(st.sampled_from([S, S, S, F, R] if stopping else [S, S, S, F]))
        elif not found.start and not found.skip:
            break
    assert not underway
    status = run_status(steps, states, False, stopping)
    assert (status is RunStatus.SUCCEEDED) == all(states[name] in (S, K) for name in states)
    if status is RunStatus.PARTIAL:
        assert all(states[name] in ENDED for name in states)
    if R in states.values():
        assert status is RunStatus.INTERRUPTED
    if not stopping and status is RunStatus.FAILED:
        assert any(states[name] is F and by_name[name].on_error is None for name in states)
