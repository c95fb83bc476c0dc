"""Cycles in what depends on what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def find_cycles(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One cycle for each group of names that wait for each other, in the order of `edges`; without recursion."""
    done: set[str] = set()
    cycles: list[list[str]] = []
    for start in edges:
        if start in done:
            continue
        path: list[str] = [start]
        on_path = {start: 0}
        branches = [iter(edges[start])]
        while path:
            following = next(branches[-1], None)
            if following is None:
                left = path.pop()
                branches.pop()
                del on_path[left]
                done.add(left)
            elif following in on_path:
                cycles.append(path[on_path[following] :])
            elif following in edges and following not in done:
                on_path[following] = len(path)
                path.append(following)
                branches.append(iter(edges[following]))
    return cycles
