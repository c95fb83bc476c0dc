"""What differs between two fingerprints of a plan, in words: pure, nothing is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from batchwork.text.jsontext import Json, encode
from batchwork.text.wording import short, visible

SHOWN: Final = 20
_WIDTH: Final = 160


def differences(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[str]:
    """One line for each difference in what is done: steps that came, went, moved, or do something else now."""
    lines: list[str] = []
    lines += [f"step `{name}` is gone" for name in old if name not in new]
    lines += [f"step `{name}` is new" for name in new if name not in old]
    both = [name for name in old if name in new]
    if both != [name for name in new if name in old]:
        lines.append(f"the order of the steps was {_named(old)} and is {_named(new)}")
    for name in both:
        lines += [f"step `{name}`: {line}" for line in _inside(old[name], new[name], "")]
    return lines


def listed(lines: list[str]) -> str:
    """The lines as the end of a message: one under the other, not too many."""
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "".join(f"\n  {line}" for line in lines[:SHOWN] + more)


def _inside(old: Json, new: Json, path: str) -> Iterator[str]:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            below = f"{path}.{key}" if path else key
            if key not in new:
                yield f"`{below}` is gone, it was {_value(old[key])}"
            elif key not in old:
                yield f"`{below}` is new: {_value(new[key])}"
            else:
                yield from _inside(old[key], new[key], below)
        return
    yield f"`{path or 'it'}` was {_value(old)} and is {_value(new)}"


def _value(value: Json) -> str:
    return short(visible(encode(value)), _WIDTH)


def _named(names: Mapping[str, Json]) -> str:
    return ", ".join(f"`{name}`" for name in names)
