"""How much a kill can make run twice: the units of all steps that may run at the same moment."""

from __future__ import annotations

import pytest
from step_plans import batch_plan, step_plan, workflow

from batchwork.engine.run.crash.redo_window import most_at_once, window_text
from batchwork.plan.model import StepPlan


def items(name: str, slots: int, *after: str, **changes: object) -> StepPlan:
    return step_plan(name, *after, batch=batch_plan([1], slots=slots), **changes)


@pytest.mark.parametrize(
    ("steps", "lowered", "units"),
    [
        ([step_plan("a")], None, 1),
        ([items("a", 16), step_plan("b", "a")], None, 16),
        ([items("a", 16), items("b", 5, "a")], 4, 4),
        ([items("a", 3), items("b", 3), items("c", 3)], None, 9),
        ([items("a", 3), items("b", 3), items("c", 3)], 2, 6),
        ([items("a", 3), step_plan("b")], None, 4),  # a step without items runs again as well
        ([items("a", 2), items("b", 3, "a"), items("c", 4, "a"), items("d", 5, "b", "c")], None, 7),  # a fork
        ([items("a", 2), items("b", 3, "a"), items("c", 4, "b"), items("z", 1)], None, 5),
        ([items("a", 2), items("f", 7, finalizer=True)], None, 7),  # cleanup comes after all else
        ([items("a", 9), items("f", 7, finalizer=True)], None, 9),
    ],
)
def test_units_of_steps_that_run_together_are_added(steps: list[StepPlan], lowered: int | None, units: int) -> None:
    assert most_at_once(steps, lowered) == units
    assert f"at most {units:,} item" in window_text(workflow(*steps), lowered)


def test_of_nodes_is_said_what_they_had_not_told() -> None:
    text = window_text(workflow(step_plan("a")), elsewhere=True)
    assert "of steps on nodes" in text and "100 ms of work, or five round trips" in text
    assert "nodes" not in window_text(workflow(step_plan("a")))
