"""Units of a step as rows in input order, column by column, read from the store a page at a time. Their texts are not read here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import astuple

from batchwork.model import BAD_ROW, FINAL, Failure, UnitStatus
from batchwork.ports import Store, UnitPage, UnitView
from batchwork.ports.recorded import unit_failure, value_text

FIRST: Final = 8
MOST: Final = 4_000
GROWTH: Final = 8
"""Units in a page: a few at first, then more while their texts are short. Each look into the store has its price."""
LISTED: Final = 500
CHARS: Final = 400_000


class UnitRows(Struct, frozen=True):
    """Some units, column by column. `results` and `items` are JSON texts, None where there is none, or nobody asked."""

    indexes: Sequence[int]
    keys: Sequence[str]
    statuses: Sequence[str]
    attempts: Sequence[int]
    results: Sequence[str | None]
    items: Sequence[str | None]
    failures: Sequence[Failure | None]

    def __len__(self) -> int:
        return len(self.indexes)

    def cut(self, start: int, stop: int) -> UnitRows:
        columns: tuple[Any, ...] = astuple(self)
        return UnitRows(*(column[start:stop] for column in columns))

    def pick(self, offsets: Sequence[int]) -> UnitRows:
        """The rows at `offsets`."""
        columns: tuple[Any, ...] = astuple(self)
        return UnitRows(*([column[at] for at in offsets] for column in columns))

    def is_bad(self, at: int) -> bool:
        """Whether there is no item, since its row could not be read; told only where failures were asked for."""
        failure = self.failures[at]
        return failure is not None and failure.type == BAD_ROW

    @property
    def chars(self) -> int:
        """About how much text there is."""
        return sum(map(len, filter(None, self.results))) + sum(map(len, filter(None, self.items)))


class RowReader:
    """Reads the rows of a step once, from the first to the last. `items`, `failures`: whether these columns are wanted.

    Rows are read quickly as long as each unit is final and stands where its number says.
    """

    def __init__(self, store: Store, step: int, *, items: bool = False, failures: bool = False) -> None:
        self._store, self._step = store, step
        self._wants_items, self._wants_failures = items, failures
        self._next = self._failed = 0
        self._size = FIRST

    def all(self) -> Iterator[UnitRows]:
        """All that is left, whatever its state."""
        while (rows := self.settled()) is not None:
            yield rows
        start = self._next
        while views := self._store.units(self._step, None, start, LISTED):
            start += len(views)
            placed = [view for view in views if view.record.index is not None]
            if placed:
                yield self._of_views(placed)

    def settled(self) -> UnitRows | None:
        """The next rows whose outcome is known, in order and without a gap; None where there is none."""
        page = self._store.page(self._step, self._next - 1, self._size)
        count = _settled(page, self._next)
        if not count:
            return None
        seqs = page.seqs[:count]
        results = self._store.results(self._step, self._next, count)
        items = self._store.values(self._step, seqs) if self._wants_items else [None] * count
        statuses = list(map(str, page.statuses[:count]))
        rows = UnitRows(
            seqs, page.keys[:count], statuses, page.attempts[:count], results, items, self._failures_of(statuses)
        )
        self._next += count
        self._size = max(1, min(MOST, self._size * GROWTH, CHARS * count // max(1, rows.chars)))
        return rows

    def _failures_of(self, statuses: Sequence[str]) -> list[Failure | None]:
        failures: list[Failure | None] = [None] * len(statuses)
        places = [at for at, status in enumerate(statuses) if status == "failed"] if self._wants_failures else []
        if places:
            views = self._store.units(self._step, UnitStatus.FAILED, self._failed, len(places))
            self._failed += len(places)
            for at, view in zip(places, views, strict=True):
                failures[at] = unit_failure(view.record)
        return failures

    def _of_views(self, views: Sequence[UnitView]) -> UnitRows:
        records = [view.record for view in views]
        return UnitRows(
            [record.index or 0 for record in records],
            [record.key for record in records],
            [str(view.status) for view in views],
            [record.attempts for record in records],
            list(map(_result, views)),
            list(map(value_text, records)) if self._wants_items else [None] * len(records),
            list(map(_failure, views)),
        )


def _result(view: UnitView) -> str | None:
    return view.record.result if view.status == "succeeded" else None


def _failure(view: UnitView) -> Failure | None:
    return unit_failure(view.record) if view.status == "failed" else None


def _settled(page: UnitPage, start: int) -> int:
    """How many units at the start of a page are final, and stand where their numbers say, from `start` on."""
    seqs, indexes = list(page.seqs), list(page.indexes)
    if page.all_final and seqs == indexes == list(range(start, start + len(seqs))):
        return len(seqs)
    for at, (seq, index, status) in enumerate(zip(seqs, indexes, page.statuses, strict=True)):
        if not seq == index == start + at or status not in FINAL:
            return at
    return len(seqs)


def together(parts: Sequence[UnitRows]) -> UnitRows:
    """All of these rows."""
    if len(parts) == 1:
        return parts[0]
    columns: list[list[Any]] = [[] for _ in UnitRows.__struct_fields__]
    for part in parts:
        for column, more in zip(columns, astuple(part), strict=True):
            column.extend(more)
    return UnitRows(*columns)
