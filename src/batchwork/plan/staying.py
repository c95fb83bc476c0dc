"""Which steps run on this machine, whatever others there are, and why."""

from __future__ import annotations

from batchwork.plan.model import StepPlan


def why_it_stays(step: StepPlan) -> str:
    """Why the units of a step run here, in words that follow "because"; empty where they may run elsewhere."""
    if step.batch is None:
        return "it has no items"
    if not step.batch.parallel:
        return "one item runs after another (`parallel: true` or `max_parallel` says otherwise)"
    return "`echo` starts no process" if step.task.type == "echo" else ""
