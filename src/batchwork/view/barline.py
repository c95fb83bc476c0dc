"""One step's line among progress bars, fitted to the terminal's width. Pure text; styles are named, not drawn."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from batchwork.model import Counts
from batchwork.text.wording import columns, duration, ljust, number, rate, share, short, visible

NAME_MAX = 24
BAR_MIN, BAR_MAX, BAR_RANK = 8, 40, 2
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Standing(Struct, frozen=True):
    """All that a line says about a running step. `left_s` is None while nobody can tell; `elapsed_s` since its start."""

    step: str
    batch: bool
    counts: Counts
    running: int
    retrying: int
    per_s: float
    left_s: float | None
    elapsed_s: float


class Bit(Struct, frozen=True):
    """A piece of a line. Pieces of the highest `rank` are left out first where the terminal is narrow."""

    text: str
    rank: int
    style: str = ""


def lines(standings: Sequence[Standing], width: int, tick: int) -> list[list[Bit]]:
    """The pieces of each line, with bars of one length among them; a line's texts joined by spaces fit `width` columns."""
    name_width = max(
        (min(columns(visible(standing.step)), NAME_MAX, max(width // 4, 4)) for standing in standings), default=0
    )
    rows = [_fitted(standing, width, name_width, tick) for standing in standings]
    rooms = [_room(standing, row, width) for standing, row in zip(standings, rows, strict=True)]
    length = min((room for room in rooms if room >= BAR_MIN), default=0)
    for standing, row, room in zip(standings, rows, rooms, strict=True):
        if room >= length >= BAR_MIN:
            row[1:1] = _bar_pieces(standing.counts, min(length, BAR_MAX))
    return rows


def _bar_pieces(counts: Counts, width: int) -> list[Bit]:
    full, empty = bar(counts.finished, counts.total or 0, width)
    return [Bit(full, 0, "full"), Bit(empty, 0, "empty")]


def _room(standing: Standing, row: list[Bit], width: int) -> int:
    """Columns that are left for a bar, where one can be drawn."""
    if not (standing.batch and standing.counts.total):
        return 0
    return width - _length(row) - 1


def _fitted(standing: Standing, width: int, name_width: int, tick: int) -> list[Bit]:
    """The pieces of the line without its bar, which is left out where there is room only for what matters more."""
    parts = [Bit(ljust(short(visible(standing.step), name_width), name_width), 0)]
    if not standing.batch:
        return [*parts, Bit(f"{SPINNER[tick % len(SPINNER)]} running {duration(standing.elapsed_s)}", 0)]
    parts += _facts(standing, tick)
    bar_room = BAR_MIN + 1 if standing.counts.total else 0
    while _length(parts) + bar_room > width:
        least = max(parts, key=lambda part: part.rank)
        if bar_room and least.rank <= BAR_RANK:
            bar_room = 0
        elif least.rank:
            parts.remove(least)
        else:
            break
    return parts


def _facts(standing: Standing, tick: int) -> list[Bit]:
    counts = standing.counts
    if counts.total is None:
        parts = [Bit(f"{SPINNER[tick % len(SPINNER)]} {number(counts.finished)} done", 0)]
    else:
        parts = [
            Bit(f"{share(counts.finished, counts.total):>5}", 1),
            Bit(f"{number(counts.finished)}/{number(counts.total)}", 0),
        ]
    parts.append(Bit(rate(standing.per_s), 3))
    if counts.failed:
        parts.append(Bit(f"{number(counts.failed)} failed", 0, "bad"))
    if standing.retrying:
        parts.append(Bit(f"{number(standing.retrying)} to retry", 4, "warn"))
    if standing.running and not counts.finished:
        parts.append(Bit(f"{number(standing.running)} running", 5))
    if standing.left_s is not None:
        parts.append(Bit(f"{duration(max(standing.left_s, 1))} left", 2))
    return parts


def bar(done: int, total: int, width: int) -> tuple[str, str]:
    """The done and the open part of a bar of `width` columns; full only when all is done."""
    full = width
    if done < total:
        full = min(int(width * done / total), width - 1)
    return "━" * full, "─" * (width - full)


def _length(parts: list[Bit]) -> int:
    return sum(columns(part.text) + 1 for part in parts) - 1
