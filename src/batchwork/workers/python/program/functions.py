"""Functions of modules: finding them, and which of the names that there are each parameter gets."""

from __future__ import annotations

import importlib
import inspect

from .coroutines import awaited
from .failures import Unprepared
from .own_modules import authors_name

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Mapping


_LEADING = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SINGLE = (*_LEADING, inspect.Parameter.KEYWORD_ONLY)


def make_function(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any]) -> Any:
    """The function of a program as a function of the values of `names`. Raises Unprepared, or what its module raises."""
    path = program["function"]
    found = look_up(path)
    if not callable(found):
        raise Unprepared(f"`{path}` is not a function but {type(found).__name__}")
    return awaited(_fitted(path, found, program, names, fixed))


def _fitted(path: str, function: Any, program: Mapping[str, Any], names: list[str], fixed: dict[str, Any]) -> Any:
    inputs = program.get("inputs", [])
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, without a signature
        if names == ["item"]:
            return function
        return _by_keyword(function, names, fixed, inputs)
    places = Matching(path, parameters, [*names, *fixed], inputs).places
    alone = [parameter.name for parameter in parameters[:1] if parameter.kind in _LEADING]
    if names == ["item"] and list(places.values()) == ["item"] and list(places) == alone:
        return function
    return _matched(function, parameters, places, names, fixed)


def _by_keyword(function: Any, names: list[str], fixed: dict[str, Any], inputs: list[str]) -> Any:
    def call(*values: Any) -> Any:
        found = {**fixed, **dict(zip(names, values))}
        further = {name: found[name] for name in inputs if name != "item"}
        if "item" in found:
            return function(found["item"], **further)
        return function(**further)

    return call


class Matching:
    """Which of the names that there are each parameter of a function gets: one of the same name. Raises Unprepared."""

    def __init__(self, path: str, parameters: list[inspect.Parameter], known: list[str], inputs: list[str]) -> None:
        self._path, self._parameters, self._inputs = path, parameters, inputs
        self.places = {each.name: each.name for each in parameters if each.kind in _SINGLE and each.name in known}
        """Names by parameters; that of `*args` is empty."""
        if "item" in known and "item" not in self.places:
            self._place_item()
        self._check_needed()
        self._place_inputs()

    def _place_item(self) -> None:
        """The item goes to the first parameter that has nothing else."""
        for each in self._parameters:
            if each.kind in _LEADING and each.name not in self.places:
                if each.default is inspect.Parameter.empty or not self._inputs:
                    self.places[each.name] = "item"
                    return
                break
        if not self.places and self._takes(inspect.Parameter.VAR_POSITIONAL):
            self.places[""] = "item"

    def _takes(self, kind: Any) -> bool:
        return any(each.kind is kind for each in self._parameters)

    def _check_needed(self) -> None:
        for each in self._parameters:
            if each.kind in _SINGLE and each.name not in self.places and each.default is inspect.Parameter.empty:
                raise Unprepared(
                    f"`{self._path}` needs `{each.name}`: write it beside `function:`, for example `{each.name}: …`"
                )

    def _place_inputs(self) -> None:
        """What is left of the inputs goes to `**keywords`."""
        placed = set(self.places.values())
        left = [name for name in self._inputs if name not in placed]
        if self._takes(inspect.Parameter.VAR_KEYWORD):
            self.places.update(zip(left, left))
        elif left:
            takes = ", ".join(each.name for each in self._parameters) or "nothing"
            raise Unprepared(f"`{self._path}` takes no `{left[0]}`; it takes {takes}")


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
    module = importlib.import_module(authors_name(module_name))
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            file = getattr(module, "__file__", None) or "built in"
            raise Unprepared(f"`{module_name}` ({file}) has no `{part}`{_near(part, found)}")
        found = getattr(found, part)
    return found


def _near(name: str, place: Any) -> str:
    """A question with names in `place` that are like this one, or nothing."""
    import difflib

    near = difflib.get_close_matches(name, [each for each in dir(place) if not each.startswith("_")], 3)
    if not near:
        return ""
    return f"; did you mean {' or '.join(near)}?"
