"""Units that succeeded in one call, packed into one row of the table `block`, and back. No statement is executed here.

What many units say in texts (keys, values, results) is packed as lines of one text. A single line stands for all units, an
empty line for a value that is the key. Keys that are numbers in even steps are only the first one and the step. Durations
are a blob of as many numbers as there are units, the low byte first, each as wide as the largest needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from batchwork.model import Successes
from batchwork.store.sqlite.rows import Cell, Row, integer_in, same, text_in, unless_null
from batchwork.text.numerals import Numerals

LEAST = 16
"""Fewer units than these are rows of their own."""
LARGEST_CHARACTERS = 1 << 20
"""About so much text is in one block at most: who reads one unit of it reads it all."""
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class UnfitError(Exception):
    """Some text has a line break in it: these units are rows of their own."""


def runs(part: Successes) -> Iterator[range]:
    """The offsets of units that can be packed, run by run: their seqs follow each other, and are their positions."""
    seqs = part.seqs
    if part.attempt != 1 or part.members is not None or not same(part.indexes, seqs):
        return
    start = 0
    for stop in [*_gaps(seqs), len(seqs)]:
        if stop - start >= LEAST:
            yield from _pieces(part, start, stop)
        start = stop


def _gaps(seqs: Sequence[int]) -> list[int]:
    """The offsets at which a new run begins."""
    if not seqs or same(seqs, range(seqs[0], seqs[0] + len(seqs))):
        return []
    return [at for at in range(1, len(seqs)) if seqs[at] != seqs[at - 1] + 1]


def _pieces(part: Successes, start: int, stop: int) -> Iterator[range]:
    """A run, cut where there would be too much text in it."""
    characters = sum(map(len, part.results[start:stop])) + sum(map(len, filter(None, part.values[start:stop])))
    pieces = min(1 + characters // LARGEST_CHARACTERS, (stop - start) // LEAST)
    size = -(-(stop - start) // pieces)
    for begin in range(start, stop, size):
        yield range(begin, min(begin + size, stop))


def packed(part: Successes, run: range, first: int) -> Row:
    """The parameters of `block_add.sql`; `first` is the id of seq 0. Raises UnfitError."""
    within = slice(run.start, run.stop)
    numbers = _numbers(keys := part.keys[within])
    return (
        first | part.seqs[run.start],
        len(run),
        part.started_ms,
        part.worker,
        *(numbers or (None, None)),
        None if numbers else _lines(keys),
        _input(part.values[within]),
        _lines(part.results[within]),
        _narrow(part.durations_us[within]),
    )


def _numbers(keys: Sequence[str]) -> tuple[int, int] | None:
    """The first number and the step of keys that are numbers in even steps."""
    if not all(map(_is_short_number, (keys[0], keys[1], keys[-1]))):
        return None
    first, second = int(keys[0]), int(keys[1])
    if first == second or keys != _spelt(first, second - first, len(keys)):
        return None
    return first, second - first


def _is_short_number(key: str) -> bool:
    """Whether it is spelt with at most 18 digits: such a number fits into a cell."""
    digits = key.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= 18


def _spelt(first: int, step: int, count: int) -> Numerals:
    return Numerals(range(first, first + step * count, step))


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
    number, units, started, worker, key_first, key_by, keys, values, results, durations = row
    seqs = seqs_of((number, units), first)
    return Successes(
        attempt=1,
        started_ms=integer_in(started),
        worker=text_in(worker),
        seqs=seqs,
        indexes=seqs,
        keys=keys_of((units, key_first, key_by, keys)),
        values=values_of(values, len(seqs)),
        results=texts_of(results, len(seqs)),
        durations_us=_widened(durations, len(seqs)),
    )


def seqs_of(row: Row, first: int) -> range:
    """Of a block's id and number of units."""
    start = integer_in(row[0]) - first
    return range(start, start + integer_in(row[1]))


def keys_of(row: Row) -> Sequence[str]:
    """Of a block's number of units and its three columns of keys."""
    units, first, step, keys = row
    if keys is not None:
        return texts_of(keys, integer_in(units))
    return _spelt(integer_in(first), integer_in(step), integer_in(units))


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
