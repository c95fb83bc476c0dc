"""What an expression says of an item's columns, as far as it is simple: comparisons with constants, `in`, tests for null, `and`, `or`, `not`.

A part that is anything else is Unclear; what stands around it still says something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jinja2 import nodes

from batchwork.errors import RenderError
from batchwork.ports import Scope
from batchwork.ports.conditions import (
    Both,
    Compared,
    Comparison,
    Condition,
    Constant,
    Either,
    IsNull,
    IsTrue,
    OneOf,
    Opposite,
    Unclear,
)
from batchwork.template.compile import Template
from batchwork.template.expression import Expression
from batchwork.template.jinja import parsed
from batchwork.template.lookup import take
from batchwork.template.sandbox import sandboxed

ITEM: Final = "item"
_PARAMETERS: Final = frozenset({"params", "args"})
_CONSTANTS: Final = frozenset({str, int, float, bool})
_TURNED: Final[Mapping[Comparison, Comparison]] = {
    "eq": "eq",
    "ne": "ne",
    "lt": "gt",
    "lteq": "gteq",
    "gt": "lt",
    "gteq": "lteq",
}


def condition_of(template: Template, scope: Scope) -> Condition:
    """What the template says of `item`; parameters stand for their values in `scope`."""
    part = template.parts[0] if template.lone else ""
    if not isinstance(part, Expression) or part.mark:
        return Unclear()
    return _Reader(scope).condition(parsed(sandboxed(), part.source))


class _Reader:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def condition(self, node: nodes.Node | None) -> Condition:
        """What one expression says."""
        match node:
            case nodes.And():
                return Both(self.condition(node.left), self.condition(node.right))
            case nodes.Or():
                return Either(self.condition(node.left), self.condition(node.right))
            case nodes.Not():
                return Opposite(self.condition(node.node))
            case nodes.Compare():
                return self._chain(node)
            case nodes.Test(name="none"):
                column = _column(node.node)
                return Unclear() if column is None else IsNull(column)
            case _:
                column = _column(node)
                return Unclear() if column is None else IsTrue(column)

    def _chain(self, node: nodes.Compare) -> Condition:
        """`a < b < c` is `a < b and b < c`."""
        left: nodes.Node = node.expr
        found: Condition | None = None
        for operand in node.ops:
            one = self._compared(left, operand.op, operand.expr)
            found = one if found is None else Both(found, one)
            left = operand.expr
        return found or Unclear()

    def _compared(self, left: nodes.Node, how: str, right: nodes.Node) -> Condition:
        column = _column(left)
        if how in ("in", "notin"):
            among = None if column is None else self._one_of(column, right)
            if among is None:
                return Unclear()
            return among if how == "in" else Opposite(among)
        comparison: Comparison = how  # type: ignore[assignment]  # these are all that Jinja2 has beside the two
        if column is None:
            column, comparison, right = _column(right), _TURNED[comparison], left
        constant = self._constant(right)
        return Unclear() if column is None or constant is None else Compared(column, comparison, constant)

    def _one_of(self, column: str, right: nodes.Node) -> OneOf | None:
        if not isinstance(right, nodes.List | nodes.Tuple):
            return None
        constants = [constant for constant in map(self._constant, right.items) if constant is not None]
        return OneOf(column, tuple(constants)) if len(constants) == len(right.items) else None

    def _constant(self, node: nodes.Node) -> Constant | None:
        """A text, number or truth value that is the same for all items."""
        value: object = None
        match node:
            case nodes.Const():
                value = node.value
            case nodes.Neg(node=nodes.Const() as inner) if type(inner.value) in (int, float):
                value = -inner.value
            case nodes.Name():
                value = None if node.name == ITEM else self._scope.get(node.name)
            case nodes.Getattr(node=nodes.Name() as root) if root.name in _PARAMETERS:
                value = self._parameter(root.name, node.attr)
        return value if type(value) in _CONSTANTS else None  # type: ignore[return-value]

    def _parameter(self, root: str, name: str) -> object:
        try:
            return take(self._scope.get(root), name)
        except RenderError:
            return None


def _column(node: nodes.Node | None) -> str | None:
    """The column where it is `item.NAME` or `item["NAME"]`."""
    name: object = None
    match node:
        case nodes.Getattr(node=nodes.Name(name="item")):
            name = node.attr
        case nodes.Getitem(node=nodes.Name(name="item"), arg=nodes.Const() as key):
            name = key.value
    return name if isinstance(name, str) and not name.startswith("_") else None
