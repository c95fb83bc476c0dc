"""Payloads of calls on their way to workers: plain JSON data, and what several of them have in common once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def plain(value: object) -> object:
    """What a template may give that is not JSON data itself: lazy results, the environment, an error."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else str(value)


def with_shared(payloads: Sequence[Any], slot: int) -> tuple[list[Any], list[Any]]:
    """Payloads in which each batch's items stand once for all of its units: in a list of their own, named by number."""
    numbers: dict[int, int] = {}
    items: list[Any] = []
    units = []
    for payload in payloads:
        view = dict(payload[slot])
        members = view.pop("items")
        if id(members) not in numbers:
            numbers[id(members)] = len(items)
            items.append(members)
        view["shared"] = numbers[id(members)]
        units.append([*payload[:slot], view, *payload[slot + 1 :]])
    return units, items
