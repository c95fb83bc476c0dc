"""The rule by which mappings become columns: which fields there are, which mappings in them are taken apart. No table is here.

Fields are in the order in which they come. A mapping in a field is taken apart (`outer.inner`) where every mapping that
stands there has the same fields; otherwise it is one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from batchwork.text.jsontext import Json

Fields: TypeAlias = "dict[str, Fields | None]"
"""Fields by name; those of a mapping that is taken apart in it, else None."""
Steps: TypeAlias = tuple[str, ...]

DEEPEST = 8
"""Mappings in mappings that are taken apart where they are."""


def fields_of(values: Sequence[Json], depth: int) -> Fields:
    """The fields of those values that are mappings; `depth`: mappings in mappings that are taken apart."""
    found: Fields = {}
    for value in values:
        if isinstance(value, dict) and not value.keys() <= found.keys():
            found.update(dict.fromkeys(name for name in value if name not in found))
    if not depth:
        return found
    return {name: _inner(taken(values, (name,)), depth - 1) for name in found}


def _inner(values: Sequence[Json], depth: int) -> Fields | None:
    there = [value for value in values if value is not None]
    return fields_of(there, depth) if _alike(there) else None


def _alike(values: Sequence[Json]) -> bool:
    """Whether all are mappings with the same fields."""
    first = values[0] if values else None
    if not isinstance(first, dict) or not first:
        return False
    return all(isinstance(value, dict) and value.keys() == first.keys() for value in values)


def steps_of(fields: Fields, before: Steps = ()) -> Iterator[Steps]:
    """What leads to each column."""
    for name, inner in fields.items():
        if inner is None:
            yield (*before, name)
        else:
            yield from steps_of(inner, (*before, name))


def taken(values: Sequence[Json], steps: Steps) -> list[Json]:
    """What each value has there, None where it has nothing."""
    found = list(values)
    for name in steps:
        found = [value.get(name) if isinstance(value, dict) else None for value in found]
    return found


def misfit(values: Sequence[Json], fields: Fields, before: Steps = ()) -> tuple[int, Steps, str] | None:
    """The first value that has a field for which there is no column: (where, what leads there, what is wrong)."""
    known = fields.keys()
    for at, value in enumerate(values):
        if isinstance(value, dict) and not value.keys() <= known:
            name = next(name for name in value if name not in known)
            return at, (*before, name), "there is no column for this field, which comes late"
    for name, inner in fields.items():
        if inner is not None:
            below = taken(values, (name,))
            wrong = misfit(below, inner, (*before, name)) or _no_mapping(below, (*before, name))
            if wrong is not None:
                return wrong
    return None


def _no_mapping(values: Sequence[Json], steps: Steps) -> tuple[int, Steps, str] | None:
    for at, value in enumerate(values):
        if value is not None and not isinstance(value, dict):
            return at, steps, "a mapping stood here before"
    return None


def free_name(name: str, used: Mapping[str, object] | set[str]) -> str:
    """`name`, or where it is taken with `result.` before it."""
    while name in used:
        name = f"result.{name}"
    return name
