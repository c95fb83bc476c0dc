"""Code from a workflow, compiled as the body of a function by its syntax tree, with the workflow's own file and lines."""

from __future__ import annotations

import ast
import builtins
import types

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Iterator, Mapping, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def remember_lines(file: str, line: int, code: str) -> None:
    """Have tracebacks show `code`, whose first line is `line` of `file`, without reading the file."""
    import linecache

    known = linecache.cache.get(file)
    lines: list[str] = list(known[2]) if known is not None and len(known) == 4 and known[1] is None else []
    written = [text + "\n" for text in code.split("\n")]
    lines += ["\n"] * (line - 1 + len(written) - len(lines))
    lines[line - 1 : line - 1 + len(written)] = written
    linecache.cache[file] = (sum(map(len, lines)), None, lines, file)


def run_setup(code: str, file: str, line: int, module: types.ModuleType) -> None:
    """Run code that is run once; its names are then in the module."""
    remember_lines(file, line, code)
    tree = _parse(code, file, line)
    exec(compile(tree, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  it is what the author wrote


def compile_body(
    code: str, file: str, line: int, names: Sequence[str], fixed: Mapping[str, Any], module: types.ModuleType
) -> Any:
    """`code` as a function of `names`; the names in `fixed` are parameters too, with these values as defaults.

    `return` gives the result; at its end it is what was assigned to `result`, where the code assigns to it at all.
    """
    remember_lines(file, line, code)
    tree = _parse(code, file, line)
    body = tree.body
    future = [node for node in body if _is_future(node)]
    body = [node for node in body if not _is_future(node)] or [ast.Pass(lineno=line, col_offset=0)]
    parameters = [*names, *fixed]
    shell = ast.parse(f"def code({', '.join(parameters)}):\n    pass")
    if assigns(body, "result"):
        if "result" not in parameters:
            body = [*ast.parse("result = None").body, *body]
        body = [*body, *ast.parse("return result").body]
    function = shell.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = body
    function.lineno, function.end_lineno = line, line + code.count("\n")
    shell.body = [*future, function]
    outer = compile(shell, file, "exec", dont_inherit=True)
    inner = next(part for part in outer.co_consts if isinstance(part, types.CodeType) and part.co_name == "code")
    module.__dict__.setdefault("__builtins__", builtins)  # what C code imports with, so psycopg2 and its like need it
    return types.FunctionType(inner, module.__dict__, "code", tuple(fixed.values()) or None)


def _parse(code: str, file: str, line: int) -> ast.Module:
    try:
        tree = ast.parse(code, file)
    except SyntaxError as error:
        error.lineno = (error.lineno or 1) + line - 1
        end = getattr(error, "end_lineno", None)  # newer than 3.8
        if end:
            error.end_lineno = end + line - 1
        raise
    ast.increment_lineno(tree, line - 1)
    return tree


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
