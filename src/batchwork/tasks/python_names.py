"""Which names a piece of Python code takes from outside, told from its syntax tree. Nothing is run, nothing imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

Bound = frozenset[str]


def names_taken(body: Sequence[ast.stmt]) -> set[str]:
    """Names that the statements, as a function's body, read where they may not have bound them before.

    In doubt a name counts: one that is bound in only one branch may still be meant from outside.
    """
    reader = _Reader()
    reader.block(body, frozenset())
    return reader.taken


def names_bound(body: Iterable[ast.AST]) -> set[str]:
    """Names that the statements bind anywhere, in whatever scope."""
    found: set[str] = set()
    for node in (each for statement in body for each in ast.walk(statement)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
    return found


class _Reader:
    """Goes through statements in their order, knowing what is certainly bound."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def block(self, body: Iterable[ast.stmt], bound: Bound) -> Bound:
        for statement in body:
            bound = self._statement(statement, bound)
        return bound

    def _statement(self, node: ast.stmt, bound: Bound) -> Bound:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                outside = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
                self._expressions(outside, bound)
                self.block(node.body, bound | names_bound(node.body) | _arguments(node.args) | {node.name})
                return bound | {node.name}
            case ast.ClassDef():
                self._expressions([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)], bound)
                self.block(node.body, bound)
                return bound | {node.name}
            case ast.If():
                self._expressions([node.test], bound)
                return self.block(node.body, bound) & self.block(node.orelse, bound)
            case ast.For() | ast.AsyncFor():
                self._expressions([node.iter], bound)
                inside = self._targets([node.target], bound)
                self.block(node.body, inside)
                self.block(node.orelse, bound)
                return bound
            case ast.While():
                self._expressions([node.test], bound)
                self.block(node.body, bound)
                self.block(node.orelse, bound)
                return bound
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._expressions([item.context_expr], bound)
                    bound = self._targets([item.optional_vars] if item.optional_vars else [], bound)
                return self.block(node.body, bound)
            case ast.Try() | ast.TryStar():
                return self._try(node, bound)
            case ast.Match():
                self._expressions([node.subject], bound)
                for case in node.cases:
                    inside = bound | names_bound([case.pattern])
                    self._expressions([case.guard] if case.guard else [], inside)
                    self.block(case.body, inside)
                return bound
            case ast.Import() | ast.ImportFrom():
                return bound | {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            case _:
                return self._simple(node, bound)

    def _try(self, node: ast.Try | ast.TryStar, bound: Bound) -> Bound:
        after = self.block(node.body, bound)
        for handler in node.handlers:
            self._expressions([handler.type] if handler.type else [], bound)
            self.block(handler.body, bound | ({handler.name} if handler.name else set()))
        self.block(node.orelse, after)
        final = self.block(node.finalbody, bound)
        return final if node.handlers else after | final

    def _simple(self, node: ast.stmt, bound: Bound) -> Bound:
        match node:
            case ast.Assign():
                self._expressions([node.value], bound)
                return self._targets(node.targets, bound | _walrus([node.value]))
            case ast.AnnAssign():
                self._expressions([node.value] if node.value else [], bound)
                return self._targets([node.target], bound) if node.value else bound
            case ast.AugAssign():
                self._expressions([node.value], bound)
                if isinstance(node.target, ast.Name) and node.target.id not in bound:
                    self.taken.add(node.target.id)
                return self._targets([node.target], bound)
            case ast.Global() | ast.Nonlocal():
                self.taken.update(name for name in node.names if name not in bound)
                return bound
            case _:
                parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
                self._expressions(parts, bound)
                return bound | _walrus(parts)

    def _targets(self, targets: Iterable[ast.expr], bound: Bound) -> Bound:
        """Bind names; what stands in `a.b = …` or `a[b] = …` is read."""
        names: set[str] = set()
        for target in targets:
            self._expressions([target], bound)
            names |= {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and _stores(node)}
        return bound | names

    def _expressions(self, nodes: Iterable[ast.AST], bound: Bound) -> None:
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

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, bound: Bound) -> None:
        for part in node.generators:
            self._expressions([part.iter], bound)
            bound = self._targets([part.target], bound)
            self._expressions(part.ifs, bound)
        self._expressions([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], bound)


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _walrus(nodes: Iterable[ast.AST]) -> set[str]:
    """Names bound by `:=` right here."""
    return {node.target.id for node in nodes if isinstance(node, ast.NamedExpr)}


def _arguments(arguments: ast.arguments) -> set[str]:
    return {node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg)}
