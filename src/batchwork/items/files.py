"""Items in files: `{from: lines, path}` and `{from: jsonl, path}`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from batchwork.errors import SourceError
from batchwork.items.base import into_pages, unreadable, watched
from batchwork.items.lines import BLOCK_BYTES, Format, items_of, read_jsonl, read_lines
from batchwork.items.options import JsonlOptions, LinesOptions
from batchwork.jsontext import Json
from batchwork.ports import Reading


class FileItems:
    """The items of one file, read in one format. `name` is the path as it was written, for messages."""

    def __init__(self, path: str, cwd: str, read: Format) -> None:
        self._name = path
        self._path = os.path.join(cwd, path)
        self._read = read
        self._file: BinaryIO | None = None

    def reading(self) -> Reading:
        """Asked again after the end, it tells whether the file changed meanwhile."""
        try:
            with open(self._path, "rb") as file:
                state = os.fstat(file.fileno())
        except (OSError, ValueError) as error:  # ValueError: NUL in the path
            raise self._unreadable(error) from error
        return Reading(f"file:{self._name}:{state.st_size}:{state.st_mtime_ns}", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        return watched(self._name, into_pages(items_of(self._name, self._blocks(), self._read), start, size))

    def _blocks(self) -> Iterator[bytes]:
        with contextlib.closing(open(self._path, "rb", buffering=0)) as file:
            self._file = file
            while block := file.read(BLOCK_BYTES):
                yield block

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _unreadable(self, error: OSError | ValueError) -> SourceError:
        if isinstance(error, OSError):
            return unreadable(self._name, error)
        return SourceError(f"{self._name!r} is not a path: {error}")


def lines_file(options: LinesOptions, cwd: str) -> FileItems:
    """The lines of a text file, without empty ones."""
    return FileItems(options.path, cwd, read_lines)


def jsonl_file(options: JsonlOptions, cwd: str) -> FileItems:
    """The JSON values of a file that has one in each line."""
    return FileItems(options.path, cwd, read_jsonl)
