"""Value: JSON data in which any text may be a template; and what can be checked of templates beforehand."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

from msgspec import Struct

from batchwork.errors import NOWHERE, Place, Problem, WorkflowError
from batchwork.ports import Scope
from batchwork.template.compile import Template, compile_template, is_template, misplaced_mark
from batchwork.template.forms import text_of
from batchwork.template.lookup import Path
from batchwork.text.jsontext import Json
from batchwork.text.spelling import listing, suggest

_Render = Callable[[Scope], object]


class Value(Struct, frozen=True, eq=False):
    """A field as written: JSON data in which any text may be a template. `json` is the data as written."""

    json: Json
    place: Place
    roots: frozenset[str]
    _templates: tuple[Template, ...]
    _render: _Render | None

    def __eq__(self, other: object) -> bool:
        """Equal is what was written alike in the same place; what it was compiled to is made from that."""
        return isinstance(other, Value) and (self.json, self.place) == (other.json, other.place)

    def __hash__(self) -> int:
        return hash(self.place)

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
        if isinstance(self.json, str) and self._templates:
            return self._templates[0]
        return None

    def templates(self) -> Iterator[Template]:
        """All templates in it, in the order of the file."""
        return iter(self._templates)

    def render(self, scope: Scope) -> object:
        """The value in `scope`; what is not a template stands as written. Raises RenderError."""
        if self._render is None:
            return self.json
        return self._render(scope)

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
            hint = f"{near} The names here: {listing(known)}".lstrip()
            problems.append(Problem(place, f"there is no `{name}`", hint))
    return problems


def misplaced(value: Value, allowed: Container[str] = ("", "raw")) -> list[Problem]:
    """A problem for each `| args`, `| words` or `| option` in a value that is not a command."""
    parts = (part for template in value.templates() for part in template.expressions)
    return [misplaced_mark(part) for part in parts if part.mark not in allowed]
