"""From a program, as the coordinator describes it, to one function of a unit's payload."""

from __future__ import annotations

import sys
import types

from .failures import Refused
from .values.names import ErrorText, StepView, UnitBatch, namespace, worker_environment

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable, Mapping

    from .values.sequences import Ask

    Function = Callable[[Any], Any]

MODULE = "batchwork_code"
"""The module in which code and setup live."""


def prepare_program(program: Mapping[str, Any], ask: Ask) -> Function:
    """The function of a payload. Raises whatever setup code or an imported module raises, and Unprepared."""
    module = new_module(MODULE, program.get("file") or "")
    if program.get("setup"):
        for name, value in program.get("setup_fixed", {}).items():
            module.__dict__[name] = _fixed(name, value, ask)
        from .compiling import Code, run_setup

        run_setup(Code(program["setup"], program["file"], program["setup_line"]), module)
    fixed = {name: _fixed(name, value, ask) for name, value in program.get("fixed", {}).items()}
    names: list[str] = list(program.get("names", ()))
    made: Function = _KINDS[program["kind"]](program, names, fixed, module)
    if program["kind"] == "task" or program.get("takes_item"):
        return made
    return _unpacked(made, names, program.get("views", {}))


def new_module(name: str, file: str) -> types.ModuleType:
    """A module for the names of code, known to `sys.modules` because dataclasses and typing look there."""
    module = types.ModuleType(name)
    module.__dict__["__file__"] = file
    sys.modules[name] = module
    return module


def _fixed(name: str, value: Mapping[str, Any], ask: Ask) -> Any:
    """A value that is the same for all units. Its tag says what it is made into."""
    (tag, told), *_ = value.items()
    if tag == "names":
        return namespace(name, told)
    if tag == "env":
        return worker_environment()
    if tag == "steps":
        return namespace("steps", {step: _step(view, ask) for step, view in told.items()})
    if tag == "sequence":
        return _results(ask, told)
    if tag == "error":
        return ErrorText(told)
    return told


def _results(ask: Ask, told: Mapping[str, Any]) -> Any:
    from .values.sequences import StepResults

    return StepResults(ask, told)


def _step(view: Mapping[str, Any], ask: Ask) -> StepView:
    result, error = view.get("result"), view.get("error")
    if view.get("sequence"):
        result = _results(ask, view["sequence"])
    if isinstance(error, dict):
        error = ErrorText(error)
    return StepView(result, view.get("status"), error)


def _unpacked(made: Callable[..., Any], names: list[str], views: Mapping[str, str]) -> Function:
    """A function of the list of values that stand for `names`, some of which are made into views first."""
    builders = [(names.index(name), _VIEWS[kind]) for name, kind in views.items()]
    if not builders:
        return lambda payload: made(*payload)

    def built(payload: list[Any]) -> Any:
        for slot, build in builders:
            payload[slot] = build(payload[slot])
        return made(*payload)

    return built


def _batch(told: Mapping[str, Any]) -> UnitBatch:
    return UnitBatch(told["index"], told["items"], told["total"], told.get("item", told["items"]))


_VIEWS: dict[str, Callable[[Any], Any]] = {"batch": _batch, "error": ErrorText}


# ---------------------------------------------------------------- kinds, imported when they are used


def _code(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any], module: types.ModuleType) -> Any:
    from .compiling import Code, compile_body

    return compile_body(Code(program["code"], program["file"], program["line"]), names, fixed, module)


def _operation(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any], _: types.ModuleType) -> Any:
    from .operations import make_operation

    return make_operation(program, names, fixed)


def _function(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any], _: types.ModuleType) -> Any:
    from .functions import make_function

    return make_function(program, names, fixed)


def _task(program: Mapping[str, Any], _names: list[str], _fixed: dict[str, Any], _: types.ModuleType) -> Any:
    from .functions import look_up

    kind = look_up(program["class"])
    task = kind()
    shape = kind.Fields
    constant = program.get("fields", {})
    import msgspec  # batchwork is installed where its task types run

    def run(payload: Mapping[str, Any]) -> Any:
        try:
            fields = msgspec.convert({**constant, **payload["fields"]}, shape)
        except msgspec.ValidationError as error:
            raise Refused(str(error)) from None
        return task.run(fields, namespace("unit", payload["unit"]))

    return run


_KINDS: dict[str, Callable[..., Any]] = {
    "code": _code,
    "function": _function,
    "operation": _operation,
    "task": _task,
}
