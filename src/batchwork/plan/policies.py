"""How often and how long: retries and timeouts, the nearest level wins."""

from __future__ import annotations

from collections.abc import Sequence

from batchwork.errors import Problem
from batchwork.plan.knowns import Knowns
from batchwork.spec.fields.retry import AttemptSpec, RetryPolicy
from batchwork.spec.written import Deferred


def retry_policy(levels: Sequence[AttemptSpec], knowns: Knowns) -> RetryPolicy:
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


def timeout(levels: Sequence[AttemptSpec], knowns: Knowns, owned: bool = False) -> float | None:
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
