"""Template: one text with `{{ }}` or `{% %}` in it, compiled. One expression is in expression.py, trees of data in value.py.

A value that is exactly one `{{ expr }}` keeps the expression's type; anything else is text, in which strings stand as
they are and all other values as JSON. What was rendered is never rendered again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from batchwork.errors import NOWHERE, Place, Problem, RenderError, WorkflowError
from batchwork.ports import Scope
from batchwork.template.expression import Expression, Path, compile_expression
from batchwork.template.forms import text_of
from batchwork.template.split import merged, split


def is_template(text: str) -> bool:
    """Whether the text has anything that a template has."""
    return "{{" in text or "{%" in text


class Template(Struct, frozen=True, eq=False):
    """One text with `{{ }}` or `{% %}` in it, compiled.

    `parts` are its pieces, texts and expressions; it is empty where there are statements, which Jinja2 renders as a
    whole. `roots` are the names it uses, `needs` those it fails without, `paths` what it takes from them. `lone`: it is
    exactly one expression.
    """

    source: str
    place: Place
    parts: tuple[str | Expression, ...]
    has_statements: bool
    lone: bool
    roots: frozenset[str]
    needs: frozenset[str]
    paths: frozenset[Path]
    _value: Callable[[Scope], object]

    def __eq__(self, other: object) -> bool:
        """Equal is what was written alike in the same place; what it was compiled to is made from that."""
        return isinstance(other, Template) and (self.source, self.place) == (other.source, other.place)

    def __hash__(self) -> int:
        return hash((self.source, self.place))

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return tuple(part for part in self.parts if isinstance(part, Expression))

    def render(self, scope: Scope) -> object:
        """The value: of a lone expression typed, else a text. Raises RenderError."""
        return self._value(scope)

    def text(self, scope: Scope) -> str:
        """The value as text. Raises RenderError."""
        value = self._value(scope)
        return value if type(value) is str else text_of(value)


def compile_template(text: str, place: Place = NOWHERE) -> Template:
    """Compile a text; `place` is where its first character stands. Raises WorkflowError with the place inside the text."""
    pieces, statements = split(text, place)
    if statements:
        return _with_statements(text, place)
    problems: list[Problem] = []
    compiled: list[str | Expression] = []
    for part in merged(pieces):
        try:
            compiled.append(part if isinstance(part, str) else compile_expression(part.source, part.place))
        except WorkflowError as error:
            problems.extend(error.problems)
    if problems:
        raise WorkflowError(problems)
    expressions = [part for part in compiled if isinstance(part, Expression)]
    lone = len(compiled) == 1 and len(expressions) == 1
    return Template(
        source=text,
        place=place,
        parts=tuple(compiled),
        has_statements=False,
        lone=lone,
        roots=frozenset().union(*(part.roots for part in expressions)),
        needs=frozenset().union(*(part.needs for part in expressions)),
        paths=frozenset().union(*(part.paths for part in expressions)),
        _value=_lone(expressions[0]) if lone else _joined(compiled),
    )


def _lone(expression: Expression) -> Callable[[Scope], object]:
    if expression.mark == "args":
        return _joined([expression])
    return expression.value


def _joined(parts: list[str | Expression]) -> Callable[[Scope], object]:
    getters = tuple(part if isinstance(part, str) else part.value for part in parts)
    for part in parts:
        if isinstance(part, Expression) and part.mark == "args":
            raise_ = RenderError(misplaced_args(part).message, misplaced_args(part).hint)

            def refuse(_scope: Scope, error: RenderError = raise_) -> object:
                raise error

            return refuse

    def joined(scope: Scope) -> str:
        pieces = []
        for getter in getters:
            value = getter if type(getter) is str else getter(scope)  # type: ignore[operator]
            pieces.append(value if type(value) is str else text_of(value))
        return "".join(pieces)

    return joined


def misplaced_args(expression: Expression) -> Problem:
    """`| args` outside a shell command."""
    return Problem(
        expression.place,
        "`| args` makes words of a shell command, and means nothing elsewhere",
        f"in `{{{{ {expression.source} }}}}`; leave out `| args`",
    )


def _with_statements(text: str, place: Place) -> Template:
    from batchwork.template.jinja import compile_statements  # Jinja2 takes 80 ms to import, and most files do without

    plain = re.sub(r"(?<!\$)\{#.*?#\}", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)

    def place_of_line(line: int) -> Place:
        return place.below(line - 1) if place.line else place

    roots, needs, paths, render = compile_statements(plain, place, place_of_line)
    return Template(text, place, (), True, False, roots, needs, paths, render)
