"""Alike failures put together: what differs from one to the next (numbers, paths, quoted parts) is taken out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from batchwork.text.patterns import pattern

EXAMPLES: Final = 3
GROUPS_MAX: Final = 1000
"""Groups that are told apart; what comes after goes into one group for its type, so that memory stays bounded."""

_READ: Final = 400
"""Characters of a message that are looked at."""

_patterns: Final = (
    (pattern(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "ID"),
    (pattern(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s'\"<>)]+"), "URL"),
    (pattern(r"\b0x[0-9a-fA-F]+\b"), "N"),
    (pattern(r"(?<!\w)'[^'\n]{1,200}'|\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`"), "'…'"),
    (pattern(r"(?<![\w/])(?:~|\.{1,2})?/[^\s:,;'\"()]+"), "PATH"),
    (pattern(r"\b(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}\b"), "ID"),
    (pattern(r"[-+]?\d+(?:[.,:]\d+)*"), "N"),
)


class Alike(Struct):
    """Failures of one step that differ only in details. `examples` are the first keys with their messages."""

    step: str
    type: str
    pattern: str
    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


def pattern_of(message: str) -> str:
    """A message without what differs between alike ones: `connect to 'a':80` and `connect to 'b':81` are the same."""
    text = " ".join(message[:_READ].split())
    for differing, word in _patterns:
        text = differing.sub(word, text)
    return text


def group(failures: Iterable[tuple[str, str, str, str]]) -> list[Alike]:
    """Groups of (step, key, type, message), the largest first; reads the failures once and keeps only examples."""
    groups: dict[tuple[str, str, str], Alike] = {}
    for step, key, kind, message in failures:
        pattern = pattern_of(message)
        known = groups.get((step, kind, pattern))
        if known is None:
            if len(groups) >= GROUPS_MAX:
                pattern = "(others)"
            known = groups.setdefault((step, kind, pattern), Alike(step, kind, pattern))
        known.count += 1
        if len(known.examples) < EXAMPLES:
            known.examples.append((key, message))
    return sorted(groups.values(), key=lambda alike: -alike.count)
