"""The bytes of a file far away: what breaks off is asked for again, and goes on where it broke off. How files are opened is not known here."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, Final, Protocol, TypeVar

from batchwork.errors import SourceError

_Found = TypeVar("_Found")

TRIES: Final = 5
"""So many times in a row may reading break off without a byte."""
PAUSE_S: Final = 0.2
"""How long to wait after the first time; then twice as long each time."""


class Distant(Protocol):
    """A file that can be opened again and again. `closed` is set where nobody wants it any longer."""

    name: str
    closed: Event

    def version(self) -> str:
        """What changes when its content does. Raises SourceError."""
        ...

    def opened_at(self, offset: int) -> Any:
        """What is read from, whose next byte is that at `offset`. Raises anything."""
        ...

    def opened_anywhere(self) -> Any:
        """What is read from and sought in. Raises anything."""
        ...

    def failed(self, error: Exception) -> SourceError:
        """What an error means, for people."""
        ...


class _Remote(io.RawIOBase):
    """The bytes of a remote file from an offset on. What breaks off is asked for again."""

    def __init__(self, file: Distant) -> None:
        self._file, self._offset = file, 0
        self._open: Any = None
        self._version: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = _read_again(self._file, lambda: self._read(len(buffer)), self._forget)
        self._offset += len(block)
        buffer[: len(block)] = block
        return len(block)

    def _read(self, most: int) -> bytes:
        """Up to so many bytes at the offset; none at the end. Raises whatever fsspec raises."""
        raise NotImplementedError

    def _check_same(self) -> None:
        """The rest of another file must not follow the beginning of one."""
        version = self._file.version()
        if self._version not in {None, version}:
            raise SourceError(f"{self._file.name} changed while it was read", "`resume` reads it again")
        self._version = version

    def _forget(self) -> None:
        file, self._open = self._open, None
        if file is not None:
            _closed(file)

    def close(self) -> None:
        self._forget()
        super().close()


class InOrder(_Remote):
    """One byte after the other."""

    def _read(self, most: int) -> bytes:
        if self._open is None:
            self._check_same()
            self._open = self._file.opened_at(self._offset)
            if self._offset:
                self._check_same()  # what is open now may have come in between
        block: bytes = self._open.read(most)
        return block


class Anywhere(_Remote):
    """In any order. Each reading asks for just what it wants."""

    def __init__(self, file: Distant) -> None:
        super().__init__(file)
        self._size = _read_again(file, self._whole_size, self._forget)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._offset = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size}[whence]
        return self._offset

    def _whole_size(self) -> int:
        with self._needing_parts():
            size: int = self._opened().seek(0, io.SEEK_END)
        return size

    def _read(self, most: int) -> bytes:
        with self._needing_parts():
            file = self._opened()
            file.seek(self._offset)
            block: bytes = file.read(most)
        if len(block) < min(most, self._size - self._offset):
            raise EOFError(f"{len(block)} bytes came, where {most} were asked for")
        return block

    @contextmanager
    def _needing_parts(self) -> Iterator[None]:
        """What fsspec raises where a web server knows no ranges."""
        try:
            yield
        except ValueError as error:
            message = f"{self._file.name}: the server gives only whole files, and tables are read in parts"
            raise SourceError(message, "a copy on this machine can be read") from error

    def _opened(self) -> Any:
        if self._open is None:
            self._check_same()
            self._open = self._file.opened_anywhere()
            if self._offset:
                self._check_same()
        return self._open


def _read_again(file: Distant, read: Callable[[], _Found], forget: Callable[[], None]) -> _Found:
    """What `read` gives, which is called again where it breaks off, after `forget`. Raises SourceError."""
    for attempt in range(TRIES):
        if file.closed.wait(PAUSE_S * 2 ** (attempt - 1) if attempt else 0):
            break
        try:
            return read()
        except Exception as error:
            forget()
            if attempt + 1 == TRIES or isinstance(error, SourceError | FileNotFoundError | PermissionError):
                raise file.failed(error) from error
    raise SourceError(f"{file.name}: reading was stopped")


def _closed(file: Any) -> None:
    try:
        file.close()
    except Exception:  # noqa: BLE001  # it is what broke off
        return
