"""Items in one file, of whatever format."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from batchwork.errors import SourceError
from batchwork.items.base import into_pages, unreadable, watched
from batchwork.items.streams import Format, block_bytes, items_of
from batchwork.ports import Reading, Row

_COMPRESSED: Final = {b"\x1f\x8b": "zcat", b"BZh91AY&SY": "bzcat", b"\xfd7zXZ\x00": "xzcat", b"(\xb5/\xfd": "zstdcat"}
"""How compressed files begin, and what unpacks them."""


class FileItems:
    """The items of one file, read in one format. `name` is the path as it was written, for messages."""

    may_block = True

    def __init__(self, path: str, cwd: str, read: Format) -> None:
        self._name = path
        self._path = os.path.join(cwd, path)
        self._read = read
        self._closed = False

    def reading(self) -> Reading:
        """Asked again after the end, it tells whether the file changed meanwhile. Of a pipe nothing is known beforehand."""
        try:
            state = os.stat(self._path)
            if stat.S_ISDIR(state.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not os.access(self._path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except (OSError, ValueError) as error:  # ValueError: NUL in the path
            raise self._unreadable(error) from error
        if not stat.S_ISREG(state.st_mode):
            return Reading("", None, distinct=False)
        return Reading(f"file:{self._name}:{state.st_size}:{state.st_mtime_ns}", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched(
            self._name, into_pages(items_of(self._name, self._blocks(block_bytes(size)), self._read), start, size)
        )

    def _blocks(self, most: int) -> Iterator[bytes]:
        with open(self._path, "rb", buffering=0) as file:
            first = True
            while block := file.read(most):
                if self._closed:
                    raise SourceError(f"{self._name}: reading was stopped")
                if first and block.startswith(tuple(_COMPRESSED)):
                    raise SourceError(
                        f"{self._name} is compressed, and compressed files cannot be read yet", self._unpacked(block)
                    )
                first = False
                yield block

    def close(self) -> None:
        """From any thread: reading ends with the next block, and the reader closes the file."""
        self._closed = True

    def _unpacked(self, block: bytes) -> str:
        command = next(command for magic, command in _COMPRESSED.items() if block.startswith(magic))
        return f"read it with a command: `items: $({command} FILE)`, or `{{from: command, …}}`"

    def _unreadable(self, error: OSError | ValueError) -> SourceError:
        if isinstance(error, FileNotFoundError) and "://" in self._name:
            return SourceError(
                f"{self._name}: items from URLs come in a later version; a path is needed, or a command that gives lines"
            )
        if isinstance(error, OSError):
            return unreadable(self._name, error)
        return SourceError(f"{self._name!r} is not a path: {error}")
