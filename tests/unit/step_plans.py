"""Step plans for tests of the engine, made in one line."""

from __future__ import annotations

from typing import Any

from batchwork.errors import NOWHERE
from batchwork.plan.model import BatchPlan, ItemsPlan, Plan, StepPlan, TaskPlan
from batchwork.ports import Written
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.template import Value
from batchwork.testing.fakes import CallableTask


def task_plan(task: Any = None, **fields: Any) -> TaskPlan:
    """A task whose fields are JSON data, with templates."""
    kind = task or CallableTask()
    values = {name: Value.of(field) for name, field in fields.items()}
    return TaskPlan("callable", kind, values, NOWHERE, kind.compile(Written(values, frozenset(), NOWHERE)))


def batch_plan(items: list[Any] | Value, **changes: Any) -> BatchPlan:
    value = items if isinstance(items, Value) else Value.of(items)
    kind = "literal" if isinstance(value.json, list) else "template"
    plain: dict[str, Any] = {
        "items": ItemsPlan(kind, value),
        "key": None,
        "on_duplicate": "keep",
        "batch_size": 1,
        "each": "item",
        "each_inferred": None,
        "parallel": True,
        "slots": 2,
        "room": 2,
        "rate_limit": None,
        "continue_on_error": False,
        "max_failures": None,
        "on_item_error": None,
        "on_in_doubt": "retry",
        "queue_size": None,
        "arg_name": None,
    }
    return BatchPlan(**{**plain, **changes})


def step_plan(name: str, *depends_on: str, task: TaskPlan | None = None, **changes: Any) -> StepPlan:
    """A step; `items=[…]` makes it a batch step."""
    items = changes.pop("items", None)
    batch = changes.pop("batch", None) or (batch_plan(items) if items is not None else None)
    plain: dict[str, Any] = {
        "references": frozenset(),
        "when": None,
        "outputs": None,
        "on_error": None,
        "retry": RetryPolicy(),
        "timeout_s": None,
        "finalizer": False,
        "place": NOWHERE,
    }
    return StepPlan(name=name, task=task or task_plan(), batch=batch, depends_on=depends_on, **{**plain, **changes})


def workflow(*steps: StepPlan, **changes: Any) -> Plan:
    plain: dict[str, Any] = {
        "name": "flow",
        "description": "",
        "file": "flow.yaml",
        "folder": "/",
        "text": "steps: []",
        "params": {},
        "env": {},
        "secrets": (),
        "notify": (),
        "fingerprint": {step.name: {"task": step.task.type} for step in steps},
    }
    return Plan(steps=steps, **{**plain, **changes})
