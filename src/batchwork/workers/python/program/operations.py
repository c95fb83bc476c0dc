"""The operations of Python tasks on numbers and lists of numbers. Numbers keep their kind, texts are never taken for numbers."""

from __future__ import annotations

import operator

from .failures import Refused, Unprepared

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable, Mapping

_BITS = 1_000_000
"""Whole numbers grow no longer than this: `10 ** 10 ** 9` would never end."""


def _divide(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right  # 6 / 2 is 3, not 3.0
    return left / right


def _power(base: Any, exponent: Any) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and exponent > 0 and base.bit_length() * exponent > _BITS:
        raise Refused(f"power: {_shown(base)} to the {_shown(exponent)} is too large")
    raised = base**exponent
    if isinstance(raised, complex):
        raise Refused(f"power: {_shown(base)} to the {_shown(exponent)} is not a real number")
    return raised


def _round(number: Any, digits: Any) -> Any:
    if not isinstance(digits, int):
        raise Refused(f"round: the number of digits is {_shown(digits)}, and must be whole")
    return round(number, digits)


TWO: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": _divide,
    "floordiv": operator.floordiv,
    "modulo": operator.mod,
    "power": _power,
    "min": min,
    "max": max,
    "round": _round,
}
"""With an operand."""

ONE: dict[str, Callable[[Any], Any]] = {
    "negate": operator.neg,
    "abs": abs,
    "round": round,
}
"""Without an operand, element by element."""

ALL: dict[str, Callable[[Any], Any]] = {"sum": sum, "min": min, "max": max}
"""Without an operand, of a list."""


def make_operation(program: Mapping[str, Any], names: list[str], fixed: dict[str, Any]) -> Any:
    """The operation of a program as a function of the values of `names`."""
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


def operation(name: str, operand_name: str) -> Callable[..., Any]:
    """The operation as a function of the item and, where `operand_name` is not empty, its operand. Raises Unprepared."""
    if name not in (TWO if operand_name else {**ONE, **ALL}):
        raise Unprepared(
            f"there is no operation `{name}`" + (f" with `{operand_name}`" if operand_name else " without operand")
        )
    if operand_name:
        two = TWO[name]
        return lambda item, operand: _pairwise(name, two, item, operand, operand_name)
    if name in ALL:
        whole = ALL[name]
        return lambda item: _whole(name, whole, item)
    one = ONE[name]
    return lambda item: _each(name, one, item)


def _pairwise(name: str, function: Callable[[Any, Any], Any], item: Any, operand: Any, operand_name: str) -> Any:
    if isinstance(item, list):
        if isinstance(operand, list):
            if len(item) != len(operand):
                raise Refused(f"{name}: the item has {len(item)} elements and `{operand_name}` has {len(operand)}")
            return [_pairwise(name, function, a, b, operand_name) for a, b in zip(item, operand)]
        return [_pairwise(name, function, element, operand, operand_name) for element in item]
    left, right = _number(name, item, "the item"), _number(name, operand, f"`{operand_name}`")
    try:
        return function(left, right)
    except ZeroDivisionError:
        raise Refused(f"{name}: {_shown(left)} by zero") from None
    except OverflowError:
        raise Refused(f"{name}: the result for {_shown(left)} and {_shown(right)} is too large") from None


def _each(name: str, function: Callable[[Any], Any], item: Any) -> Any:
    if isinstance(item, list):
        return [_each(name, function, element) for element in item]
    return function(_number(name, item, "the item"))


def _whole(name: str, function: Callable[[Any], Any], item: Any) -> Any:
    if not isinstance(item, list):
        raise Refused(f"{name}: without an operand the item must be a list of numbers, and it is {_kind(item)}")
    if not item and name != "sum":
        raise Refused(f"{name}: the item is an empty list")
    return function([_number(name, element, "an element of the item") for element in item])


def _number(name: str, value: Any, what: str) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    advice = "; write `| int` or `| float` in its template" if isinstance(value, str) else ""
    raise Refused(f"{name}: {what} is {_kind(value)}, and must be a number{advice}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {_shown(value)}"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
