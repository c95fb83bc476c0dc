"""How often and how long: retries and timeouts, the nearest level wins. Batches are in batches.py."""

from __future__ import annotations

from batchwork.errors import Problem
from batchwork.plan.knowns import Knowns
from batchwork.retry import RetryPolicy
from batchwork.spec.written import Deferred, RetrySpec, Setting

_DEFAULT = RetryPolicy()


def retry_policy(knowns: Knowns, *levels: RetrySpec | None) -> RetryPolicy:
    """The policy of the first level that has one, as a whole."""
    spec = next((level for level in levels if level is not None), None)
    if spec is None:
        return _DEFAULT
    policy = RetryPolicy(
        max_attempts=knowns.setting(spec.max_attempts, _DEFAULT.max_attempts),
        delay_s=knowns.setting(spec.delay_s, _DEFAULT.delay_s),
        backoff=knowns.setting(spec.backoff, _DEFAULT.backoff),
        max_delay_s=knowns.setting(spec.max_delay_s, _DEFAULT.max_delay_s),
        jitter=knowns.setting(spec.jitter, _DEFAULT.jitter),
        on=knowns.setting(spec.on, ()),
    )
    if spec.max_attempts is None:
        message = "`retry` without `max_attempts` has no effect: there is one attempt"
        knowns.warnings.append(Problem(spec.place, message, "for example {max_attempts: 3}"))
    elif policy.max_delay_s < policy.delay_s:
        message = f"`max_delay` is shorter than `delay`: waits are {policy.max_delay_s:g} s"
        knowns.warnings.append(Problem(spec.place, message))
    return policy


def timeout(knowns: Knowns, *levels: Setting[float], owned: bool = False) -> float | None:
    """The timeout of the first level that has one. `owned`: the first is the task's own field, which may differ by item."""
    for number, level in enumerate(levels):
        if level is None:
            continue
        if owned and number == 0 and isinstance(level, Deferred) and not _is_known(level, knowns):
            return None
        return knowns.optional(level)
    return None


def _is_known(setting: Deferred[float], knowns: Knowns) -> bool:
    count = len(knowns.problems)
    template = knowns.template(setting.node, knowns.plain_names)
    del knowns.problems[count:]
    return template is None or template.needs <= knowns.plain_names
