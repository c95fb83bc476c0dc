"""What a Python task gets as `item` where `each` is not written: told from its code, which is parsed and never run."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from batchwork.errors import Place
from batchwork.text.jsontext import Json
from batchwork.text.python import CANNOT_PARSE, parsed

_PASS_ON = frozenset({"enumerate", "zip", "reversed", "sorted", "iter", "list", "tuple", "map", "filter", "tqdm"})
"""Calls that iterate over their arguments, when they themselves are iterated over."""
_OF_ONE_ARGUMENT = frozenset({"min", "max"})
"""Calls that go through their argument only where it is the only one."""
_TAKE_ALL = (_PASS_ON - {"tqdm"}) | _OF_ONE_ARGUMENT | {"sum", "any", "all", "set", "frozenset"}


def takes_batch(code: str, names: Collection[str]) -> int | None:
    """The line (from 1) at which the code iterates over one of `names`, or takes its length; None if nowhere, or no Python.

    A name that the code itself binds is not the one that is meant.
    """
    if not any(name in code for name in names):
        return None
    try:
        tree = parsed(code)
    except CANNOT_PARSE:
        return None
    meant = frozenset(names) - set(_bound(tree))
    lines = [line for node in ast.walk(tree) if (line := _line(node, meant)) is not None]
    return min(lines, default=None)


def unclear_call(code: str, names: Collection[str]) -> tuple[int, str] | None:
    """The line (from 1) at which the code gives one of `names` whole to `sum`, `sorted`, `map` …, and to which; None if nowhere.

    Such calls take an item that is a list as well as the list of a batch, so that they tell nothing.
    """
    if not any(name in code for name in names):
        return None
    try:
        tree = parsed(code)
    except CANNOT_PARSE:
        return None
    bound = set(_bound(tree))
    calls = [
        (node.lineno, node.func.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in bound
        if _takes_all(node, node.func.id, frozenset(names) - bound)
    ]
    return min(calls, default=None)


def _takes_all(call: ast.Call, function: str, meant: frozenset[str]) -> bool:
    """Whether a call goes through all of an argument that is meant."""
    if function in _OF_ONE_ARGUMENT and len(call.args) != 1:
        return False
    whole = [argument.id for argument in call.args if isinstance(argument, ast.Name)]
    return function in _TAKE_ALL and not meant.isdisjoint(whole)


def unclear_each(item: Json, index: int, place: Place) -> tuple[str, str]:
    """What is wrong, and what to do, where `each: batch` was told from the code at `place` and an item is a list or a text."""
    kind = "a list" if isinstance(item, list) else "a text"
    message = (
        f"`each` is needed: item {index} (from 0) is {kind}, and line {place.line} of {place.file} iterates over `item` "
        "or takes its length, which may mean the item or the batch"
    )
    return message, "write `each: item` if it means one item, `each: batch` if it means the list of a batch's items"


def _bound(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _line(node: ast.AST, meant: frozenset[str]) -> int | None:
    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)) and _is_iterated(node.iter, meant):
        return node.iter.lineno
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        names = [argument.id for argument in node.args if isinstance(argument, ast.Name)]
        if len(node.args) == 1 and not meant.isdisjoint(names):
            return node.lineno
    return None


def _is_iterated(node: ast.expr, meant: Collection[str]) -> bool:
    """Whether iterating over `node` iterates over a name that is meant."""
    if isinstance(node, ast.Name):
        return node.id in meant
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PASS_ON:
        return any(_is_iterated(argument, meant) for argument in node.args)
    return False
