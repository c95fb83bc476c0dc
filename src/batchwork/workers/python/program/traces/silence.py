"""Code that cannot print, as far as it can be seen: it uses no names but its own and those of a few functions that do not. Nothing is run here."""

from __future__ import annotations

import builtins
import sys
from opcode import opmap
from types import BuiltinFunctionType, CodeType, FunctionType

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Iterator

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
_FUNCTION_NAMES = frozenset(_FUNCTIONS.split())
_HARMLESS = _FUNCTION_NAMES.union(_METHODS.split())


_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # of `co_flags`


def cannot_print(function: Any) -> bool:
    """Whether code of items, which gets nothing but JSON data, leads to nothing that prints.

    Python itself prints where a coroutine is not awaited, a generator fails while it is thrown away, and where warnings are
    asked for.
    """
    if type(function) is not FunctionType or sys.warnoptions or sys.flags.dev_mode:
        return False
    parts = [*_parts(function.__code__)]
    used = {name for part in parts for name in part.co_names}
    return (
        used <= _HARMLESS
        and used.isdisjoint(function.__globals__)
        and all(map(_is_python_s_own, used & _FUNCTION_NAMES))
        and all(map(_is_plain, parts))
    )


def _parts(code: CodeType) -> Iterator[CodeType]:
    """The code and that of all functions inside it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _parts(part)


def _is_python_s_own(name: str) -> bool:
    """Whether the function is what Python has by that name, and was not replaced."""
    found = getattr(builtins, name)
    return type(found) in (BuiltinFunctionType, type) and (found.__module__, found.__name__) == ("builtins", name)


def _is_plain(code: CodeType) -> bool:
    """Whether it imports nothing (modules may be called like a method), and is run whole where it is called."""
    if code.co_flags & (_COROUTINE | _ASYNC_GENERATOR):
        return False
    if code.co_flags & _GENERATOR and code.co_name != "<genexpr>":
        return False
    return opmap["IMPORT_NAME"] not in code.co_code[::2]
