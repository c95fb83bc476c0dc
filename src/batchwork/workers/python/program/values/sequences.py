"""The results of an earlier batch step inside code: a sequence that is read page by page as it is used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from .names import ErrorText, missing, namespace

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable, Iterator, List, Mapping

    Ask = Callable[[Mapping[str, Any]], List[Any]]

PAGE_ROWS = 1000
PAGES_KEPT = 4


class Rows(Sequence):  # type: ignore[type-arg]
    """A lazy sequence of `length` rows. Counting costs nothing, a slice is a list."""

    batchwork_sequence = True
    parts: tuple[str, ...] = ()

    def __init__(self, ask: Ask, step: str, what: str, length: int) -> None:
        self._ask, self._step, self._what, self._length = ask, step, what, length
        self._pages: OrderedDict[int, list[Any]] = OrderedDict()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, position: Any) -> Any:
        """A row by its position, rows by a slice, or what the sequence has beside its rows by a name."""
        if isinstance(position, str):
            return self._part(position)
        if isinstance(position, slice):
            return [self._row(number) for number in range(*position.indices(self._length))]
        number = position.__index__()
        if number < 0:
            number += self._length
        if not 0 <= number < self._length:
            raise IndexError(f"{self!r} has no position {position}")
        return self._row(number)

    def __iter__(self) -> Iterator[Any]:
        start = 0
        while start < self._length:
            page = self._fetch(start)
            if not page:
                return
            yield from page
            start += len(page)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, tuple, Rows)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._what} of step {self._step}: {self._length}>"

    def _part(self, name: str) -> Any:
        if name in self.parts:
            return getattr(self, name)
        raise missing(f"{self!r}", name, self.parts)

    def _row(self, number: int) -> Any:
        first = number - number % PAGE_ROWS
        page = self._pages.get(first)
        if page is None:
            page = []
            while len(page) < PAGE_ROWS and first + len(page) < self._length:
                more = self._fetch(first + len(page), PAGE_ROWS - len(page))
                if not more:
                    break
                page += more
            self._pages[first] = page
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        if number - first >= len(page):
            raise IndexError(f"{self!r} has no position {number}")
        return page[number - first]

    def _fetch(self, start: int, count: int = PAGE_ROWS) -> list[Any]:
        count = min(count, self._length - start)
        rows = self._ask({"step": self._step, "what": self._what, "start": start, "count": count})
        return rows if self._what == "results" else [_row(self._what, row) for row in rows]


def _row(what: str, row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    if isinstance(row.get("error"), dict):
        row = {**row, "error": ErrorText(row["error"])}
    return namespace(f"each of .{what}", row)


class StepResults(Rows):
    """What `outputs:` and `steps.NAME.result` are for a batch step: one result for each unit, None where there is none."""

    parts = ("results", "failed", "succeeded", "counts", "duration")

    def __init__(self, ask: Ask, told: Mapping[str, Any]) -> None:
        super().__init__(ask, told["step"], "results", told["length"])
        self.counts = namespace("counts", told.get("counts") or {})
        self.duration = told.get("duration")
        self.failed = Rows(ask, self._step, "failed", self.counts.get("failed") or 0)
        self.succeeded = Rows(ask, self._step, "succeeded", self.counts.get("succeeded") or 0)

    @property
    def results(self) -> StepResults:
        return self
