"""Tables for people: columns as wide as they need, cut where the terminal is narrower, whole in a pipe. Pure; nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from batchwork.text.wording import columns, ljust, rjust, short, visible

MEASURED_ROWS = 1_000
"""Rows that are looked at before the first is shown: a table may have a million."""
GAP = "  "
LAST_MOST = 200
"""Columns that the last cell gets where no terminal says how many there are."""


class Column(NamedTuple):
    """A column: its head, on which side its cells stand, and what becomes of it where there is no room.

    `width`: columns of the terminal that it takes at least, so that figures of a kind stand alike in all tables.
    `least`: it may be cut to so many (None: never). `spare`: it may be left out.
    """

    head: str
    right: bool = False
    width: int = 0
    least: int | None = None
    spare: bool = False


def table_lines(head: Sequence[Column], rows: Iterable[Sequence[str]], room: int | None) -> Iterator[str]:
    """The lines of a table, its head first. `room` is the width of the terminal; None: a pipe, where only the last cell is cut."""
    shown = ([visible(cell) for cell in row] for row in rows)
    first = list(islice(shown, MEASURED_ROWS))
    names = [column.head for column in head]
    needed = [max(column.width, *(columns(row[index]) for row in [names, *first])) for index, column in enumerate(head)]
    widths = needed if room is None else fitted(head, needed, room)
    for row in chain([names], first, shown):
        yield _line(head, row, widths, room)


def fitted(head: Sequence[Column], needed: Sequence[int], room: int) -> list[int]:
    """How wide each column is (0: left out) so that all fit `room`, if they can: the widest are cut first, then spare ones go."""
    widths = list(needed)
    widths[-1] = min(needed[-1], head[-1].least or needed[-1])
    spare = [index for index, column in enumerate(head) if column.spare]
    while _over(_cut(head, widths, room), room) > 0 and spare:
        widths[spare.pop()] = 0
    widths = _cut(head, widths, room)
    widths[-1] = max(room - _taken(widths[:-1]) - len(GAP), 1)
    return widths


def _cut(head: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The widths, the widest of those that may be cut made smaller until all fit or none can be cut further."""
    cut = list(widths)
    while (over := _over(cut, room)) > 0:
        can = [
            index for index, column in enumerate(head[:-1]) if column.least is not None and cut[index] > column.least
        ]
        if not can:
            break
        widest = max(can, key=lambda index: cut[index])
        others = [cut[index] for index in can if cut[index] < cut[widest]]
        floor = max([head[widest].least or 0, *others])
        cut[widest] = max(cut[widest] - over, min(floor, cut[widest] - 1))
    return cut


def _over(widths: Sequence[int], room: int) -> int:
    return _taken(widths) - room


def _taken(widths: Sequence[int]) -> int:
    """Columns of the terminal that the cells and the gaps between them take."""
    there = [width for width in widths if width]
    return sum(there) + len(GAP) * max(len(there) - 1, 0)


def _line(head: Sequence[Column], row: Sequence[str], widths: Sequence[int], room: int | None) -> str:
    """One line. A cell that is wider than its column (not in the rows that were measured) takes room from the last."""
    cells: list[str] = []
    slack = max(widths[-1] - (head[-1].least or widths[-1]), 0)
    for column, cell, width in zip(head[:-1], row, widths, strict=False):
        if not width:
            continue
        text = cell
        if room is not None:
            text = short(cell, width + slack if columns(cell) <= width + slack else width)
            slack -= max(columns(text) - width, 0)
        justify = rjust if column.right else ljust
        cells.append(justify(text, width))
    start = GAP.join(cells)
    if room is None:
        return f"{start}{GAP}{short(row[-1], LAST_MOST)}".rstrip()
    left = room - columns(start) - len(GAP)
    return short(f"{start}{GAP}{short(row[-1], max(left, 1))}".rstrip(), room)
