"""StepSpec to StepPlan, all but its dependencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import asdict

from batchwork.errors import Problem
from batchwork.plan.knowns import UNIT_NAMES, Knowns
from batchwork.plan.model import BatchPlan, StepPlan, TaskPlan
from batchwork.plan.tasks import owns_timeout, plan_task
from batchwork.spec.fields.retry import AttemptSpec, RetryPolicy
from batchwork.spec.fields.step import StepSpec
from batchwork.spec.written import Deferred
from batchwork.template import Template


def plan_step(spec: StepSpec, knowns: Knowns) -> StepPlan | None:
    """The step, without dependencies; None where its task or its items cannot be told. All its problems are found in any case."""
    batch: BatchPlan | None = None
    if spec.batch is None:
        task = plan_task(spec.task, knowns.names | UNIT_NAMES, knowns)
    else:
        from batchwork.plan.batches import item_names, plan_batch  # with all that is known of items

        task = plan_task(spec.task, item_names(spec.batch, knowns), knowns)
        batch = plan_batch(spec.batch, task, knowns)
    when = _when(spec, knowns)
    on_error = _on_error(spec, knowns)
    levels = [level for level in (spec.task, spec.batch, spec, knowns.spec.defaults) if level is not None]
    retry = _retry_policy(levels, knowns)
    timeout_s = _timeout(levels, knowns, owned=task is not None and owns_timeout(task.task))
    if task is None or (spec.batch is not None and batch is None):
        return None
    return StepPlan(
        name=spec.name,
        task=task,
        batch=batch,
        depends_on=(),
        references=frozenset(),
        when=when,
        outputs=getattr(spec.outputs, "text", None),
        on_error=on_error,
        retry=retry,
        timeout_s=timeout_s,
        finalizer=spec.finalizer,
        place=spec.place,
        **asdict(knowns.settings(spec.settings)),
    )


def _on_error(spec: StepSpec, knowns: Knowns) -> Literal["continue"] | TaskPlan | None:
    if spec.on_error is None or spec.on_error == "continue":
        return spec.on_error
    return plan_task(spec.on_error, knowns.names | UNIT_NAMES | {"error"}, knowns, shared=False)


def _when(spec: StepSpec, knowns: Knowns) -> Template | bool | None:
    node = spec.when
    if node is None:
        return None
    if isinstance(node.value, bool):
        return node.value
    template = knowns.template(node, knowns.names)
    if template is not None and not template.lone:
        message = "`when` must give true or false, but a template with text around it gives text"
        knowns.problems.append(Problem(node.place, message, 'write one expression: "{{ a and b > 3 }}"'))
    return template


# ---------------------------------------------------------------- how often, and how long


def _retry_policy(levels: Sequence[AttemptSpec], knowns: Knowns) -> RetryPolicy:
    """The policy of the first level that has one, as a whole."""
    written = next((level.retry for level in levels if level.retry is not None), None)
    if written is None:
        return RetryPolicy()
    policy = knowns.settings(written)
    if "max_attempts" not in written:
        message = "`retry` without `max_attempts` has no effect: there is one attempt"
        knowns.warnings.append(Problem(written.place, message, "for example {max_attempts: 3}"))
    elif policy.max_delay_s < policy.delay_s:
        message = f"`max_delay` is shorter than `delay`: waits are {policy.max_delay_s:g} s"
        knowns.warnings.append(Problem(written.place, message))
    return policy


def _timeout(levels: Sequence[AttemptSpec], knowns: Knowns, owned: bool = False) -> float | None:
    """The timeout of the first level that has one. `owned`: the task's own, a template, may differ by item."""
    level = next((level for level in levels if level.timeout_s is not None), None)
    if level is None:
        return None
    setting = level.timeout_s
    if owned and level is levels[0] and isinstance(setting, Deferred) and not _is_known(setting, knowns):
        return None
    return knowns.optional(setting)


def _is_known(setting: Deferred[float], knowns: Knowns) -> bool:
    count = len(knowns.problems)
    template = knowns.template(setting.node, knowns.plain_names)
    del knowns.problems[count:]
    return template is None or template.needs <= knowns.plain_names
