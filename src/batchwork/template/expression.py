"""One `{{ expression }}`, compiled: what it uses, and its value. Nothing is compiled here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from batchwork.errors import Place, RenderError
from batchwork.ports import Scope
from batchwork.template.lookup import Path

MARKS = ("args", "raw")
"""Filters that mean something only to shell commands; they must stand last."""


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
    """The inside of one `{{ }}`. `core` is its text without a last `| args` or `| raw`, which is `mark`.

    `filters` are those applied to the whole, outermost last.
    """

    core: str
    mark: str
    filters: tuple[str, ...]
    evaluate: Callable[[Scope], object]

    def value(self, scope: Scope) -> object:
        """The value, typed, before a last `| args` or `| raw`. Raises RenderError."""
        try:
            return self.evaluate(scope)
        except RenderError as error:
            if error.hint:
                raise
            where = f"at {self.place}" if self.place.line else ""
            raise type(error)(f"`{{{{ {self.source} }}}}`: {error.message}", where) from None
