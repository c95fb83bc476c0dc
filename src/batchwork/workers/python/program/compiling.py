"""Code from a workflow, compiled as the body of a function by its syntax tree, with the workflow's own file and lines."""

from __future__ import annotations

import ast
import builtins
import types

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Iterator, Mapping, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Code:
    """Code as it stands in a workflow: its first line is `line` of `file`."""

    def __init__(self, text: str, file: str, line: int) -> None:
        self.text, self.file, self.line = text, file, line

    def remember_lines(self) -> None:
        """Have tracebacks show the code without reading the file."""
        import linecache

        known = linecache.cache.get(self.file)
        lines: list[str] = []
        if known is not None and len(known) == 4 and known[1] is None:
            lines = list(known[2])
        written = [text + "\n" for text in self.text.split("\n")]
        start = self.line - 1
        lines += ["\n"] * (start + len(written) - len(lines))
        lines[start : start + len(written)] = written
        linecache.cache[self.file] = (sum(map(len, lines)), None, lines, self.file)

    def parse(self) -> ast.Module:
        """Its syntax tree, with the lines of the file. Raises SyntaxError."""
        self.remember_lines()
        try:
            tree = ast.parse(self.text, self.file)
        except SyntaxError as error:
            error.lineno = (error.lineno or 1) + self.line - 1
            end = getattr(error, "end_lineno", None)  # newer than 3.8
            if end:
                error.end_lineno = end + self.line - 1
            raise
        ast.increment_lineno(tree, self.line - 1)
        return tree


def run_setup(code: Code, module: types.ModuleType) -> None:
    """Run code that is run once; its names are then in the module."""
    exec(compile(code.parse(), code.file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  it is what the author wrote


def compile_body(code: Code, names: Sequence[str], fixed: Mapping[str, Any], module: types.ModuleType) -> Any:
    """Code as a function of `names`; the names in `fixed` are parameters too, with these values as defaults.

    `return` gives the result; at its end it is what was assigned to `result`, where the code assigns to it at all.
    """
    tree = code.parse()
    parameters = [*names, *fixed]
    shell = ast.parse(f"def code({', '.join(parameters)}):\n    pass")
    function = shell.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = _with_result(
        [node for node in tree.body if not _is_future(node)] or [ast.Pass(lineno=code.line, col_offset=0)], parameters
    )
    function.lineno, function.end_lineno = code.line, code.line + code.text.count("\n")
    shell.body = [*filter(_is_future, tree.body), function]
    outer = compile(shell, code.file, "exec", dont_inherit=True)
    inner = next(part for part in outer.co_consts if isinstance(part, types.CodeType) and part.co_name == "code")
    module.__dict__.setdefault("__builtins__", builtins)  # what C code imports with, so psycopg2 and its like need it
    return types.FunctionType(inner, module.__dict__, "code", tuple(fixed.values()) or None)


def _with_result(body: list[ast.stmt], parameters: Sequence[str]) -> list[ast.stmt]:
    """Statements that give what they assign to `result`, where they do."""
    if not assigns(body, "result"):
        return body
    first = [] if "result" in parameters else ast.parse("result = None").body
    return [*first, *body, *ast.parse("return result").body]


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level


def assigns(body: Sequence[ast.AST], name: str) -> bool:
    """Whether these statements bind `name` in their own scope."""
    return any(_binds(node, name) for statement in body for node in _own_scope(statement))


def _own_scope(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, _SCOPES):
        for child in ast.iter_child_nodes(node):
            yield from _own_scope(child)


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Name):
        return node.id == name and isinstance(node.ctx, ast.Store)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.name == name
    if isinstance(node, ast.alias):
        return (node.asname or node.name.partition(".")[0]) == name
    return isinstance(node, ast.ExceptHandler) and node.name == name
