"""StepSpec to StepPlan, all but its dependencies."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import asdict

from batchwork.errors import Problem
from batchwork.plan.batches import item_names, plan_batch
from batchwork.plan.knowns import UNIT_NAMES, Knowns
from batchwork.plan.model import StepPlan, TaskPlan
from batchwork.plan.policies import retry_policy, timeout
from batchwork.plan.tasks import owns_timeout, plan_task
from batchwork.spec.fields.step import StepSpec
from batchwork.template import Template


def plan_step(spec: StepSpec, knowns: Knowns) -> StepPlan | None:
    """The step, without dependencies; None where its task or its items cannot be told. All its problems are found in any case."""
    names = item_names(spec.batch, knowns) if spec.batch is not None else knowns.names | UNIT_NAMES
    task = plan_task(spec.task, names, knowns) if spec.task is not None else None
    batch = plan_batch(spec.batch, task, knowns) if spec.batch is not None else None
    when = _when(spec, knowns)
    on_error: Literal["continue"] | TaskPlan | None = None
    if spec.on_error == "continue":
        on_error = "continue"
    elif spec.on_error is not None:
        on_error = plan_task(spec.on_error, knowns.names | UNIT_NAMES | {"error"}, knowns, shared=False)
    levels = [level for level in (spec.task, spec.batch, spec, knowns.spec.defaults) if level is not None]
    owned = task is not None and spec.task is not None and owns_timeout(task.task)
    retry = retry_policy(levels, knowns)
    timeout_s = timeout(levels, knowns, owned=owned)
    if task is None or (spec.batch is not None and batch is None):
        return None
    return StepPlan(
        name=spec.name,
        task=task,
        batch=batch,
        depends_on=(),
        references=frozenset(),
        when=when,
        outputs=spec.outputs.text if spec.outputs is not None else None,
        on_error=on_error,
        retry=retry,
        timeout_s=timeout_s,
        finalizer=spec.finalizer,
        place=spec.place,
        **asdict(knowns.settings(spec.settings)),
    )


def _when(spec: StepSpec, knowns: Knowns) -> Template | bool | None:
    node = spec.when
    if node is None or isinstance(node.value, bool):
        return node.value if node is not None else None  # type: ignore[return-value]  # narrowed by the test
    template = knowns.template(node, knowns.names)
    if template is not None and not template.lone:
        message = "`when` must give true or false, but a template with text around it gives text"
        knowns.problems.append(Problem(node.place, message, 'write one expression: "{{ a and b > 3 }}"'))
    return template
