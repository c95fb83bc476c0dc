"""From a program, as the coordinator describes it, to one function of a unit's payload. Running units is in calls.py."""

from __future__ import annotations

import importlib
import inspect
import types
from typing import Any, Callable, Mapping

from .compiling import compile_body, new_module, run_setup
from .failures import Refused
from .names import Batch, ErrorText, Names, StepView, environment
from .operations import operation
from .sequences import Ask, Results

Function = Callable[[Any], Any]

MODULE = "batchwork_code"
"""The module in which code and setup live."""


class Unprepared(Exception):
    """The program cannot be prepared, for a reason that its message tells in full."""


def prepare(program: Mapping[str, Any], ask: Ask) -> Function:
    """The function of a payload. Raises whatever setup code or an imported module raises, and Unprepared."""
    module = new_module(MODULE, program.get("file") or "")
    if program.get("setup"):
        for name, value in program.get("setup_fixed", {}).items():
            module.__dict__[name] = _fixed(name, value, ask)
        run_setup(program["setup"], program["file"], program["setup_line"], module)
    fixed = {name: _fixed(name, value, ask) for name, value in program.get("fixed", {}).items()}
    names: list[str] = list(program.get("names", ()))
    made: Function = _KINDS[program["kind"]](program, names, fixed, module)
    if program["kind"] == "task" or program.get("takes_item"):
        return made
    return _unpacked(made, names, program.get("views", {}))


def _fixed(name: str, value: Mapping[str, Any], ask: Ask) -> Any:
    """A value that is the same for all units. Its tag says what it is made into."""
    (tag, told), *_ = value.items()
    if tag == "names":
        return Names(name, told)
    if tag == "env":
        return environment()
    if tag == "steps":
        return Names("steps", {step: _step(view, ask) for step, view in told.items()})
    if tag == "sequence":
        return Results(ask, told)
    if tag == "error":
        return ErrorText(told)
    return told


def _step(view: Mapping[str, Any], ask: Ask) -> StepView:
    result = Results(ask, view["sequence"]) if view.get("sequence") else view.get("result")
    error = ErrorText(view["error"]) if isinstance(view.get("error"), dict) else view.get("error")
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


def _batch(told: Mapping[str, Any]) -> Batch:
    return Batch(told["index"], told["items"], told["total"], told["items"] if "item" not in told else told["item"])


_VIEWS: dict[str, Callable[[Any], Any]] = {"batch": _batch, "error": ErrorText}


# ---------------------------------------------------------------- kinds


def _code(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any], module: types.ModuleType) -> Any:
    return compile_body(program["code"], program["file"], program["line"], names, fixed, module)


def _operation(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any], _: types.ModuleType) -> Any:
    operand = program["operand"]
    function = operation(program["operation"], operand)
    if names == ["item"] and not operand:
        return function
    if names == ["item"]:
        constant = fixed[operand]
        return lambda item: function(item, constant)
    wanted = ["item", operand] if operand else ["item"]

    def apply(*values: Any) -> Any:
        found = {**fixed, **dict(zip(names, values))}
        return function(*(found[name] for name in wanted))

    return apply


def _function(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any], _: types.ModuleType) -> Any:
    path = program["function"]
    function = find(path)
    if not callable(function):
        raise Unprepared(f"`{path}` is not a function but {type(function).__name__}")
    inputs = program.get("inputs", [])
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, without a signature
        return function if names == ["item"] else _by_keyword(function, names, fixed, inputs)
    places = _places(path, parameters, [*names, *fixed], inputs)
    leading = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    alone = [parameter.name for parameter in parameters[:1] if parameter.kind in leading]
    if names == ["item"] and list(places.values()) == ["item"] and list(places) == alone:
        return function
    return _matched(function, parameters, places, names, fixed)


def _by_keyword(function: Any, names: list[str], fixed: dict[str, Any], inputs: list[str]) -> Any:
    def call(*values: Any) -> Any:
        found = {**fixed, **dict(zip(names, values))}
        further = {name: found[name] for name in inputs if name != "item"}
        return function(found["item"], **further) if "item" in found else function(**further)

    return call


def _places(path: str, parameters: list[inspect.Parameter], known: list[str], inputs: list[str]) -> dict[str, str]:
    """Which name each parameter gets. One of the same name; the item goes to the first one that has no other."""
    places: dict[str, str] = {}
    single = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    for parameter in parameters:
        if parameter.kind in single and parameter.name in known:
            places[parameter.name] = parameter.name
    free = [parameter for parameter in parameters if parameter.name not in places]
    if "item" in known and "item" not in places.values():
        first = next((parameter for parameter in free if parameter.kind in single[:2]), None)
        several = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in free)
        if first is not None and (first.default is inspect.Parameter.empty or not inputs):
            places[first.name] = "item"
        elif several and not places:
            places[""] = "item"
    lacking = [
        parameter.name
        for parameter in free
        if parameter.kind in single and parameter.name not in places and parameter.default is inspect.Parameter.empty
    ]
    if lacking:
        raise Unprepared(f"`{path}` needs `{lacking[0]}`: write it beside `function:`, for example `{lacking[0]}: …`")
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        places.update({name: name for name in inputs if name not in places.values()})
    unused = [name for name in inputs if name not in places.values()]
    if unused:
        takes = ", ".join(parameter.name for parameter in parameters) or "nothing"
        raise Unprepared(f"`{path}` takes no `{unused[0]}`; it takes {takes}")
    return places


def _matched(
    function: Any, parameters: list[inspect.Parameter], places: dict[str, str], names: list[str], fixed: dict[str, Any]
) -> Any:
    only = {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.POSITIONAL_ONLY}
    leading = [name for name in places if name in only or not name]
    keywords = [name for name in places if name not in leading]

    def call(*values: Any) -> Any:
        found = {**fixed, **dict(zip(names, values))}
        return function(*(found[places[name]] for name in leading), **{name: found[places[name]] for name in keywords})

    return call


def _task(program: Mapping[str, Any], _names: list[str], _fixed: dict[str, Any], _: types.ModuleType) -> Any:
    kind = find(program["class"])
    task = kind()
    shape = kind.Fields
    constant = program.get("fields", {})
    import msgspec  # batchwork is installed where its task types run

    def run(payload: Mapping[str, Any]) -> Any:
        try:
            fields = msgspec.convert({**constant, **payload["fields"]}, shape)
        except msgspec.ValidationError as error:
            raise Refused(str(error)) from None
        return task.run(fields, Names("unit", payload["unit"]))

    return run


def find(path: str) -> Any:
    """What `package.module:name` names. Raises ImportError, Unprepared, or what the module raises."""
    module_name, _, name = path.partition(":")
    module = importlib.import_module(module_name)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            import difflib

            near = difflib.get_close_matches(part, [each for each in dir(found) if not each.startswith("_")], 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise Unprepared(
                f"`{module_name}` ({getattr(module, '__file__', None) or 'built in'}) has no `{part}`{hint}"
            )
        found = getattr(found, part)
    return found


_KINDS: dict[str, Callable[..., Any]] = {
    "code": _code,
    "function": _function,
    "operation": _operation,
    "task": _task,
}
