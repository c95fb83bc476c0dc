"""What is done in each step, as JSON data: equal fingerprints may be resumed. Limits, retries, timeouts and views are left out.

Comments, the order of keys and quoting cannot show, because fields are compared as read. Secrets stand in it only by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from batchwork.plan.model import BatchPlan, ItemsPlan, StepPlan, TaskPlan
from batchwork.template import Template
from batchwork.text.jsontext import Json, canonical

LIMITS: Final = frozenset({"timeout", "capture_limit", "max_body"})
"""Fields of tasks that limit what they do and do not change it."""
WRITTEN_OUT_MAX: Final = 2000
"""Written lists with a longer text stand in the fingerprint as their hash."""


def fingerprint(steps: tuple[StepPlan, ...], env: Mapping[str, Json]) -> dict[str, Json]:
    """By step, in their order."""
    return {step.name: _step(step, env) for step in steps}


def _step(step: StepPlan, env: Mapping[str, Json]) -> Json:
    found: dict[str, Json] = {**_task(step.task), "after": list[Json](step.depends_on)}
    if env:
        found["env"] = dict(env)
    if step.when is not None:
        found["when"] = _source(step.when)
    if step.batch is not None:
        found |= _batch(step.batch)
    if isinstance(step.on_error, TaskPlan):
        found["on_error"] = _task(step.on_error)
    if step.finalizer:
        found["finally"] = True
    return found


def _task(task: TaskPlan) -> dict[str, Json]:
    found: dict[str, Json] = {"task": task.type}
    for name, value in sorted(task.fields.items()):
        if name not in LIMITS:
            found[name] = getattr(value, "json", None)
    if task.compiled.identity is not None:
        found["source"] = task.compiled.identity
    return found


def _batch(batch: BatchPlan) -> dict[str, Json]:
    found: dict[str, Json] = {"items": _items(batch.items), "each": batch.each}
    if batch.key is not None:
        found["key"] = _source(batch.key)
    if batch.arg_name is not None:
        found["arg_name"] = batch.arg_name
    if batch.on_item_error is not None:
        found["on_item_error"] = dict(_task(batch.on_item_error))
    return found


def _source(value: Template | str | bool) -> Json:
    if isinstance(value, Template):
        return value.source
    return value


def _items(items: ItemsPlan) -> Json:
    if items.kind == "from":
        written_fields = {**items.fields, **items.narrowing}
        fields = {name: getattr(value, "json", None) for name, value in sorted(written_fields.items())}
        parts: dict[str, Json] = (
            {"of": {name: _items(part) for name, part in items.parts.items()}} if items.parts else {}
        )
        return {"from": items.source, **fields, **parts}
    written: Json = getattr(items.fields.get("command", items.value), "json", None)
    text = canonical(written)
    if len(text) > WRITTEN_OUT_MAX:
        if not isinstance(written, list):
            return text
        import hashlib  # short lists stand as they are

        return f"{len(written):,} items, sha256:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    if items.kind == "command":
        return f"$({written})"
    return written
