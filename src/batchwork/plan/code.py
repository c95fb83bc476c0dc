"""What inline code takes from `steps`: told from its syntax tree, never by running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast


def steps_used(code: str) -> tuple[dict[str, int], bool]:
    """The steps that the code names as `steps.NAME` or `steps["NAME"]`, with the line (from 1), and whether it takes others too."""
    if "steps" not in code:
        return {}, False
    import ast

    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}, False
    found: dict[str, int] = {}
    named: set[ast.expr] = set()
    uses: list[ast.Name] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "steps":
            uses.append(node)
        elif isinstance(node, ast.Attribute) and _is_steps(node.value):
            found.setdefault(node.attr, node.lineno)
            named.add(node.value)
        elif isinstance(node, ast.Subscript) and _is_steps(node.value) and isinstance(node.slice, ast.Constant):
            found.setdefault(str(node.slice.value), node.lineno)
            named.add(node.value)
    return found, any(node not in named for node in uses)


def _is_steps(node: ast.expr) -> bool:
    import ast

    return isinstance(node, ast.Name) and node.id == "steps"
