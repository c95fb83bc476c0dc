"""Units that succeeded in one call, packed into one row of the table `block`, and back. No statement is executed here.

What many units say in texts (keys, values, results) is packed as lines of one text. A single line stands for all units, an
empty line for a value that is the key. Keys that are numbers which grow evenly with the seqs are only the first one and the
step. Seqs that follow each other are only the first one; `missing` are those between, of units that are not in the block. Durations
are a blob of as many numbers as there are units, the low byte first, each as wide as the largest needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import lt

from batchwork.model import Successes
from batchwork.store.tables.rows import Cell, Row, integer_in, same, text_in, unless_null
from batchwork.text import jsontext
from batchwork.text.numerals import Numerals

LEAST = 16
"""Fewer units than these are rows of their own."""
LARGEST_CHARACTERS = 1 << 20
"""About so much text is in one block at most: who reads one unit of it reads it all."""
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class UnfitError(Exception):
    """Some text has a line break in it: these units are rows of their own."""


def runs(part: Successes) -> list[range]:
    """The offsets of units that can be packed together: their positions are their seqs, and there are no large gaps between these."""
    seqs = part.seqs
    if part.attempt != 1 or part.members is not None or len(seqs) < LEAST or not same(part.indexes, seqs):
        return []
    whole = range(len(seqs))
    if seqs[-1] - seqs[0] < 2 * len(seqs) and (isinstance(seqs, range) or all(map(lt, seqs, seqs[1:]))):
        return [*_pieces(part, whole)]
    return [piece for run in closed(part, whole) for piece in _pieces(part, run)]


def closed(part: Successes, run: range) -> list[range]:
    """The parts of a run in which each seq follows the one before it, as far as they are long enough."""
    edges = [run.start, *(at + run.start for at in gaps(part.seqs[run.start : run.stop])), run.stop]
    return [range(start, stop) for start, stop in pairwise(edges) if stop - start >= LEAST]


def gaps(seqs: Sequence[int]) -> list[int]:
    """The offsets of seqs that do not follow the one before them."""
    if not seqs or same(seqs, range(seqs[0], seqs[0] + len(seqs))):
        return []
    return [at for at in range(1, len(seqs)) if seqs[at] != seqs[at - 1] + 1]


def _pieces(part: Successes, run: range) -> Iterator[range]:
    """A run, cut where there would be too much text in it."""
    results, values = part.results[run.start : run.stop], part.values[run.start : run.stop]
    characters = sum(map(len, results)) + sum(map(len, filter(None, values)))
    pieces = max(1, min(1 + characters // LARGEST_CHARACTERS, len(run) // LEAST))
    size = -(-len(run) // pieces)
    for begin in range(run.start, run.stop, size):
        yield range(begin, min(begin + size, run.stop))


def packed(part: Successes, run: range, first: int) -> Row:
    """The parameters of `block_add.sql`; `first` is the id of seq 0. Raises UnfitError."""
    within = slice(run.start, run.stop)
    seqs, keys = part.seqs[within], part.keys[within]
    numbers = _numbers(keys, seqs)
    return (
        first | seqs[0],
        (first | seqs[-1]) + 1,
        len(run),
        _missing(seqs),
        part.started_ms,
        part.worker,
        *(numbers or (None, None)),
        None if numbers else _lines(keys),
        _input(part.values[within]),
        _lines(part.results[within]),
        _narrow(part.durations_us[within]),
    )


def _missing(seqs: Sequence[int]) -> str | None:
    """Which numbers between the first seq and the last one are none of the seqs, counted from the first one."""
    lacking = [number - seqs[0] for at in gaps(seqs) for number in range(seqs[at - 1] + 1, seqs[at])]
    return jsontext.encode(lacking) if lacking else None


def _numbers(keys: Sequence[str], seqs: Sequence[int]) -> tuple[int, int] | None:
    """The number that is the first key, and by how much it grows with each seq, if keys are such numbers."""
    if not all(map(_is_short_number, (keys[0], keys[1], keys[-1]))):
        return None
    first = int(keys[0])
    step, rest = divmod(int(keys[1]) - first, seqs[1] - seqs[0])
    if step == 0 or rest or keys != _spelt(first, step, seqs):
        return None
    return first, step


def _is_short_number(key: str) -> bool:
    """Whether it is spelt with at most 18 digits: such a number fits into a cell."""
    digits = key.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= 18


def _spelt(first: int, step: int, seqs: Sequence[int]) -> Numerals:
    """The keys of seqs that grow with them."""
    if isinstance(seqs, range) or not gaps(seqs):
        return Numerals(range(first, first + step * len(seqs), step))
    return Numerals([first + step * (seq - seqs[0]) for seq in seqs])


def _input(values: Sequence[str | None]) -> str | None:
    return _lines([text or "" for text in values]) if any(values) else None


def _lines(texts: Sequence[str]) -> str:
    if texts.count(texts[0]) == len(texts):
        texts = texts[:1]
    text = "\n".join(texts)
    if text.count("\n") != len(texts) - 1:
        raise UnfitError
    return text


def _narrow(numbers: Sequence[int]) -> bytes:
    largest = max(numbers)
    width = next(width for width in _WIDTHS if largest < 1 << 8 * width)
    return struct.pack(f"<{len(numbers)}{_WIDTHS[width]}", *numbers)


# ---------------------------------------------------------------- back


def unpacked(row: Row, first: int) -> Successes:
    """The units of a row of `blocks.sql`; `first` is the id of seq 0."""
    number, units, missing, started, worker, key_first, key_by, keys, values, results, durations = row
    seqs = seqs_of((number, units, missing), first)
    return Successes(
        attempt=1,
        started_ms=integer_in(started),
        worker=text_in(worker),
        seqs=seqs,
        indexes=seqs,
        keys=keys_of((key_first, key_by, keys), seqs),
        values=values_of(values, len(seqs)),
        results=texts_of(results, len(seqs)),
        durations_us=_widened(durations, len(seqs)),
    )


def seqs_of(row: Row, first: int) -> Sequence[int]:
    """Of a block's id, number of units and missing ones."""
    number, units, missing = row
    start, count = integer_in(number) - first, integer_in(units)
    if missing is None:
        return range(start, start + count)
    lacking: set[int] = set(jsontext.decode(text_in(missing)))  # type: ignore[arg-type]
    return [start + at for at in range(count + len(lacking)) if at not in lacking]


def keys_of(row: Row, seqs: Sequence[int]) -> Sequence[str]:
    """Of a block's three columns of keys and its seqs."""
    first, step, keys = row
    if keys is not None:
        return texts_of(keys, len(seqs))
    return _spelt(integer_in(first), integer_in(step), seqs)


def values_of(cell: Cell, units: int) -> Sequence[str | None]:
    """A block's values, None where the key is the value."""
    texts = unless_null(text_in, cell) or ""
    return [text or None for text in texts_of(texts, units)]


def texts_of(cell: Cell, units: int) -> Sequence[str]:
    """The texts that are packed in lines."""
    lines = text_in(cell).split("\n")
    return lines if len(lines) > 1 else lines * units


def _widened(cell: Cell, units: int) -> Sequence[int]:
    assert isinstance(cell, bytes)
    return struct.unpack(f"<{units}{_WIDTHS[len(cell) // units]}", cell)
