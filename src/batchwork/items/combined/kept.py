"""The items of a source read once and kept: the first in memory, the rest in a file without a name. What is made of them is not here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import IO, Final

from batchwork.ports import BadRow, ItemSource
from batchwork.text.jsontext import Json, decode, encode

IN_MEMORY: Final = 10_000
"""So many items of each source are kept in memory."""
PAGE: Final = 1_000


class Kept:
    """`bad` are the rows that could not be read. Raises SourceError where the source does."""

    def __init__(self, source: ItemSource) -> None:
        self.first: list[Json] = []
        self.bad: list[BadRow] = []
        self._rest: IO[bytes] | None = None
        for page in source.pages(0, PAGE):
            for row in page:
                self._keep(row)

    def _keep(self, row: Json | BadRow) -> None:
        if isinstance(row, BadRow):
            self.bad.append(row)
        elif len(self.first) < IN_MEMORY:
            self.first.append(row)
        else:
            self._rest = self._rest or tempfile.TemporaryFile(prefix="batchwork-items-")  # noqa: SIM115 - closed by `close`
            self._rest.write(encode(row).encode() + b"\n")

    @property
    def is_in_memory(self) -> bool:
        return self._rest is None

    def __iter__(self) -> Iterator[Json]:
        """All of them again; several readers may be under way at once."""
        yield from self.first
        if self._rest is not None:
            self._rest.flush()
            with open(os.dup(self._rest.fileno()), "rb", buffering=0) as file:
                yield from _lines(file)

    def close(self) -> None:
        """The file is gone with this."""
        if self._rest is not None:
            self._rest.close()


def _lines(file: IO[bytes]) -> Iterator[Json]:
    """The values of a file's lines, read from their own place: a descriptor that was doubled shares its position."""
    at, left = 0, b""
    while block := os.pread(file.fileno(), 256 * 1024, at):
        at += len(block)
        *whole, left = (left + block).split(b"\n")
        yield from map(decode, whole)
