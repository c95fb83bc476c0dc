"""What an author wrote of a setting: its value, a template that will give one, or nothing. Values that settings have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.spec.yaml.nodes import Node, ScalarNode

T = TypeVar("T")
S = TypeVar("S", bound=Struct)


class Deferred(Struct, Generic[T], frozen=True):
    """A setting written as a template: rendered and then read like any other when the parameters are known."""

    node: ScalarNode
    read: Callable[[Node, list[Problem]], T | None]


MaybeTemplate: TypeAlias = T | Deferred[T] | None
"""A value, a template that will give one, or nothing where nothing was written."""


class WrittenSettings(Struct, Generic[S], frozen=True):
    """The settings of one mapping that were written, by attribute of `kind`, which has the defaults of the others."""

    kind: type[S]
    place: Place
    values: Mapping[str, object]

    def __contains__(self, attribute: str) -> bool:
        return attribute in self.values


class Rate(Struct, frozen=True):
    """`rate_limit`: at most `count` attempts in `per_s` seconds, evenly spread."""

    count: int
    per_s: float


class Threshold(Struct, frozen=True):
    """`max_failures`: a count, or a share of the finished units (0 to 1, from 20 finished on)."""

    count: int | None = None
    share: float | None = None
