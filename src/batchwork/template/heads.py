"""What a file writes itself at the beginning of an expression's value: literals, marked so that they are known again. No rendering.

A value that begins with a `-` may have it from the file (`{{ '-l' if long else '-a' }}`) or from the data. Where both are
possible the expression is evaluated a second time with HEAD before each literal that its value may begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jinja2 import nodes

from batchwork.template.expression import HEAD
from batchwork.template.rounds import COUNTING_FILTERS

_KEEP_THE_HEAD = frozenset(("default", "d", "join", "format", "string", "lower", "upper", "trim", "list"))
"""Filters whose result begins as what they are applied to."""


def mark_heads(node: nodes.Node) -> bool:
    """Put HEAD before each literal with a leading `-` that the value of `node` may begin with; whether there are any."""
    found = False
    for leaf in _leaves(node):
        if isinstance(leaf, nodes.Const) and isinstance(leaf.value, str) and leaf.value.startswith("-"):
            leaf.value = HEAD + leaf.value
            found = True
        elif isinstance(leaf, nodes.TemplateData) and leaf.data.startswith("-"):
            leaf.data = HEAD + leaf.data
            found = True
    return found


def mark_texts(tree: nodes.Node) -> bool:
    """The same for a text with statements, whose value begins with what is put out first."""
    return sum([mark_heads(part) for output in tree.find_all(nodes.Output) for part in output.nodes]) > 0


def _leaves(node: nodes.Node | None) -> Iterator[nodes.Node]:
    """The parts of an expression that its value, or an element of it, may begin with."""
    if node is None:
        return
    below = _BELOW.get(type(node))
    if below is None:
        yield node
        return
    for part in below(node):
        yield from _leaves(part)


def _of_filter(node: nodes.Filter) -> Iterator[nodes.Node | None]:
    if node.name in _KEEP_THE_HEAD or node.name in COUNTING_FILTERS:
        yield node.node
    if node.name in ("default", "d"):
        yield from node.args


def _of_call(node: nodes.Call) -> Iterator[nodes.Node]:
    """`'--size={}'.format(n)`."""
    if isinstance(node.node, nodes.Getattr) and node.node.attr == "format":
        yield node.node.node


_BELOW: Mapping[type, Callable[..., Iterator[nodes.Node | None]]] = {
    nodes.CondExpr: lambda node: iter((node.expr1, node.expr2)),
    nodes.Or: lambda node: iter((node.left, node.right)),
    nodes.And: lambda node: iter((node.left, node.right)),
    nodes.Add: lambda node: iter((node.left, node.right)),
    nodes.Mod: lambda node: iter((node.left,)),
    nodes.Concat: lambda node: iter(node.nodes),
    nodes.List: lambda node: iter(node.items),
    nodes.Tuple: lambda node: iter(node.items),
    nodes.Dict: lambda node: (pair.value for pair in node.items),
    nodes.Getitem: lambda node: iter((node.node,)),
    nodes.Filter: _of_filter,
    nodes.Call: _of_call,
}
