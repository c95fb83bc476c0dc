"""The results of an earlier batch step inside code: a sequence that is read page by page as it is used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from .fresh import maker
from .names import ErrorText, missing, namespace

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable, Iterator, List, Mapping

    from .fresh import Make

    Ask = Callable[[Mapping[str, Any]], List[Any]]

PAGE_ROWS = 1000
PAGES_KEPT = 4
GIVEN_MOST = 4000
"""Rows that an item gets again as it left them."""


class Pages:
    """Rows of a step as they are read from the store. They serve all items, so each row is made anew for whoever asks."""

    def __init__(self, ask: Ask, step: str, what: str, length: int) -> None:
        self._ask, self._step, self._what = ask, step, what
        self.length = length
        self.name = f"<{what} of step {step}: {length}>"
        self._pages: OrderedDict[int, list[Any]] = OrderedDict()
        self._makers: dict[int, dict[int, Make]] = {}

    def row(self, number: int, name: str) -> Any:
        """A row; `name` is how the author calls the sequence. Raises IndexError."""
        first = number - number % PAGE_ROWS
        page = self._page(first)
        if number - first >= len(page):
            raise IndexError(f"{self.name} has no position {number}")
        value = page[number - first]
        if not isinstance(value, (dict, list)):
            return value
        makers = self._makers[first]
        make = makers.get(number)
        if make is None:
            make = makers[number] = maker(f"{name}[{number}]", value)
        return self._seen(make())

    def each(self) -> Iterator[Any]:
        """All rows in turn, read anew."""
        start = 0
        while start < self.length:
            page = self._fetch(start)
            if not page:
                return
            yield from map(self._seen, page)
            start += len(page)

    def _page(self, first: int) -> list[Any]:
        page = self._pages.get(first)
        if page is None:
            page = []
            while len(page) < PAGE_ROWS and first + len(page) < self.length:
                more = self._fetch(first + len(page), PAGE_ROWS - len(page))
                if not more:
                    break
                page += more
            self._pages[first] = page
            self._makers[first] = {}
            if len(self._pages) > PAGES_KEPT:
                oldest, _ = self._pages.popitem(last=False)
                del self._makers[oldest]
        return page

    def _fetch(self, start: int, count: int = PAGE_ROWS) -> list[Any]:
        count = min(count, self.length - start)
        return self._ask({"step": self._step, "what": self._what, "start": start, "count": count})

    def _seen(self, row: Any) -> Any:
        """A row as code sees it."""
        if self._what == "results" or not isinstance(row, dict):
            return row
        if isinstance(row.get("error"), dict):
            row = {**row, "error": ErrorText(row["error"])}
        return namespace(f"each of .{self._what}", row)


class Rows(Sequence):  # type: ignore[type-arg]
    """A lazy sequence, as one item sees it. Counting costs nothing, a slice is a list."""

    batchwork_sequence = True
    parts: tuple[str, ...] = ()

    def __init__(self, pages: Pages, name: str) -> None:
        self._pages, self._name = pages, name
        self._given: OrderedDict[int, Any] = OrderedDict()

    def __len__(self) -> int:
        return self._pages.length

    def __getitem__(self, position: Any) -> Any:
        """A row by its position, rows by a slice, or what the sequence has beside its rows by a name."""
        if isinstance(position, str):
            return self._part(position)
        if isinstance(position, slice):
            return [self._row(number) for number in range(*position.indices(len(self)))]
        number = position.__index__()
        if number < 0:
            number += len(self)
        if not 0 <= number < len(self):
            raise IndexError(f"{self!r} has no position {position}")
        return self._row(number)

    def __iter__(self) -> Iterator[Any]:
        return self._pages.each()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, tuple, Rows)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return self._pages.name

    def _part(self, name: str) -> Any:
        if name in self.parts:
            return getattr(self, name)
        raise missing(f"{self!r}", name, self.parts)

    def _row(self, number: int) -> Any:
        if number in self._given:
            return self._given[number]
        row = self._pages.row(number, self._name)
        if isinstance(row, (dict, list)):
            self._given[number] = row
            if len(self._given) > GIVEN_MOST:
                self._given.popitem(last=False)
        return row


class Told:
    """What the coordinator tells of the results of a step: their number, and what is read page by page."""

    def __init__(self, name: str, told: Mapping[str, Any], ask: Ask) -> None:
        self.name = name
        self.counts: Mapping[str, Any] = told.get("counts") or {}
        self.duration = told.get("duration")
        lengths = {"results": told["length"], **{what: self.counts.get(what) or 0 for what in ("failed", "succeeded")}}
        self.pages = {what: Pages(ask, told["step"], what, length) for what, length in lengths.items()}


class StepResults(Rows):
    """What `outputs:` and `steps.NAME.result` are for a batch step: one result for each unit, None where there is none."""

    parts = ("results", "failed", "succeeded", "counts", "duration")

    def __init__(self, told: Told) -> None:
        super().__init__(told.pages["results"], told.name)
        self.counts = namespace("counts", told.counts)
        self.duration = told.duration
        self.failed = Rows(told.pages["failed"], f"{told.name}.failed")
        self.succeeded = Rows(told.pages["succeeded"], f"{told.name}.succeeded")

    @property
    def results(self) -> StepResults:
        return self
