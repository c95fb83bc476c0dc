"""From a program, as the coordinator describes it, to one function of a unit's payload."""

from __future__ import annotations

import sys
import types

from .failures import Refused
from .own_modules import CODE
from .traces.silence import cannot_print
from .values.constants import as_setup_left_it, constant_maker, is_fixed
from .values.fresh import maker
from .values.names import ErrorText, UnitBatch, namespace

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable, Mapping, Sequence

    from .values.fresh import Make
    from .values.sequences import Ask

    Function = Callable[[Any], Any]


class Prepared:
    """The function of a payload. `silent`: it cannot print, as far as can be seen."""

    def __init__(self, function: Function, *, silent: bool = False) -> None:
        self.function, self.silent = function, silent


def prepare_program(program: Mapping[str, Any], ask: Ask) -> Prepared:
    """The function of a program. Raises whatever setup code or an imported module raises, and Unprepared."""
    module = new_module(CODE, program.get("file") or "")
    renew = _set_up(program, module, ask)
    told = program.get("fixed", {})
    makers = {name: constant_maker(name, value, ask) for name, value in told.items() if not is_fixed(value)}
    fixed = {name: value["json"] for name, value in told.items() if is_fixed(value)}
    names: list[str] = list(program.get("names", ()))
    made: Function = _KINDS[program["kind"]](program, [*names, *makers], fixed, module)
    if program["kind"] == "task":
        return Prepared(made)
    makes = tuple(makers.values())
    function = _of_item(made, makes)
    if not program.get("takes_item"):
        function = _unpacked(made, names, program.get("views", {}), makes)
    # Setup may have left anything behind: threads, libraries that print, objects that do when they go.
    silent = program["kind"] == "code" and not program.get("setup") and cannot_print(made)
    return Prepared(_renewing(function, renew), silent=silent)


def _set_up(program: Mapping[str, Any], module: types.ModuleType, ask: Ask) -> dict[str, Make]:
    """Run setup code. Its constants are then names of the module; what makes them anew for each item."""
    if not program.get("setup"):
        return {}
    told = program.get("setup_fixed", {})
    makers = {name: constant_maker(name, value, ask) for name, value in told.items()}
    given = {name: make() for name, make in makers.items()}
    module.__dict__.update(given)
    from .compiling import Code, run_setup

    run_setup(Code(program["setup"], program["file"], program["setup_line"]), module)
    kept = [name for name, value in given.items() if module.__dict__.get(name) is value and not is_fixed(told[name])]
    return {name: as_setup_left_it(name, given[name], makers[name]) for name in kept}


def _renewing(function: Function, renew: dict[str, Make]) -> Function:
    """The function, before which the constants of setup are made anew: functions that setup defined may use them."""
    if not renew:
        return function
    names = sys.modules[CODE].__dict__

    def call(payload: Any) -> Any:
        for name, make in renew.items():
            names[name] = make()
        return function(payload)

    return call


def new_module(name: str, file: str) -> types.ModuleType:
    """A module for the names of code, known to `sys.modules` because dataclasses and typing look there."""
    module = types.ModuleType(name)
    module.__dict__["__file__"] = file
    sys.modules[name] = module
    return module


def _of_item(made: Callable[..., Any], makes: Sequence[Make]) -> Function:
    """A function of the item alone."""
    if not makes:
        return made
    if len(makes) == 1:
        (only,) = makes
        return lambda item: made(item, only())
    return lambda item: made(item, *[make() for make in makes])


def _unpacked(made: Callable[..., Any], names: list[str], views: Mapping[str, str], makes: Sequence[Make]) -> Function:
    """A function of the list of values that stand for `names`, some of which are made into views first."""
    builders = [(names.index(name), _VIEWS[kind]) for name, kind in views.items()]
    if not builders and not makes:
        return lambda payload: made(*payload)

    def built(payload: list[Any]) -> Any:
        for slot, build in builders:
            payload[slot] = build(payload[slot])
        return made(*payload, *[make() for make in makes])

    return built


def _batch(told: Mapping[str, Any]) -> UnitBatch:
    item = [told["item"]] if "item" in told else ()
    return UnitBatch(told["index"], told["items"], told["total"], *item)


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
    constants = {name: maker(name, value) for name, value in program.get("fields", {}).items()}
    import msgspec  # batchwork is installed where its task types run

    def run(payload: Mapping[str, Any]) -> Any:
        try:
            constant = {name: make() for name, make in constants.items()}
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
