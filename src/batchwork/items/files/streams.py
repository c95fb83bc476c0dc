"""A stream of bytes cut into lines (or at NUL bytes), and these read as items in some format. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from batchwork.errors import SourceError
from batchwork.items.base import Chunk
from batchwork.ports import Row, Rows

BLOCK_BYTES = 256 * 1024
BLOCK_BYTES_LEAST = 512
BYTES_AN_ITEM = 64
"""What an item is thought to take when reading may not run ahead."""
LINE_BYTES_MAX = 64 * 1024 * 1024
"""A longer line is an error: one item must not take the memory of all."""

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LINE_END, _NUL = b"\n", b"\0"

Blocks: TypeAlias = Iterable[bytes | None]
"""A stream of bytes, in UTF-8 where it is text; None, which means that nothing more is there for now, is passed on."""
Read: TypeAlias = Callable[[str, bytes, int], Rows]
"""(what is read, whole lines, the number of the first of them from 1) → their items, with a BadRow for what cannot be read."""
Format: TypeAlias = Callable[[str, Blocks], Iterator[Chunk | None]]
"""(what is read, its bytes) → its items."""


def numbered(name: str, items: list[Row], there: Sequence[bool], number: int) -> Rows:
    """The items of lines of which some are left out: `there` says for each line whether it has one, `number` is the first's."""
    if len(items) == len(there):
        return Rows(name, items, [(0, number)])
    return Rows(name, items, standing([number + offset for offset, is_there in enumerate(there) if is_there]))


def standing(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The numbers of the lines of items as `Rows` takes them: only where an item does not stand one line below the last."""
    lines: list[tuple[int, int]] = []
    expected = -1
    for at, number in enumerate(numbers):
        if number != expected:
            lines.append((at, number))
        expected = number + 1
    return lines


def block_bytes(size: int) -> int:
    """How much to read at once for pages of `size` items: with small ones little, because what was read has left its source."""
    return max(BLOCK_BYTES_LEAST, min(BLOCK_BYTES, size * BYTES_AN_ITEM))


def by_lines(read: Read) -> Format:
    """The format whose items are read from lines."""

    def items_of(name: str, blocks: Blocks) -> Iterator[Chunk | None]:
        return _items_of(name, whole_lines(name, blocks), read, _LINE_END)

    return items_of


def by_nul(name: str, blocks: Blocks) -> Iterator[Chunk | None]:
    """The texts between NUL bytes, without empty ones, whatever else is in them. Numbered from 1 as lines are."""
    return _items_of(name, _whole(name, blocks, _NUL), _read_nul, _NUL)


def _read_nul(name: str, data: bytes, number: int) -> Rows:
    found = data.decode("utf-8", "surrogateescape").removesuffix("\0").split("\0")
    return numbered(name, [*filter(None, found)], [*map(bool, found)], number)


def _items_of(name: str, parts: Blocks, read: Read, end: bytes) -> Iterator[Chunk | None]:
    number = 1
    for part in parts:
        if part is None:
            yield None
            continue
        yield read(name, part, number), len(part)
        number += part.count(end)


def whole_lines(name: str, blocks: Blocks) -> Iterator[bytes | None]:
    """The bytes again, cut at line ends only, without a byte order mark at the start."""
    return _whole(name, _unmarked(name, blocks), _LINE_END)


def _whole(name: str, blocks: Blocks, mark: bytes) -> Iterator[bytes | None]:
    """The bytes again, cut only behind `mark`."""
    waiting: list[bytes] = []  # pieces of a line that has not ended
    length = number = 0
    for block in blocks:
        if not block:
            yield None
            continue
        end = block.rfind(mark) + 1
        if end:
            lines = b"".join([*waiting, block[:end]])
            waiting, length = [block[end:]], len(block) - end
            number += lines.count(mark)
            yield lines
        else:
            waiting.append(block)
            length += len(block)
        if length > LINE_BYTES_MAX:
            raise too_long(name, number + 1, mark)
    if length:
        yield b"".join(waiting)


def too_long(name: str, number: int, mark: bytes = _LINE_END) -> SourceError:
    """What is said of a line that takes more memory than an item may."""
    what, ends = ("line", "line ends") if mark == _LINE_END else ("entry", "NUL bytes between its entries")
    return SourceError(
        f"{name}:{number}: the {what} is longer than {LINE_BYTES_MAX >> 20} MiB",
        f"does the file have {ends}? One large value can be given by its path instead",
    )


def _unmarked(name: str, blocks: Blocks) -> Iterator[bytes | None]:
    """The bytes without a byte order mark at the start, which may come in pieces."""
    start: bytes | None = b""
    for block in blocks:
        if start is None or not block:
            yield block
            continue
        start += block
        if len(start) < len(_BOM) and (_BOM.startswith(start) or start in {mark[:1] for mark in _UTF16}):
            continue
        yield _without_mark(name, start)
        start = None
    if start:
        yield _without_mark(name, start)


def _without_mark(name: str, block: bytes) -> bytes:
    if block.startswith(_UTF16):
        raise SourceError(f"{name}: this is UTF-16, not UTF-8", "`encoding: utf-16` reads it")
    return block.removeprefix(_BOM)
