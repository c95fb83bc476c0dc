"""Code that cannot print, as far as it can be seen: it uses no names but its own and those of a few functions that do not. Nothing is run here."""

from __future__ import annotations

from types import CodeType, FunctionType

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any

_FUNCTIONS = """
abs all any bin bool chr dict divmod enumerate filter float format frozenset hash hex int isinstance len list map max min oct
ord pow range repr reversed round set slice sorted str sum tuple zip
"""
_METHODS = """
add append capitalize casefold copy count discard difference encode endswith extend find format get index insert intersection
isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace isupper items join keys ljust lower lstrip partition pop
remove removeprefix removesuffix replace reverse rfind rindex rjust rpartition rsplit rstrip setdefault sort split splitlines
startswith strip swapcase title translate union update upper values zfill
"""
_HARMLESS = frozenset(f"{_FUNCTIONS} {_METHODS}".split())


def cannot_print(function: Any) -> bool:
    """Whether code of items, which gets nothing but JSON data, leads to nothing that prints."""
    if type(function) is not FunctionType:
        return False
    used = _names(function.__code__)
    return used <= _HARMLESS and used.isdisjoint(function.__globals__)


def _names(code: CodeType) -> frozenset[str]:
    """Names of globals, attributes and modules in code and in all functions inside it."""
    inside = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return frozenset(code.co_names).union(*inside)
