"""What inline code takes from `steps`: told from its syntax tree, never by running it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchwork.text.python import CANNOT_PARSE, parsed

if TYPE_CHECKING:
    import ast


def steps_used(code: str) -> tuple[dict[str, int], bool]:
    """The steps that the code names as `steps.NAME` or `steps["NAME"]`, with the line (from 1), and whether it takes others too."""
    if "steps" not in code:
        return {}, False
    import ast

    try:
        tree = parsed(code)
    except CANNOT_PARSE:
        return {}, False
    uses = sum(isinstance(node, ast.Name) and node.id == "steps" for node in ast.walk(tree))
    named = [*_steps_named(tree)]
    found: dict[str, int] = {}
    for step, line in named:
        found.setdefault(step, line)
    return found, uses > len(named)


def _steps_named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    import ast

    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Subscript):
            continue
        if not isinstance(node.value, ast.Name) or node.value.id != "steps":
            continue
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node.slice, ast.Constant):
            yield str(node.slice.value), node.lineno
