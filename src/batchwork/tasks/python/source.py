"""The source of what Python tasks run: inline code checked for syntax, modules of functions found without importing them."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator, Sequence

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.tasks.python.names import name_bound, names_taken
from batchwork.text.jsontext import Json
from batchwork.text.python import CANNOT_PARSE, parsed
from batchwork.text.wording import visible


class InlineCode(Struct, frozen=True):
    """Inline code: its statements (none where it is not Python, which `syntax_problems` says) and the names it takes."""

    text: str
    body: Sequence[ast.stmt] = ()
    taken: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str) -> InlineCode:
        try:
            body = parsed(text).body
        except CANNOT_PARSE:
            return cls(text)
        return cls(text, body, frozenset(names_taken(body)))


def syntax_problems(code: str, place: Place, what: str, body: bool) -> Iterator[Problem]:
    """Where and why code is not Python. `body`: it becomes the body of a function, so it may `return`."""
    if not code.strip():
        yield Problem(place, f"`{what}` is empty")
        return
    try:
        _compiled(code, body)
    except SyntaxError as error:
        yield Problem(_place(place, error), f"syntax error in `{what}`: {error.msg}", _shown(code, error.lineno))
    except CANNOT_PARSE as error:
        yield Problem(place, f"`{what}` cannot be compiled: {error}")


def syntax_warnings(code: str, place: Place, what: str, body: bool) -> list[Problem]:
    """What Python finds strange in code, with the author's own lines."""
    try:
        found = dict.fromkeys((each.lineno, str(each.message)) for each in _compiled(code, body) if _tells(each))
    except CANNOT_PARSE:
        return []
    return [
        Problem(place.below(max(0, line - 1)), f"strange in `{what}`: {message}", _shown(code, line))
        for line, message in found
    ]


def _compiled(code: str, body: bool) -> list[warnings.WarningMessage]:
    """Compile code; what Python warns of. Raises what `CANNOT_PARSE` lists."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        tree = ast.parse(code, "code")
        if body:
            tree = _as_function(tree, code)
        compile(tree, "code", "exec", dont_inherit=True)
    return found


def _tells(warning: warnings.WarningMessage) -> bool:
    """Whether a warning is of the code; a wrong escape has been one of the other kind before Python 3.12."""
    return issubclass(warning.category, SyntaxWarning) or "escape sequence" in str(warning.message)


def without_result(body: Sequence[ast.stmt]) -> bool:
    """Whether code gives no result at all: it returns nothing, assigns nothing to `result`, and does not end in an error."""
    if not body or isinstance(body[-1], ast.Raise):
        return False
    own = [node for statement in body for node in _own_scope(statement)]
    if any(isinstance(node, ast.Return) and node.value is not None for node in own):
        return False
    return all(name_bound(node) != "result" for node in own)


def _own_scope(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is below it in the same scope."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _own_scope(child)


def _as_function(tree: ast.Module, code: str) -> ast.Module:
    """The statements as the body of a function, what is imported from `__future__` before it."""
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    rest = [node for node in tree.body if node not in future]
    function = ast.parse("def code(): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = rest or [ast.Pass(lineno=1, col_offset=0)]
    function.end_lineno = code.count("\n") + 1
    return ast.Module([*future, function], [])


def _place(place: Place, error: SyntaxError) -> Place:
    line = max(1, error.lineno or 1)
    return place.below(line - 1, max(0, (error.offset or 1) - 1))


def _shown(code: str, line: int | None) -> str:
    lines = code.split("\n")
    if line and line <= len(lines) and (text := lines[line - 1].strip()):
        return f"in `{visible(text[:100])}`"
    return ""


# ---------------------------------------------------------------- functions


class FunctionSource(Struct, frozen=True):
    """A function found in a file. `arguments` are its parameters' names, None where they are not to be seen there."""

    file: str
    digest: str
    arguments: frozenset[str] | None

    @property
    def identity(self) -> Json:
        """What tells one version of it from another."""
        return {"file": os.path.basename(self.file), "sha256": self.digest}


def find_function(path: str, folders: Sequence[str]) -> FunctionSource | None:
    """The source of `package.module:name` in one of `folders`; None where it is elsewhere (installed, built in)."""
    module, _, name = path.partition(":")
    stem = module.replace(".", os.sep)
    for folder in folders:
        for ending in (".py", os.sep + "__init__.py"):
            file = os.path.join(folder, stem + ending)
            try:
                with open(file, "rb") as source:
                    text = source.read()
            except OSError:
                continue
            import hashlib  # it loads a large library

            return FunctionSource(file, hashlib.sha256(text).hexdigest(), _arguments(text, name))
    return None


def _arguments(text: bytes, name: str) -> frozenset[str] | None:
    try:
        tree = parsed(text)
    except CANNOT_PARSE:
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return frozenset(part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg))
    return None
