"""Expressions and statements that need Jinja2, compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from jinja2 import Template, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError, TemplateAssertionError, UndefinedError
from jinja2.meta import find_undeclared_variables
from jinja2.parser import Parser
from msgspec import Struct

from batchwork.errors import BatchworkError, Place, Problem, RenderError, WorkflowError
from batchwork.ports import Scope
from batchwork.template.expression import MARKS, Expression, Uses
from batchwork.template.forms import settled
from batchwork.template.heads import mark_heads, mark_texts
from batchwork.template.lookup import Path, unknown_name
from batchwork.template.rounds import counting, with_rounds
from batchwork.template.sandbox import Sandbox, sandboxed
from batchwork.template.split import LITERAL
from batchwork.text.spelling import suggest

_GUARDS = frozenset(("default", "d"))
_Node = TypeVar("_Node", bound=nodes.Node)


def compile_general(source: str, place: Place) -> Expression:
    """Compile any expression. Raises WorkflowError."""
    sandbox = sandboxed()
    try:
        node = parsed(sandbox, source)
        core, mark = _unmarked(node, source, place)
        body = [nodes.Assign(nodes.Name("result", "store"), core, lineno=1)]
        names = {name.name for name in _all(core, nodes.Name) if name.ctx == "load"}
        roots = frozenset(names - sandbox.globals.keys())
        uses = Uses(roots, roots - _guarded(core), frozenset(_paths(core)))
        filters = _filters(node)
        template = sandbox.from_string(counting(nodes.Template(body, lineno=1)))
        twin = _twin(sandbox, core)
    except TemplateSyntaxError as error:
        raise _wrong(error, place, source) from None
    except (RecursionError, MemoryError):
        raise WorkflowError([Problem(place, "the template is nested too deeply")]) from None
    return Expression(
        source=source,
        place=place,
        core=_core_text(source, mark),
        mark=mark,
        filters=filters,
        uses=uses,
        evaluate=_evaluating(template, tuple(names), uses.needs),
        marked=_evaluating(twin, tuple(names), uses.needs) if twin else None,
    )


def _twin(sandbox: Sandbox, core: nodes.Expr) -> Template | None:
    """The expression with what the file itself writes at its beginning marked; None where there is nothing of the kind."""
    if not mark_heads(core):
        return None
    return sandbox.from_string(nodes.Template([nodes.Assign(nodes.Name("result", "store"), core, lineno=1)], lineno=1))


def parsed(sandbox: Sandbox, source: str) -> nodes.Expr:
    if not source:
        raise TemplateSyntaxError("there is nothing between {{ and }}", 1)
    parser = Parser(sandbox, source, state="variable")
    node = parser.parse_expression()
    if not parser.stream.eos:
        token = parser.stream.current
        raise TemplateSyntaxError(f"unexpected {token.value!r} after the expression", token.lineno)
    node.set_environment(sandbox)
    return node


def _unmarked(node: nodes.Expr, source: str, place: Place) -> tuple[nodes.Expr, str]:
    core, mark = node, ""
    if isinstance(node, nodes.Filter) and node.name in MARKS and node.node is not None:
        core, mark = node.node, node.name
    for inner in _all(core, nodes.Filter):
        if inner.name in MARKS:
            problem = f"`| {inner.name}` must be the last filter of a template, and apply to the whole of it"
            raise WorkflowError([Problem(place, problem, f"in `{{{{ {source} }}}}`")])
    return core, mark


def _core_text(source: str, mark: str) -> str:
    if not mark:
        return source
    return source.rpartition("|")[0].strip()


def _filters(node: nodes.Node) -> tuple[str, ...]:
    names: list[str] = []
    while isinstance(node, nodes.Filter) and node.node is not None:
        names.append(node.name)
        node = node.node
    return tuple(reversed(names))


def _all(node: nodes.Node, kind: type[_Node]) -> list[_Node]:
    own = [node] if isinstance(node, kind) else []
    return own + list(node.find_all(kind))


def _guarded(node: nodes.Node) -> frozenset[str]:
    """Names whose absence the expression provides for."""
    guarded = {f.node.name for f in _all(node, nodes.Filter) if f.name in _GUARDS and isinstance(f.node, nodes.Name)}
    for test in _all(node, nodes.Test):
        if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name):
            guarded.add(test.node.name)
    return frozenset(guarded)


def _paths(node: nodes.Node) -> Iterator[Path]:
    path: list[str | int] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            path.append(node.attr)
        elif (
            isinstance(node, nodes.Getitem)
            and isinstance(node.arg, nodes.Const)
            and isinstance(node.arg.value, str | int)
        ):
            path.append(node.arg.value)
        else:
            for child in node.iter_child_nodes():
                yield from _paths(child)
            return
        node = node.node
    if node.ctx == "load":
        yield (node.name, *reversed(path))


def _evaluating(template: Template, names: tuple[str, ...], needs: frozenset[str]) -> Callable[[Scope], object]:
    render, new_context = template.root_render_func, template.new_context

    def evaluate(scope: Scope) -> object:
        _need(needs, scope)
        context = new_context(with_rounds({name: scope[name] for name in names if name in scope}))
        with _explaining():
            for _ in render(context):
                pass
            value = settled(context.vars["result"])
            if _insist(value):
                return _defined(value)
            return value

    return evaluate


def _insist(value: object) -> bool:
    """Undefined, also inside of lists and mappings, is an error that says what is not there.

    Whether there is the other kind of it, which `a if b` without `else` gives: as everywhere in Jinja2, an empty text.
    """
    if isinstance(value, Undefined):
        str(value)
        return True
    if isinstance(value, list | tuple):
        return sum(map(_insist, value)) > 0
    return type(value) is dict and sum(map(_insist, value.values())) > 0


def _defined(value: object) -> object:
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, list | tuple):
        return [*map(_defined, value)]
    if type(value) is dict:
        return {name: _defined(part) for name, part in value.items()}
    return value


def _need(needs: frozenset[str], scope: Scope) -> None:
    for name in needs:
        if name not in scope:
            raise unknown_name(name, scope)


class _explaining:  # noqa: N801  (reads as a statement)
    """Turns whatever an author's expression raises into a RenderError."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, BatchworkError) or not isinstance(error, Exception):
            return
        if isinstance(error, UndefinedError):
            raise RenderError(error.message or "undefined") from None
        if isinstance(error, SecurityError):
            raise RenderError(f"not allowed in a template: {error}") from None
        if isinstance(error, RecursionError):
            raise RenderError("the value is nested too deeply, or the template calls itself") from None
        said = error.message if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
        raise RenderError(said or type(error).__name__) from None


