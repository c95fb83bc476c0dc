"""The limit on what one template may go through: rounds of loops and macros, and elements that filters and `in` look at.

A template's syntax tree is changed so that it counts: the data of one item must not stop all others.
"""

from __future__ import annotations

from typing import Any, TypeVar

from jinja2 import nodes, pass_context
from jinja2.runtime import Context

from batchwork.errors import RenderError

ROUNDS_MAX = 1_000_000
"""Rounds that one value may take."""

_SHARE = 6
"""Elements that are gone through in C count as a sixty-fourth (2 to this power) of a round, as they cost about that."""
_KEY = "\0rounds"
"""Where the count stands in a context: a name that nobody can write."""
_STEP, _WEIGH = "\0step", "\0weigh"
_SIZED = (list, tuple, dict, str, range)

_Node = TypeVar("_Node", bound=nodes.Node)


class Rounds:
    """What is left of them."""

    def __init__(self) -> None:
        self.left = ROUNDS_MAX

    def take(self, count: int) -> None:
        """Raises RenderError when there are no more."""
        self.left -= count
        if self.left < 0:
            raise RenderError(
                f"the template goes through more than {ROUNDS_MAX:,} rounds for one value",
                "leave such work to a task, `python` for example",
            )


def with_rounds(names: dict[str, object]) -> dict[str, object]:
    """The variables of a context, with a count that begins anew."""
    names[_KEY] = Rounds()
    return names


def weigh(context: Context, value: Any) -> Any:
    """Count a value that is about to be gone through, and give it back."""
    if isinstance(value, _SIZED) and (share := len(value) >> _SHARE):
        context.parent[_KEY].take(share)
    return value


@pass_context
def _step(context: Context, value: object) -> object:
    context.parent[_KEY].take(1)
    return value


@pass_context
def _is_in(context: Context, value: object, whole: Any) -> bool:
    return value in weigh(context, whole)


COUNTING_FILTERS = {_STEP: _step, _WEIGH: pass_context(weigh)}
COUNTING_TESTS = {"in": _is_in}


def counting(tree: _Node) -> _Node:
    """The syntax tree, changed so that it counts."""
    for loop in _found(tree, nodes.For):
        if loop.test is not None:
            loop.test = nodes.And(_filtered(nodes.Const(True), _STEP, loop), loop.test, lineno=loop.lineno)
    blocks: list[nodes.For | nodes.Macro | nodes.CallBlock] = [*_found(tree, nodes.For), *_found(tree, nodes.Macro)]
    blocks += _found(tree, nodes.CallBlock)
    for block in blocks:
        block.body.insert(0, _counted_round(block))
    for operand in _found(tree, nodes.Operand):
        if operand.op in {"in", "notin"}:
            operand.expr = _filtered(operand.expr, _WEIGH, operand)
    for found in _found(tree, nodes.Filter):
        if found.node is not None and found.name not in COUNTING_FILTERS:  # without one it is a block's
            found.node = _filtered(found.node, _WEIGH, found)
    return tree


def _found(tree: nodes.Node, kind: type[_Node]) -> list[_Node]:
    return [*tree.find_all(kind)]


def _counted_round(node: nodes.Node) -> nodes.Stmt:
    return nodes.ExprStmt(_filtered(nodes.Const(None), _STEP, node), lineno=node.lineno)


def _filtered(value: nodes.Expr, name: str, beside: nodes.Node) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=beside.lineno, environment=beside.environment)
