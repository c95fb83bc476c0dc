"""One `{{ expression }}`, compiled: what it uses, and its value. Nothing is compiled here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from batchwork.errors import Place, RenderError
from batchwork.ports import Scope
from batchwork.template.lookup import Path

MARKS = ("args", "words", "option", "raw")
"""Filters that mean something only to commands; they must stand last."""

HEAD = "\ue000"
"""Marks a literal of the file where an expression is evaluated with marks. (Data that begins with it has no `-` there.)"""

MANY_WORDS = frozenset(("args", "words"))
"""Marks that make separate words of one value."""


class Uses(Struct, frozen=True):
    """What a template takes from its scope.

    `roots` are the names that it uses, `needs` those without which it fails (not guarded by `default` or `is defined`),
    `paths` what it takes from them by constant keys.
    """

    roots: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    paths: frozenset[Path] = frozenset()

    @classmethod
    def together(cls, parts: Iterable[Uses]) -> Uses:
        each = [*parts]
        return cls(
            frozenset[str]().union(*(uses.roots for uses in each)),
            frozenset[str]().union(*(uses.needs for uses in each)),
            frozenset[Path]().union(*(uses.paths for uses in each)),
        )


class CompiledText(Struct, frozen=True, eq=False):
    """A text of the workflow, compiled. Equal is what was written alike in the same place: all else is made from that."""

    source: str
    place: Place
    uses: Uses

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompiledText) or type(self) is not type(other):
            return False
        return (self.source, self.place) == (other.source, other.place)

    def __hash__(self) -> int:
        return hash((self.source, self.place))

    @property
    def roots(self) -> frozenset[str]:
        return self.uses.roots

    @property
    def needs(self) -> frozenset[str]:
        return self.uses.needs

    @property
    def paths(self) -> frozenset[Path]:
        return self.uses.paths


class Expression(CompiledText, frozen=True, eq=False):
    """The inside of one `{{ }}`. `core` is its text without a last `| args`, `| raw` …, which is `mark`.

    `filters` are those applied to the whole, outermost last. `marked` is there where literals of the file itself with a
    leading `-` may be what the value begins with: it evaluates with HEAD before each. `path` is there where it is nothing
    but a path.
    """

    core: str
    mark: str
    filters: tuple[str, ...]
    evaluate: Callable[[Scope], object]
    marked: Callable[[Scope], object] | None = None
    path: Path | None = None

    def value(self, scope: Scope) -> object:
        """The value, typed, before a last `| args`, `| raw` …. Raises RenderError."""
        try:
            return self.evaluate(scope)
        except RenderError as error:
            if error.hint:
                raise
            where = f"at {self.place}" if self.place.line else ""
            raise type(error)(f"`{{{{ {self.source} }}}}`: {error.message}", where) from None
