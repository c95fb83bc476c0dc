"""A stream of bytes cut into lines, and these read as items in some format. Nothing is opened here."""

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

Format: TypeAlias = Callable[[str, bytes, int], Rows]
"""(what is read, whole lines, the number of the first of them from 1) → their items, with a BadRow for what cannot be read."""


def numbered(name: str, items: list[Row], there: Sequence[bool], number: int) -> Rows:
    """The items of lines of which some are left out: `there` says for each line whether it has one, `number` is the first's."""
    if len(items) == len(there):
        return Rows(name, items, [(0, number)])
    lines: list[tuple[int, int]] = []
    expected = 0
    offsets = (offset for offset, is_there in enumerate(there) if is_there)
    for at, offset in enumerate(offsets):
        if at == 0 or offset != expected:
            lines.append((at, number + offset))
        expected = offset + 1
    return Rows(name, items, lines)


def block_bytes(size: int) -> int:
    """How much to read at once for pages of `size` items: with small ones little, because what was read has left its source."""
    return max(BLOCK_BYTES_LEAST, min(BLOCK_BYTES, size * BYTES_AN_ITEM))


def items_of(name: str, blocks: Iterable[bytes | None], read: Format) -> Iterator[Chunk | None]:
    """The items in a stream of bytes. None, which means that nothing more is there for now, is passed on."""
    number = 1
    for lines in _whole_lines(name, blocks):
        if lines is None:
            yield None
            continue
        yield read(name, lines, number), len(lines)
        number += lines.count(b"\n")


def _whole_lines(name: str, blocks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """The bytes again, cut at line ends only, without a byte order mark at the start."""
    waiting: list[bytes] = []  # pieces of a line that has not ended
    length = number = 0
    first = True
    for block in blocks:
        if not block:
            yield None
            continue
        if first:
            block, first = _without_mark(name, b"".join(waiting) + block), False  # noqa: PLW2901
            waiting, length = [], 0
            if len(block) < len(_BOM) and _BOM.startswith(block):
                first = True  # a mark may have come in pieces
        end = block.rfind(b"\n") + 1
        if end:
            lines = b"".join([*waiting, block[:end]])
            waiting, length = [block[end:]], len(block) - end
            number += lines.count(b"\n")
            yield lines
        else:
            waiting.append(block)
            length += len(block)
        if length > LINE_BYTES_MAX:
            raise SourceError(
                f"{name}:{number + 1}: the line is longer than {LINE_BYTES_MAX >> 20} MiB",
                "items are lines; does the file have line ends? One large value can be given by its path instead",
            )
    if length and (rest := b"".join(waiting)) != _BOM:
        yield rest


def _without_mark(name: str, block: bytes) -> bytes:
    if block.startswith(_UTF16):
        raise SourceError(
            f"{name}: this is UTF-16, not UTF-8", "convert it, for example with `iconv -f UTF-16 -t UTF-8`"
        )
    return block.removeprefix(_BOM)