class Statements(Struct, frozen=True):
    """A text with `{% %}` in it, compiled. `marked` renders with what the file itself writes at the beginning marked."""

    uses: Uses
    render: Callable[[Scope], str]
    marked: Callable[[Scope], str] | None


def compile_statements(text: str, place: Place, place_of_line: Callable[[int], Place]) -> Statements:
    """Compile a text with `{% %}` in it. Raises WorkflowError."""
    sandbox = sandboxed()
    try:
        tree = sandbox.parse(text)
        for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends):
            for node in _all(tree, kind):
                raise TemplateSyntaxError("a workflow's templates cannot load other files", node.lineno)
        roots = frozenset(find_undeclared_variables(tree))
        needs = roots - _guarded(tree)
        paths = frozenset(path for path in _paths(tree) if path[0] in roots)
        template = sandbox.from_string(counting(tree))
        twin = sandbox.from_string(tree) if mark_texts(tree) else None
    except TemplateSyntaxError as error:
        raise _wrong(error, place_of_line(error.lineno), text) from None
    except (RecursionError, MemoryError):
        raise WorkflowError([Problem(place, "the template is nested too deeply")]) from None
    names = tuple(roots | sandbox.globals.keys())
    uses = Uses(roots, needs, paths)
    marked = _rendering(twin, names, needs) if twin else None
    return Statements(uses, _rendering(template, names, needs), marked)


def _rendering(template: Template, names: tuple[str, ...], needs: frozenset[str]) -> Callable[[Scope], str]:
    def render(scope: Scope) -> str:
        _need(needs, scope)
        context = template.new_context(with_rounds({name: scope[name] for name in names if name in scope}))
        with _explaining():
            return "".join(template.root_render_func(context))

    return render


def _wrong(error: TemplateSyntaxError, place: Place, source: str) -> WorkflowError:
    message = error.message or "unknown"
    hint = LITERAL
    if "{%" in source:
        hint = LITERAL.replace("{{`", "{%`").replace("'{{'", "'{%'")
    if source and "\n" not in source and len(source) < 200:
        hint = f"in `{source}`; {hint}"
    if isinstance(error, TemplateAssertionError) and message.startswith("No filter named "):
        name = message.split("'")[1]
        near = suggest(name, [*sandboxed().filters, *MARKS])
        message, hint = f"there is no filter `{name}`", near or hint
    return WorkflowError([Problem(place, f"template syntax: {message}", hint)])
