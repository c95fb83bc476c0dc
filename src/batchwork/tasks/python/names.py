"""Which names a piece of Python code takes from outside, told from its syntax tree. Nothing is run, nothing imported."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any


def names_taken(body: Sequence[ast.stmt]) -> set[str]:
    """Names that the statements, as a function's body, read where they may not have bound them before.

    In doubt a name counts: one that is bound in only one branch may still be meant from outside.
    """
    reader = _Reader()
    reader.block(body, frozenset())
    return reader.taken


def names_bound(body: Iterable[ast.AST]) -> set[str]:
    """Names that the statements bind anywhere, in whatever scope."""
    nodes = (node for statement in body for node in ast.walk(statement))
    return {name for node in nodes if (name := name_bound(node))}


def name_bound(node: ast.AST) -> str | None:
    """The name that a node binds, if it does."""
    binder = _BINDERS.get(type(node))
    return binder and binder(node)


_named = attrgetter("name")
_BINDERS: Mapping[type[ast.AST], Callable[[Any], str | None]] = {
    ast.Name: lambda node: node.id if not isinstance(node.ctx, ast.Load) else None,
    ast.arg: attrgetter("arg"),
    ast.alias: lambda node: node.asname or node.name.partition(".")[0],
    ast.MatchMapping: attrgetter("rest"),
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), _named),
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar), _named),
}
"""The name that a node binds, by its kind."""


class _Reader:
    """Goes through statements in their order, knowing what is certainly bound."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def block(self, body: Iterable[ast.stmt], bound: frozenset[str]) -> frozenset[str]:
        for statement in body:
            way = _WAYS.get(type(statement), _Reader._simple)
            bound = way(self, statement, bound)
        return bound

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, bound: frozenset[str]) -> frozenset[str]:
        outside = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        self._expressions(outside, bound)
        self.block(node.body, bound | names_bound(node.body) | _arguments(node.args) | {node.name})
        return bound | {node.name}

    def _class(self, node: ast.ClassDef, bound: frozenset[str]) -> frozenset[str]:
        self._expressions([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)], bound)
        self.block(node.body, bound)
        return bound | {node.name}

    def _if(self, node: ast.If, bound: frozenset[str]) -> frozenset[str]:
        self._expressions([node.test], bound)
        return self.block(node.body, bound) & self.block(node.orelse, bound)

    def _for(self, node: ast.For | ast.AsyncFor, bound: frozenset[str]) -> frozenset[str]:
        self._expressions([node.iter], bound)
        self.block(node.body, self._targets([node.target], bound))
        self.block(node.orelse, bound)
        return bound

    def _while(self, node: ast.While, bound: frozenset[str]) -> frozenset[str]:
        self._expressions([node.test], bound)
        self.block(node.body, bound)
        self.block(node.orelse, bound)
        return bound

    def _with(self, node: ast.With | ast.AsyncWith, bound: frozenset[str]) -> frozenset[str]:
        for item in node.items:
            self._expressions([item.context_expr], bound)
            bound = self._targets(filter(None, [item.optional_vars]), bound)
        return self.block(node.body, bound)

    def _try(self, node: ast.Try | ast.TryStar, bound: frozenset[str]) -> frozenset[str]:
        after = self.block(node.body, bound)
        for handler in node.handlers:
            self._expressions(filter(None, [handler.type]), bound)
            self.block(handler.body, bound | set(filter(None, [handler.name])))
        self.block(node.orelse, after)
        final = self.block(node.finalbody, bound)
        if not node.handlers:
            final |= after
        return final

    def _match(self, node: ast.Match, bound: frozenset[str]) -> frozenset[str]:
        self._expressions([node.subject], bound)
        for case in node.cases:
            inside = bound | names_bound([case.pattern])
            self._expressions(filter(None, [case.guard]), inside)
            self.block(case.body, inside)
        return bound

    def _import(self, node: ast.Import | ast.ImportFrom, bound: frozenset[str]) -> frozenset[str]:
        return bound | {alias.asname or alias.name.partition(".")[0] for alias in node.names}

    def _assignment(self, node: ast.Assign, bound: frozenset[str]) -> frozenset[str]:
        self._expressions([node.value], bound)
        return self._targets(node.targets, bound | _walrus([node.value]))

    def _annotated(self, node: ast.AnnAssign, bound: frozenset[str]) -> frozenset[str]:
        if node.value is None:
            return bound
        self._expressions([node.value], bound)
        return self._targets([node.target], bound)

    def _changed(self, node: ast.AugAssign, bound: frozenset[str]) -> frozenset[str]:
        self._expressions([node.value], bound)
        if isinstance(node.target, ast.Name) and node.target.id not in bound:
            self.taken.add(node.target.id)
        return self._targets([node.target], bound)

    def _declared(self, node: ast.Global | ast.Nonlocal, bound: frozenset[str]) -> frozenset[str]:
        self.taken |= {*node.names} - bound
        return bound

    def _simple(self, node: ast.stmt, bound: frozenset[str]) -> frozenset[str]:
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        self._expressions(parts, bound)
        return bound | _walrus(parts)

    def _targets(self, targets: Iterable[ast.expr], bound: frozenset[str]) -> frozenset[str]:
        """Bind names; what stands in `a.b = …` or `a[b] = …` is read."""
        names: set[str] = set()
        for target in targets:
            self._expressions([target], bound)
            inside = [node for node in ast.walk(target) if isinstance(node, ast.Name)]
            names |= {node.id for node in inside if isinstance(node.ctx, ast.Store)}
        return bound | names

    def _expressions(self, nodes: Iterable[ast.AST], bound: frozenset[str]) -> None:
        for node in nodes:
            match node:
                case ast.Name():
                    if isinstance(node.ctx, ast.Load | ast.Del) and node.id not in bound:
                        self.taken.add(node.id)
                case ast.Lambda():
                    self._expressions([*node.args.defaults, *filter(None, node.args.kw_defaults)], bound)
                    self._expressions([node.body], bound | _arguments(node.args))
                case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                    self._comprehension(node, bound)
                case _:
                    self._expressions(ast.iter_child_nodes(node), bound | _walrus([node]))

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, bound: frozenset[str]
    ) -> None:
        for part in node.generators:
            self._expressions([part.iter], bound)
            bound = self._targets([part.target], bound)
            self._expressions(part.ifs, bound)
        made = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        self._expressions(made, bound)


