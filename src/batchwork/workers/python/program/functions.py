"""Functions of modules: finding them, and which of the names that there are each parameter gets."""

from __future__ import annotations

import importlib
import inspect

from .failures import Unprepared

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Mapping


def make_function(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any]) -> Any:
    """The function of a program as a function of the values of `names`. Raises Unprepared, or what its module raises."""
    path = program["function"]
    function = look_up(path)
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


def look_up(path: str) -> Any:
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
