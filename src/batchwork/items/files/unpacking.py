"""Compressed files as streams of what is in them: which compression one has, and its members unpacked. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from msgspec import Struct

from batchwork.errors import SourceError
from batchwork.items.packages import READING_ZSTD
from batchwork.plugins import needed
from batchwork.text.patterns import is_url

_PIECE: Final = 2048
"""What zstd gets at once. It cannot be told how much to give, and this is at most some megabytes."""


class Readable(Protocol):
    """A file, of which a part can be looked at before it is read."""

    def peek(self, size: int, /) -> bytes: ...

    def read1(self, size: int, /) -> bytes: ...


class _Kind(Struct, frozen=True):
    """One kind of compression: how its files end and begin, and a function that unpacks a member of one."""

    name: str
    ending: str
    magic: bytes
    begin: Callable[[], _Member]


class _Member(Protocol):
    """One of the compressed streams that a file may hold one after another."""

    def unpack(self, data: bytes, most: int) -> Iterator[bytes]:
        """What comes out with these bytes, about `most` at a time."""
        ...

    def rest(self) -> bytes | None:
        """What stands behind its end; None where it has not ended."""
        ...


def unpacked(name: str, file: Readable, most: int) -> Iterator[bytes]:
    """What is in the file, about `most` bytes at a time; the file as it is where it is not compressed. Raises SourceError."""
    start = file.peek(8)
    kind = next((kind for kind in _KINDS if start.startswith(kind.magic)), None)
    if kind is None and (named := by_ending(name)) is not None:
        seen = "it begins otherwise" if start else "it is empty"
        raise SourceError(
            f"{name}: this is no {named.name} file: {seen}", "a file that is not compressed needs a name that says so"
        )
    if kind is None:
        while block := file.read1(most):
            yield block
    else:
        yield from _sound(name, kind, _members(kind, file, most))


def by_ending(name: str) -> _Kind | None:
    """The compression that the name of a file speaks of."""
    path = name.partition("?")[0] if is_url(name) else name
    return next((kind for kind in _KINDS if path.endswith(kind.ending)), None)


def _members(kind: _Kind, file: Readable, most: int) -> Iterator[bytes]:
    """What all members hold; zeros that fill up the end of a file are none."""
    member, ended = kind.begin(), False
    while data := file.read1(most):
        while data := data.lstrip(b"\0") if ended else data:
            if ended:
                member, ended = kind.begin(), False
            yield from filter(None, member.unpack(data, most))
            rest = member.rest()
            if rest is None:
                break
            data, ended = rest, True
    if not ended:
        raise EOFError


def _sound(name: str, kind: _Kind, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, with what a broken archive raises as SourceError."""
    try:
        yield from blocks
    except EOFError:
        message = f"{name}: the {kind.name} file breaks off before its end"
        raise SourceError(message, "is it still being written, or was it copied in part?") from None
    except Exception as error:
        if type(error).__name__ not in {"error", "LZMAError", "ZstdError"} and getattr(error, "errno", 0) is not None:
            raise
        reason = str(error)[:200] or "its content makes no sense"
        raise SourceError(f"{name}: the {kind.name} file is damaged: {reason}", "what comes before was read") from error


class _Gzip:
    def __init__(self) -> None:
        import zlib

        self._machine = zlib.decompressobj(wbits=31)

    def unpack(self, data: bytes, most: int) -> Iterator[bytes]:
        while True:
            yield self._machine.decompress(data, most)
            data = self._machine.unconsumed_tail
            if self._machine.eof or not data:
                return

    def rest(self) -> bytes | None:
        return self._machine.unused_data if self._machine.eof else None


class _Bounded:
    """Of bz2 and lzma, which keep what they have no room for."""

    def __init__(self, machine: Any) -> None:
        self._machine = machine

    def unpack(self, data: bytes, most: int) -> Iterator[bytes]:
        yield self._machine.decompress(data, most)
        while not self._machine.eof and not self._machine.needs_input:
            yield self._machine.decompress(b"", most)

    def rest(self) -> bytes | None:
        return self._machine.unused_data if self._machine.eof else None


class _Zstd:
    def __init__(self) -> None:
        self._machine = needed("zstandard", READING_ZSTD).ZstdDecompressor().decompressobj()
        self._behind = b""

    def unpack(self, data: bytes, most: int) -> Iterator[bytes]:
        pieces: list[bytes] = []
        for start in range(0, len(data), _PIECE):
            pieces.append(self._machine.decompress(data[start : start + _PIECE]))
            if self._machine.eof:
                self._behind = self._machine.unused_data + data[start + _PIECE :]
                break
            if sum(map(len, pieces)) >= most:
                yield b"".join(pieces)
                pieces = []
        yield b"".join(pieces)

    def rest(self) -> bytes | None:
        return self._behind if self._machine.eof else None


def _bz2() -> _Member:
    import bz2

    return _Bounded(bz2.BZ2Decompressor())


def _xz() -> _Member:
    import lzma

    return _Bounded(lzma.LZMADecompressor())


_KINDS: Final = (
    _Kind("gzip", ".gz", b"\x1f\x8b", _Gzip),
    _Kind("bzip2", ".bz2", b"BZh", _bz2),
    _Kind("xz", ".xz", b"\xfd7zXZ\x00", _xz),
    _Kind("zstd", ".zst", b"(\xb5/\xfd", _Zstd),
)
