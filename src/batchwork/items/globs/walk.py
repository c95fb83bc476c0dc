"""The walk through folders for patterns: paths as bytes, one folder's names in memory at a time on each level. No pattern is read here."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from batchwork.errors import SourceError
from batchwork.items.base import unreadable
from batchwork.items.globs.pattern import Exclusion, PathPattern, Step, Tail, step
from batchwork.text.wording import visible

Kind: TypeAlias = Literal["file", "dir"]
Job: TypeAlias = tuple[bytes, "tuple[Tail, ...] | None"]
"""A path, or the folder (with a slash at its end) to go into with these tails."""

SLASH = b"/"


class Wanted(Struct, frozen=True):
    """What the paths must be, and whether they come sorted."""

    kind: Kind | None
    exclusion: Exclusion
    hidden: bool
    sort: bool


def found_paths(patterns: Sequence[PathPattern], wanted: Wanted, cwd: bytes) -> Iterator[bytes]:
    """Each path that matches once. Where folders of several patterns overlap, sorting is what tells that one was there before."""
    places: dict[tuple[str, bool], list[Tail]] = {}
    for one in patterns:
        if one.parts:
            places.setdefault((one.root, one.folders_only), []).append(one.parts)
    if len(places) > 1:
        wanted = Wanted(wanted.kind, wanted.exclusion, wanted.hidden, sort=True)
    walks = [
        _Walk(wanted, folders_only, cwd).paths(to_bytes(root), tails) for (root, folders_only), tails in places.items()
    ]
    return walks[0] if len(walks) == 1 else _each_once(heapq.merge(*walks))


def to_bytes(path: str) -> bytes:
    """A path as the operating system knows it."""
    return path.encode("utf-8", "surrogateescape")


def to_text(path: bytes) -> str:
    """The opposite: bytes that are not UTF-8 become lone surrogates, as everywhere."""
    return path.decode("utf-8", "surrogateescape")


def _each_once(paths: Iterable[bytes]) -> Iterator[bytes]:
    last = None
    for path in paths:
        if path != last:
            yield path
        last = path


class _Walk:
    """Goes through the folders below one root."""

    def __init__(self, wanted: Wanted, folders_only: bool, cwd: bytes) -> None:
        self._wanted = wanted
        self._kind: Kind | None = "dir" if folders_only and wanted.kind is None else wanted.kind
        self._nothing = folders_only and wanted.kind == "file"
        self._cwd = cwd

    def paths(self, root: bytes, tails: Iterable[Tail]) -> Iterator[bytes]:
        """The paths below a root; those in a folder stand where the folder's name with a slash would."""
        first: list[Job] = [] if self._nothing else [(root, tuple(tails))]
        stack: list[Iterator[Job]] = [iter(first)]
        while stack:
            job = next(stack[-1], None)
            if job is None:
                stack.pop()
            elif job[1] is None:
                yield job[0]
            else:
                stack.append(self._jobs(job[0], job[1]))

    def _jobs(self, folder: bytes, tails: tuple[Tail, ...]) -> Iterator[Job]:
        jobs = self._unsorted(folder, tails)
        return iter(sorted(jobs, key=_path_of)) if self._wanted.sort else jobs

    def _unsorted(self, folder: bytes, tails: tuple[Tail, ...]) -> Iterator[Job]:
        deeper: list[Job] = []
        for entry in self._entries(folder, tails):
            name = to_text(entry.name)
            matched = step(tails, name, self._wanted.hidden)
            if not (matched.accepted or matched.below or matched.stays):
                continue
            path = folder + entry.name
            if self._wanted.exclusion and self._wanted.exclusion.has(to_text(path), name):
                continue
            if matched.accepted and entry.is_of(self._kind):
                yield path, None
            if below := _below(entry, matched):
                deeper.append((path + SLASH, below))
        yield from deeper

    def _entries(self, folder: bytes, tails: tuple[Tail, ...]) -> Iterator[_Entry]:
        """What is in a folder. Where only names that are written out can match, it is asked for these and not read."""
        place = os.path.join(self._cwd, folder)
        if all(tail[0].is_literal for tail in tails):
            for name in sorted({tail[0].text for tail in tails}):
                if os.path.lexists(place + to_bytes(name)):
                    yield _Entry(to_bytes(name), place + to_bytes(name))
            return
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    yield _Entry(entry.name, entry)
        except (FileNotFoundError, NotADirectoryError):  # nothing matches there, or no longer
            return
        except PermissionError as error:
            said = unreadable(f"items: the folder {visible(to_text(folder)) or '.'} cannot be looked into", error)
            raise SourceError(
                said.message, "give yourself the right to read it, or leave it out with `exclude`"
            ) from error


def _path_of(job: Job) -> bytes:
    return job[0]


def _below(entry: _Entry, matched: Step) -> tuple[Tail, ...]:
    """The tails for a folder: `**` does not follow links to folders, which may lead back to where it came from."""
    if not (matched.below or matched.stays) or not entry.is_of("dir"):
        return ()
    if matched.stays and not entry.is_link():
        return (*matched.below, *matched.stays)
    return matched.below


class _Entry:
    """A name in a folder, and what it is; looked at only when asked."""

    def __init__(self, name: bytes, at: os.DirEntry[bytes] | bytes) -> None:
        self.name = name
        self._at = at

    def is_of(self, kind: Kind | None) -> bool:
        """Whether it is of that kind, as what a link leads to; None is any."""
        if kind is None:
            return True
        try:
            if isinstance(self._at, bytes):
                return os.path.isdir(self._at) if kind == "dir" else os.path.isfile(self._at)
            return self._at.is_dir() if kind == "dir" else self._at.is_file()
        except OSError:  # a link to itself
            return False

    def is_link(self) -> bool:
        return os.path.islink(self._at) if isinstance(self._at, bytes) else self._at.is_symlink()