def _walrus(nodes: Iterable[ast.AST]) -> set[str]:
    """Names bound by `:=` right here."""
    return {node.target.id for node in nodes if isinstance(node, ast.NamedExpr)}


def _arguments(arguments: ast.arguments) -> set[str]:
    return {node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg)}


_WAYS: Mapping[type[ast.stmt], Callable[[_Reader, Any, frozenset[str]], frozenset[str]]] = {
    ast.FunctionDef: _Reader._function,
    ast.AsyncFunctionDef: _Reader._function,
    ast.ClassDef: _Reader._class,
    ast.If: _Reader._if,
    ast.For: _Reader._for,
    ast.AsyncFor: _Reader._for,
    ast.While: _Reader._while,
    ast.With: _Reader._with,
    ast.AsyncWith: _Reader._with,
    ast.Try: _Reader._try,
    ast.TryStar: _Reader._try,
    ast.Match: _Reader._match,
    ast.Import: _Reader._import,
    ast.ImportFrom: _Reader._import,
    ast.Assign: _Reader._assignment,
    ast.AnnAssign: _Reader._annotated,
    ast.AugAssign: _Reader._changed,
    ast.Global: _Reader._declared,
    ast.Nonlocal: _Reader._declared,
}
"""How each kind of statement is read, where it is more than its expressions."""
