"""Constants as the coordinator tells them, each under a tag, as what makes its value for one item."""

from __future__ import annotations

from .fresh import maker
from .names import ErrorText, Namespace, StepView, namespace, worker_environment

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Mapping

    from .fresh import Make
    from .sequences import Ask


def constant_maker(name: str, value: Mapping[str, Any], ask: Ask) -> Make:
    """What makes the value of a constant for one item. Its tag says what it is made into."""
    (tag, told), *_ = value.items()
    if tag == "names":
        return _namespace_maker(name, told)
    if tag == "env":
        known = worker_environment()
        return lambda: namespace("env", known)
    if tag == "steps":
        steps = {step: _step_maker(step, view, ask) for step, view in told.items()}
        return lambda: namespace("steps", {step: make() for step, make in steps.items()})
    if tag == "sequence":
        return _sequence_maker(name, told, ask)
    if tag == "error":
        return lambda: ErrorText(told)
    return maker(name, told)


def is_fixed(value: Mapping[str, Any]) -> bool:
    """Whether the value can be the same object for all items, because it cannot be changed."""
    return "json" in value and not isinstance(value["json"], (dict, list))


def as_setup_left_it(name: str, value: Any, make: Make) -> Make:
    """What makes a constant for one item that setup may have changed, which is its right."""
    try:
        if isinstance(value, Namespace) and name != "steps":
            return _namespace_maker(name, value)
        if isinstance(value, (dict, list)) and name != "steps":
            return maker(name, value)
    except (TypeError, ValueError):  # setup has put something of its own there
        return lambda: value
    return make


def _namespace_maker(name: str, told: dict[str, Any]) -> Make:
    changeable = {key: maker(f"{name}.{key}", part) for key, part in dict.items(told) if isinstance(part, (dict, list))}
    if not changeable:
        known = dict(told)
        return lambda: namespace(name, known)
    return lambda: namespace(name, {**told, **{key: make() for key, make in changeable.items()}})


def _step_maker(name: str, view: Mapping[str, Any], ask: Ask) -> Make:
    error, status = view.get("error"), view.get("status")
    if isinstance(error, dict):
        error = ErrorText(error)
    if view.get("sequence"):
        make = _sequence_maker(f"steps.{name}.result", view["sequence"], ask)
    else:
        make = maker(f"steps.{name}.result", view.get("result"))
    aggregate = maker(f"steps.{name}.aggregate", view.get("aggregate", {}))
    return lambda: StepView(make(), status, error, aggregate())


def _sequence_maker(name: str, told: Mapping[str, Any], ask: Ask) -> Make:
    from .sequences import StepResults, Told

    known = Told(name, told, ask)
    return lambda: StepResults(known)
