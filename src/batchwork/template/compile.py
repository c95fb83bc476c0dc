"""Template: one text with `{{ }}` or `{% %}` in it, compiled.

A value that is exactly one `{{ expr }}` keeps the expression's type; anything else is text, in which strings stand as
they are and all other values as JSON. What was rendered is never rendered again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from batchwork.errors import NOWHERE, Place, Problem, RenderError, WorkflowError
from batchwork.ports import Scope
from batchwork.template.expression import MANY_WORDS, CompiledText, Expression, Uses
from batchwork.template.forms import text_of
from batchwork.template.lookup import Path, looking_up
from batchwork.template.split import Raw, merged, split
from batchwork.text.patterns import pattern

_STEP = r"\.[^\W\d]\w*|\[\s*(?:-?\d{1,9}|'[^'\\]*'|\"[^\"\\]*\")\s*\]"
_plain_path = pattern(rf"([^\W\d]\w*)((?:{_STEP})*)((?:\s*\|\s*(?:args|words|option|raw))?)\Z")
_step = pattern(r"\.(\w+)|\[\s*(?:(-?\d+)|'([^']*)'|\"([^\"]*)\")\s*\]")
_keyword = pattern(r"(?:true|True|false|False|none|None|not|and|or|in|is|if|else|self|loop|range|dict|namespace)\Z")
"""Words that mean something to Jinja2 itself."""


def is_template(text: str) -> bool:
    """Whether the text has anything that a template has."""
    return "{{" in text or "{%" in text


class Template(CompiledText, frozen=True, eq=False):
    """One text with `{{ }}` or `{% %}` in it, compiled.

    `parts` are its pieces, texts and expressions; it is empty where there are statements, which Jinja2 renders as a
    whole. `lone`: it is exactly one expression. `marked`, where there are statements: as of an expression.
    """

    parts: tuple[str | Expression, ...]
    has_statements: bool
    lone: bool
    _value: Callable[[Scope], object]
    marked: Callable[[Scope], object] | None = None

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return tuple(part for part in self.parts if isinstance(part, Expression))

    @property
    def path(self) -> Path | None:
        """What it leads to, where it is exactly one path: `("item", "id")`."""
        part = self.parts[0] if self.lone else ""
        return part.path if isinstance(part, Expression) and part.mark not in MANY_WORDS else None

    def render(self, scope: Scope) -> object:
        """The value: of a lone expression typed, else a text. Raises RenderError."""
        return self._value(scope)

    def text(self, scope: Scope) -> str:
        """The value as text. Raises RenderError."""
        return text_of(self._value(scope))


def compile_template(text: str, place: Place = NOWHERE) -> Template:
    """Compile a text; `place` is where its first character stands. Raises WorkflowError with the place inside the text."""
    pieces, statements = split(text, place)
    if statements:
        return _with_statements(text, place)
    parts = _compiled(pieces)
    expressions = [part for part in parts if isinstance(part, Expression)]
    lone = len(parts) == 1 and len(expressions) == 1
    return Template(
        source=text,
        place=place,
        parts=parts,
        has_statements=False,
        lone=lone,
        uses=Uses.together(part.uses for part in expressions),
        _value=_rendering(parts),
    )


def _compiled(pieces: list[str | Raw]) -> tuple[str | Expression, ...]:
    """Raises WorkflowError with what is wrong with all of them."""
    parts: list[str | Expression] = []
    problems: list[Problem] = []
    for piece in merged(pieces):
        try:
            parts.append(piece if isinstance(piece, str) else _compiled_expression(piece.source, piece.place))
        except WorkflowError as error:
            problems.extend(error.problems)
    if problems:
        raise WorkflowError(problems)
    return tuple(parts)


def _compiled_expression(source: str, place: Place) -> Expression:
    """Compile the text between `{{` and `}}`. Raises WorkflowError."""
    source = source.strip()
    match = _plain_path.match(source)
    if match is None or _keyword.match(match[1]):
        from batchwork.template.jinja import compile_general  # Jinja2 takes 80 ms to import, and most files do without

        return compile_general(source, place)
    root = match[1]
    filters = tuple(match[3].replace("|", "").split())
    steps = tuple(_keys(match[2]))
    names = frozenset((root,))
    return Expression(
        source=source,
        place=place,
        core=root + match[2],
        mark="".join(filters),
        filters=filters,
        uses=Uses(names, names, frozenset(((root, *steps),))),
        evaluate=looking_up(root, steps),
        path=(root, *steps),
    )


def _keys(text: str) -> Iterable[str | int]:
    for name, number, single, double in _step.findall(text):
        yield int(number) if number else name or single or double


def _rendering(parts: Sequence[str | Expression]) -> Callable[[Scope], object]:
    if len(parts) == 1 and isinstance(parts[0], Expression) and parts[0].mark not in MANY_WORDS:
        return parts[0].value
    return _joined(parts)


def _joined(parts: Sequence[str | Expression]) -> Callable[[Scope], object]:
    getters = tuple(part if isinstance(part, str) else part.value for part in parts)
    for part in parts:
        if isinstance(part, Expression) and part.mark in MANY_WORDS:
            return _refusing(misplaced_mark(part))

    def joined(scope: Scope) -> str:
        pieces = []
        for getter in getters:
            value = getter if type(getter) is str else getter(scope)  # type: ignore[operator]
            pieces.append(value if type(value) is str else text_of(value))
        return "".join(pieces)

    return joined


def _refusing(problem: Problem) -> Callable[[Scope], object]:
    def refuse(_scope: Scope) -> object:
        raise RenderError(problem.message, problem.hint)

    return refuse


def misplaced_mark(expression: Expression) -> Problem:
    """`| args`, `| words` or `| option` where there is no command."""
    what = "makes words of a shell command"
    if expression.mark == "option":
        what = "allows a value to be an option of a command"
    return Problem(
        expression.place,
        f"`| {expression.mark}` {what}, and means nothing elsewhere",
        f"in `{{{{ {expression.source} }}}}`; leave out `| {expression.mark}`",
    )


def _with_statements(text: str, place: Place) -> Template:
    from batchwork.template.jinja import compile_statements  # Jinja2 takes 80 ms to import, and most files do without

    plain = re.sub(r"(?<!\$)\{#.*?#\}", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)

    made = compile_statements(plain, place, lambda line: place.below(line - 1))
    return Template(text, place, made.uses, (), has_statements=True, lone=False, _value=made.render, marked=made.marked)
