"""Items in files, one file after the other, of whatever format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

from batchwork.errors import SourceError, UsageError
from batchwork.items.base import Chunk, digest, into_pages, unreadable, watched
from batchwork.items.files.encodings import UTF8, to_utf8
from batchwork.items.files.places import File, found_files
from batchwork.items.files.streams import Format, block_bytes
from batchwork.items.files.unpacking import unpacked
from batchwork.ports import Reading, Row


class FileItems:
    """The items of the files that `paths` names, read in one format; places in them have their names as written or found."""

    may_block = True

    def __init__(self, paths: str | Sequence[str], cwd: str, read: Format, encoding: str = UTF8) -> None:
        self._paths, self._cwd = paths, cwd
        self._read, self._encoding = read, encoding
        self._closed = Event()

    def reading(self) -> Reading:
        """Asked again after the end, it tells whether a file changed meanwhile. Of a pipe nothing is known beforehand."""
        versions = [file.version() for file in self._files()]
        if not all(versions):
            return Reading("", None, distinct=False)
        return Reading(versions[0] if len(versions) == 1 else f"files:{digest(versions)}", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched("items", into_pages(self._chunks(block_bytes(size)), start, size))

    def close(self) -> None:
        """From any thread: reading ends with the next block, and the reader closes the file."""
        self._closed.set()

    def _files(self) -> Iterator[File]:
        return found_files(self._paths, self._cwd, self._closed)

    def _chunks(self, most: int) -> Iterator[Chunk | None]:
        for file in self._files():
            yield from self._read(file.name, to_utf8(file.name, self._blocks(file, most), self._encoding))

    def _blocks(self, file: File, most: int) -> Iterator[bytes]:
        try:
            with file.open(most) as opened:
                for block in unpacked(file.name, opened, most):
                    if self._closed.is_set():
                        raise SourceError(f"{file.name}: reading was stopped")
                    yield block
        except OSError as error:
            raise unreadable(file.name, error) from error
        except UsageError as error:  # a package that is not installed
            raise SourceError(f"{file.name}: {error.message}", error.hint) from error
