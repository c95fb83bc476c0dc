"""The files that `path` names: one, several, those that match a pattern, local or behind URLs. What is in them is not read here."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader, FileIO
from threading import Event
from typing import Annotated, Any, Final, Protocol, TypeAlias

from msgspec import Meta

from batchwork.errors import SourceError
from batchwork.items.base import unreadable
from batchwork.items.globs.pattern import Exclusion, path_pattern
from batchwork.items.globs.walk import Wanted, found_paths, to_text
from batchwork.text.patterns import is_url

Paths: TypeAlias = Annotated[
    str | list[str],
    Meta(
        description="a file, a URL, a pattern such as `data/**/*.gz`, or a list; relative paths start where batchwork was started"
    ),
]


_MAGIC: Final = frozenset("*?[")


class File(Protocol):
    """One file. `name` is what people call it."""

    name: str

    def version(self) -> str:
        """What changes when its content may have; empty where nothing is known of that. Raises SourceError, OSError."""
        ...

    def open(self, most: int) -> BufferedReader:
        """Its bytes, of which `most` may be looked at ahead. Raises SourceError, OSError."""
        ...

    def open_anywhere(self) -> Any:
        """Its bytes, for who reads them in an order of its own. Raises SourceError, OSError."""
        ...


class LocalFile:
    """A file of this machine, or a pipe."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self._path = name, path

    def version(self) -> str:
        try:
            state = os.stat(self._path)
            if stat.S_ISDIR(state.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not os.access(self._path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise unreadable(self.name, error) from error
        except ValueError as error:  # NUL in the path
            raise SourceError(f"{self.name!r} is not a path: {error}") from error
        return f"file:{self.name}:{state.st_size}:{state.st_mtime_ns}" if stat.S_ISREG(state.st_mode) else ""

    def open(self, most: int) -> BufferedReader:
        return BufferedReader(FileIO(self._path), most)

    def open_anywhere(self) -> FileIO:
        return FileIO(self._path)


def found_files(paths: str | Sequence[str], cwd: str, closed: Event) -> Iterator[File]:
    """The files, in the order in which they are named; those of a pattern by their names. Raises SourceError."""
    for path in [paths] if isinstance(paths, str) else paths:
        if path.startswith("file://"):
            from urllib.parse import unquote, urlsplit

            yield from _local(unquote(urlsplit(path).path), cwd)
        elif is_url(path):
            from batchwork.items.files.remote import (
                found_urls,  # what it imports takes a while, and most files are here
            )

            yield from found_urls(path, closed)
        else:
            yield from _local(path, cwd)


def _local(path: str, cwd: str) -> Iterable[File]:
    whole = os.path.join(cwd, path)
    if not _MAGIC.intersection(path) or os.path.lexists(whole):
        return [LocalFile(path, whole)]
    found = found_paths([path_pattern(path)], Wanted("file", Exclusion([]), hidden=False, sort=True), os.fsencode(cwd))
    return (LocalFile(name, os.path.join(cwd, name)) for name in map(to_text, found))
