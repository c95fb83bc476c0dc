"""What a batch step gives: a sequence of results in input order that is read from the store page by page, as it is used.

Nothing is loaded to count. Python tasks get a reference, and ask for pages over their pipe (`Pages.answer`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, TypedDict, TypeVar, overload

from msgspec import Struct

from batchwork.errors import StoreError
from batchwork.model import Counts, UnitStatus
from batchwork.ports import PageQuery, Store, UnitView
from batchwork.ports.recorded import ErrorView, item_of, unit_failure
from batchwork.report import CountsJson, counts_json
from batchwork.text.jsontext import Json, decode, encode

PAGE_FIRST: Final = 8
PAGE_MOST: Final = 1000
PAGE_CHARS: Final = 4_000_000
"""Pages grow as long as their texts stay below this, so that large results do not fill the memory."""

_Row = TypeVar("_Row")


class Reference(TypedDict):
    """What stands for a sequence in a program, under `sequences`."""

    step: str
    counts: CountsJson
    duration: float
    length: int


class Lazy(Sequence[_Row], Generic[_Row]):
    """A sequence that is read in pages; it remembers the last one. `read(start, limit)` gives rows and their size in characters."""

    def __init__(self, length: Callable[[], int], read: Callable[[int, int], tuple[list[_Row], int]]) -> None:
        self._length_of = length
        self._read = read
        self._length: int | None = None
        self._page: tuple[int, list[_Row]] = (0, [])
        self._size = PAGE_FIRST

    def __len__(self) -> int:
        if self._length is None:
            self._length = self._length_of()
        return self._length

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[_Row]: ...
    def __getitem__(self, index: int | slice) -> _Row | list[_Row]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return list(self._rows(start, stop))
            return [self[at] for at in range(start, stop, step)]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"there is no element {index}: the length is {len(self)}")
        return next(self._rows(at, at + 1))

    def __iter__(self) -> Iterator[_Row]:
        return self._rows(0, len(self))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence) and not isinstance(other, str | bytes):
            return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # like a list: equal ones may be read from different places

    def _rows(self, start: int, stop: int) -> Iterator[_Row]:
        while start < stop:
            first, rows = self._page
            if not first <= start < first + len(rows):
                rows, chars = self._read(start, self._size)
                if not rows:
                    raise StoreError(f"there is no result at position {start}, although there are {len(self)}")
                first = start
                self._page = (first, rows)
                per_row = max(1, chars // len(rows))
                self._size = max(1, min(PAGE_MOST, self._size * 8, PAGE_CHARS // per_row))
            part = rows[start - first : stop - first]
            yield from part
            start += len(part)


class FailedUnit(TypedDict):
    index: int | None
    key: str
    item: Json
    error: ErrorView
    attempts: int


class SucceededUnit(TypedDict):
    index: int | None
    key: str
    result: Json


class Results(Lazy[Json]):
    """The results of a batch step, None where a unit has none; `.failed`, `.succeeded`, `.counts`, `.duration` beside them."""

    def __init__(self, store: Store, number: int, step: str, counts: Counts, duration_s: float) -> None:
        super().__init__(self._count, self._results)
        self._store, self._number, self._step = store, number, step
        self._counts = counts
        self.duration = duration_s

    def __repr__(self) -> str:
        return f"<results of step {self._step}: {self._counts.succeeded} of {self._counts.total}>"

    @property
    def counts(self) -> CountsJson:
        return counts_json(self._counts)

    @property
    def results(self) -> Results:
        return self

    @property
    def failed(self) -> Lazy[FailedUnit]:
        """The failed units in input order: index, key, item, error, attempts."""
        return Lazy(lambda: self._counts.failed, self._failed)

    @property
    def succeeded(self) -> Lazy[SucceededUnit]:
        """The units that succeeded, in input order: index, key, result."""
        return Lazy(lambda: self._counts.succeeded, self._succeeded)

    def to_arrow(self) -> Any:
        """The table of the results as a `pyarrow.Table`: index, key, status, and a column for each field of the results."""
        from batchwork.export.arrow import TableWriter  # it needs packages that not everybody has
        from batchwork.export.layout import TableSpec
        from batchwork.export.rows import RowReader
        from batchwork.export.table import laid_out, write_rows

        writer = TableWriter()
        write_rows(laid_out(RowReader(self._store, self._number).all(), TableSpec()), writer)
        return writer.table

    def to_pandas(self) -> Any:
        """The same table as a `pandas.DataFrame`."""
        from batchwork.export.arrow import frame_of

        return frame_of(self.to_arrow())

    def reference(self) -> Reference:
        """What a program holds instead of the results."""
        return {"step": self._step, "counts": self.counts, "duration": self.duration, "length": len(self)}

    def page(self, what: str, start: int, count: int) -> str:
        """A page as JSON text, for a worker: a list of results, or of objects for `failed` and `succeeded`.

        It may be shorter than asked for: what does not fit into PAGE_CHARS is for the next page.
        """
        rows: list[str] = []
        chars, size = 0, PAGE_FIRST
        while len(rows) < count and chars < PAGE_CHARS:
            more = self._json_rows(what, start + len(rows), min(size, count - len(rows)))
            if not more:
                break
            rows += more
            chars += sum(map(len, more))
            size = min(size * 8, max(1, (PAGE_CHARS - chars) * len(rows) // chars))
        return f"[{','.join(rows)}]"

    def _json_rows(self, what: str, start: int, limit: int) -> list[str]:
        if what == "results":
            return ["null" if text is None else text for text in self._store.results(self._number, start, limit)]
        write = _failed_json if what == "failed" else _succeeded_json
        return [write(view) for view in self._units(what, start, limit)]

    def _count(self) -> int:
        """One for each unit that has a position: all, but those that are gone from the source."""
        counts, length = self._counts, self._counts.total
        if not counts.skipped and counts.finished + counts.in_doubt == length:
            return length
        if length is None:  # there may be holes, so that more positions are taken than units are known
            length = 1 + counts.finished + counts.in_doubt
            while not self._is_beyond(length):
                length *= 2
        return _first(self._is_beyond, length)

    def _is_beyond(self, position: int) -> bool:
        return not self._store.results(self._number, position, 1)

    def _results(self, start: int, limit: int) -> tuple[list[Json], int]:
        texts = self._store.results(self._number, start, limit)
        return [None if text is None else decode(text) for text in texts], sum(len(text or "") for text in texts)

    def _failed(self, start: int, limit: int) -> tuple[list[FailedUnit], int]:
        views = self._units("failed", start, limit)
        rows: list[FailedUnit] = [
            {
                "index": view.record.index,
                "key": view.record.key,
                "item": item_of(view.record),
                "error": ErrorView.of(unit_failure(view.record), view.record.attempts),
                "attempts": view.record.attempts,
            }
            for view in views
        ]
        return rows, sum(len(view.record.value or "") for view in views)

    def _succeeded(self, start: int, limit: int) -> tuple[list[SucceededUnit], int]:
        views = self._units("succeeded", start, limit)
        rows: list[SucceededUnit] = [
            {"index": view.record.index, "key": view.record.key, "result": decode(view.record.result or "null")}
            for view in views
        ]
        return rows, sum(len(view.record.result or "") for view in views)

    def _units(self, what: str, start: int, limit: int) -> list[UnitView]:
        status = UnitStatus.FAILED if what == "failed" else UnitStatus.SUCCEEDED
        return self._store.units(self._number, status, start, limit)


class Pages(Struct, frozen=True):
    """Answers workers' questions for pages of earlier steps' results. `find` gives a step's results by its name."""

    find: Callable[[str], Results | None]

    def answer(self, query: PageQuery) -> str:
        """JSON text: a list with at most `query.count` rows. Raises StoreError."""
        results = self.find(query.step)
        if results is None:
            raise StoreError(f"there are no results of a step `{query.step}`")
        return results.page(query.what, query.start, max(1, min(query.count, PAGE_MOST)))


def _failed_json(view: UnitView) -> str:
    record, failure = view.record, unit_failure(view.record)
    return encode(
        {
            "index": record.index,
            "key": record.key,
            "item": item_of(record),
            "error": {
                "type": failure.type,
                "message": failure.message,
                "attempts": record.attempts,
                "exit_code": failure.exit_code,
                "status_code": failure.status_code,
            },
            "attempts": record.attempts,
        }
    )


def _succeeded_json(view: UnitView) -> str:
    record = view.record
    head = encode({"index": record.index, "key": record.key})
    return f'{head[:-1]},"result":{record.result or "null"}}}'


def _first(holds: Callable[[int], bool], end: int) -> int:
    """The smallest position below `end` for which `holds`, which stays true from there on; else `end`."""
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
