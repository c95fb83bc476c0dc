"""Patterns for paths, such as `data/**/*.csv`: cut into parts and matched name by name. No folder is read here.

A tail is what of a pattern is still to be matched. Below a folder several tails of one pattern can be alive at once
(`**/a/**` has them): so a walk meets each path once, however many ways lead to it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from batchwork.text.patterns import pattern

_MAGIC: Final = pattern(r"[*?[]")
_NAMES: Final = pattern(r"(?<=/)(?=[^/])")
"""Where a name begins, behind the slashes of the one before."""
ANY_DEPTH: Final = "**"


class Part(Struct, frozen=True):
    """One name of a pattern. `matches` is None for `**`, and for a name that stands as it is."""

    text: str
    matches: re.Pattern[str] | None = None

    @property
    def is_literal(self) -> bool:
        return self.matches is None and self.text != ANY_DEPTH


Tail: TypeAlias = tuple[Part, ...]


class PathPattern(Struct, frozen=True):
    """`root` is the part of it without wildcards, as it was written ("", "./", "/data/"); `parts` begin below it."""

    root: str
    parts: Tail
    folders_only: bool = False


def path_pattern(text: str) -> PathPattern:
    """A pattern cut into parts. One that ends with a slash is for folders only."""
    names = _NAMES.split(text)
    folders_only = text.endswith("/")
    at = next((at for at, name in enumerate(names) if _MAGIC.search(name)), len(names) - 1)
    parts: list[Part] = []
    for name in (name.rstrip("/") for name in names[at:]):
        if name == ANY_DEPTH and parts and parts[-1].text == ANY_DEPTH:
            continue
        if name != ".":
            parts.append(_part(name))
    return PathPattern("".join(names[:at]), tuple(parts), folders_only)


def _part(name: str) -> Part:
    if name == ANY_DEPTH or not _MAGIC.search(name):
        return Part(name)
    return Part(name, re.compile(fnmatch.translate(name)))


class Step(Struct, frozen=True):
    """What a name means for the tails above it. `stays` are tails below it that begin with `**` again."""

    accepted: bool
    below: tuple[Tail, ...]
    stays: tuple[Tail, ...]


def step(tails: Iterable[Tail], name: str, hidden: bool) -> Step:
    """Match one name. `hidden`: wildcards match names that begin with a dot too."""
    accepted = False
    below: list[Tail] = []
    stays: list[Tail] = []
    shown = hidden or not name.startswith(".")
    for tail in tails:
        if tail[0].text == ANY_DEPTH:
            if shown:
                stays.append(tail)
                accepted |= len(tail) == 1
            tail = tail[1:]  # noqa: PLW2901 - `**` may also stand for no folder at all
        if tail and _fits(tail[0], name, shown):
            accepted |= len(tail) == 1
            if len(tail) > 1:
                below.append(tail[1:])
    return Step(accepted, tuple(dict.fromkeys(below)), tuple(dict.fromkeys(stays)))


def _fits(part: Part, name: str, shown: bool) -> bool:
    if part.matches is None:
        return part.text == name
    if not shown and not part.text.startswith("."):
        return False
    return part.matches.match(name) is not None


class Exclusion:
    """What is left out. A pattern without a slash is for names, of files and of folders on the way; others for whole paths."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._names = [_part(text.rstrip("/")) for text in patterns if "/" not in text.rstrip("/")]
        self._paths = [_whole(text) for text in patterns if "/" in text.rstrip("/")]

    def __bool__(self) -> bool:
        return bool(self._names or self._paths)

    def has(self, path: str, name: str) -> bool:
        """Whether a path, of which `name` is the last part, is left out."""
        if any(part.text == ANY_DEPTH or _fits(part, name, shown=True) for part in self._names):
            return True
        return bool(self._paths) and _accepts(self._paths, path)


def _whole(text: str) -> Tail:
    return tuple(_part(name) for name in _names(text))


def _names(path: str) -> list[str]:
    top = ["/"] if path.startswith("/") else []
    return top + [name for name in path.split("/") if name not in ("", ".")]


def _accepts(tails: Sequence[Tail], path: str) -> bool:
    alive: Sequence[Tail] = tails
    accepted = False
    for name in _names(path):
        found = step(alive, name, hidden=True)
        accepted, alive = found.accepted, found.below + found.stays
    return accepted
