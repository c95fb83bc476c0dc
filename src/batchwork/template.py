"""Templates in a workflow's values: Template (one text) and Value (a tree of JSON data). One expression is in expressions.py.

A value that is exactly one `{{ expr }}` keeps the expression's type; anything else is text, in which strings stand as
they are and all other values as JSON. What was rendered is never rendered again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from batchwork.errors import NOWHERE, Place, Problem, RenderError, WorkflowError
from batchwork.expressions import Expression, Path, compile_expression
from batchwork.jsontext import Json
from batchwork.ports import Scope
from batchwork.spelling import listing, suggest
from batchwork.template_split import merged, split
from batchwork.template_text import text_of


def is_template(text: str) -> bool:
    """Whether the text has anything that a template has."""
    return "{{" in text or "{%" in text


@dataclass(frozen=True, slots=True)
class Template:
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
    _value: Callable[[Scope], object] = field(compare=False, repr=False)

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
        f"in `{{{{ {expression.source} }}}}`; leave `| args` away",
    )


def _with_statements(text: str, place: Place) -> Template:
    from batchwork.template_jinja import compile_statements  # Jinja2 takes 80 ms to import, and most files do without

    plain = re.sub(r"(?<!\$)\{#.*?#\}", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)

    def place_of_line(line: int) -> Place:
        return Place(place.file, place.line + line - 1, place.column) if place.line else place

    roots, needs, paths, render = compile_statements(plain, place, place_of_line)
    return Template(text, place, (), True, False, roots, needs, paths, render)


# ---------------------------------------------------------------- trees of values

_Render = Callable[[Scope], object]


@dataclass(frozen=True, slots=True)
class Value:
    """A field as written: JSON data in which any text may be a template. `json` is the data as written."""

    json: Json
    place: Place
    roots: frozenset[str]
    _templates: tuple[Template, ...] = field(repr=False)
    _render: _Render | None = field(compare=False, repr=False)

    @classmethod
    def of(cls, json: Json, place_at: Place | Callable[[tuple[str | int, ...]], Place] = NOWHERE) -> Value:
        """Compile all texts of `json`. `place_at` says where the part under a path of keys stands. Raises WorkflowError."""
        at = (lambda _path: place_at) if isinstance(place_at, Place) else place_at
        found: list[Template] = []
        problems: list[Problem] = []
        render = _compiled(json, (), at, found, problems)
        if problems:
            raise WorkflowError(problems)
        roots = frozenset[str]().union(*(template.roots for template in found))
        return cls(json, at(()), roots, tuple(found), render if found else None)

    @classmethod
    def constant(cls, json: Json, place: Place = NOWHERE) -> Value:
        """Data that is never a template, whatever its texts look like."""
        return cls(json, place, frozenset(), (), None)

    @property
    def is_constant(self) -> bool:
        return self._render is None

    @property
    def needs(self) -> frozenset[str]:
        return frozenset[str]().union(*(template.needs for template in self._templates))

    @property
    def paths(self) -> frozenset[Path]:
        return frozenset[Path]().union(*(template.paths for template in self._templates))

    @property
    def template(self) -> Template | None:
        """The template, where the whole value is one text with a template in it."""
        return self._templates[0] if isinstance(self.json, str) and self._templates else None

    def templates(self) -> Iterator[Template]:
        """All templates in it, in the order of the file."""
        return iter(self._templates)

    def render(self, scope: Scope) -> object:
        """The value in `scope`; what is not a template stands as written. Raises RenderError."""
        return self.json if self._render is None else self._render(scope)

    def text(self, scope: Scope) -> str:
        """The value as text. Raises RenderError."""
        return text_of(self.render(scope))


def _compiled(
    json: Json,
    path: tuple[str | int, ...],
    at: Callable[[tuple[str | int, ...]], Place],
    found: list[Template],
    problems: list[Problem],
) -> _Render:
    def compiled(text: str, where: tuple[str | int, ...]) -> _Render:
        if not is_template(text):
            return lambda _scope: text
        try:
            template = compile_template(text, at(where))
        except WorkflowError as error:
            problems.extend(error.problems)
            return lambda _scope: text
        found.append(template)
        return template.render

    if isinstance(json, str):
        return compiled(json, path)
    if isinstance(json, list):
        parts = [_compiled(part, (*path, number), at, found, problems) for number, part in enumerate(json)]
        return lambda scope: [part(scope) for part in parts]
    if isinstance(json, dict):
        pairs = [
            (compiled(key, (*path, key)), _compiled(part, (*path, key), at, found, problems))
            for key, part in json.items()
        ]
        return lambda scope: {text_of(key(scope)): part(scope) for key, part in pairs}
    return lambda _scope: json


# ---------------------------------------------------------------- checks


def unknown_names(template: Template | Value, names: Iterable[str]) -> list[Problem]:
    """A problem for each name that the template needs and that is not among `names`."""
    known = sorted(names)
    templates = (template,) if isinstance(template, Template) else tuple(template.templates())
    problems = []
    for each in templates:
        missing = each.needs.difference(known)
        for name in sorted(missing):
            place = next((part.place for part in each.expressions if name in part.needs), each.place)
            near = suggest(name, known)
            hint = f"{near}{' ' if near else ''}The names here: {listing(known)}"
            problems.append(Problem(place, f"there is no `{name}`", hint))
    return problems


def misplaced(value: Value) -> list[Problem]:
    """A problem for each `| args` in a value that is not a shell command."""
    return [
        misplaced_args(part) for template in value.templates() for part in template.expressions if part.mark == "args"
    ]
