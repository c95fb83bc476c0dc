"""Items that are rows of a query: `{from: sql, url, query, values}`. Rows come through a cursor of the server where there is one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from threading import Event
from typing import Annotated, Any

from msgspec import Meta, Struct

from batchwork.clock import Clock, SystemClock
from batchwork.errors import SourceError
from batchwork.items.base import PAGE_BYTES, Chunk, into_pages, watched
from batchwork.items.packages import lacking
from batchwork.items.tables.database import EXAMPLES, PURPOSE, Database, bound, packages_for
from batchwork.items.tables.rows import rows_of
from batchwork.ports import FieldFault, ItemSource, Reading, Row, Rows, SourceType
from batchwork.text.jsontexts import Texts

CURSOR_ROWS = 1_000
"""So many rows are asked for at once."""
SLOW_S = 0.1
"""What took longer to come is handed on at once."""


class SqlSource(SourceType):
    """The rows of a query to a database, as mappings."""

    name = "sql"
    may_preview = False
    literal = frozenset({"query"})

    class Fields(Struct, frozen=True):
        """Which database, and what is asked."""

        url: Annotated[
            str, Meta(description="the database, as SQLAlchemy writes it; `duckdb://` reads files: `from 'x.parquet'`")
        ]
        query: Annotated[str, Meta(description="gives rows; `:name` stands for a value")]
        values: Annotated[dict[str, Any], Meta(description="the values by name; they are bound, never pasted")] = {}

    def check(self, constants: Mapping[str, Any], written: Collection[str]) -> Iterator[FieldFault]:
        """There is something to ask, somebody to be asked, and a way to do it."""
        for package in packages_for(constants.get("url")):
            yield from lacking(package, PURPOSE)
        if not str(constants.get("query", "x")).strip():
            yield FieldFault("query", "`query` of `from: sql` is empty")
        if "://" not in str(constants.get("url", "://")):
            yield FieldFault("url", "`url` of `from: sql` must be the URL of a database", EXAMPLES)

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return _QueryRows(fields, SystemClock())


class _QueryRows:
    may_block = True

    def __init__(self, fields: SqlSource.Fields, clock: Clock) -> None:
        self._fields, self._clock = fields, clock
        self._database = Database(fields.url)
        self._closed = Event()

    def reading(self) -> Reading:
        """What a query gives is not known beforehand."""
        return Reading("", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched("items", into_pages(self._chunks(start, min(size, CURSOR_ROWS)), 0, size))

    def _chunks(self, start: int, size: int) -> Iterator[Chunk | None]:
        """The rows as the cursor gives them. A database that takes its time keeps nobody waiting for a whole page."""
        statement = bound(self._fields.query, self._fields.values)
        with self._database.connected(stream_results=True, max_row_buffer=size) as connection:
            result = connection.execute(statement, self._fields.values)
            names = self._names(result)
            number, asked = 1, self._clock.now()
            while rows := self._fetched(result, min(size, start - number + 1) if number <= start else size):
                numbers = range(number, number + len(rows))
                if number > start:
                    yield _measured(rows_of("query", names, [*zip(*rows, strict=True)], numbers))
                number += len(rows)
                if self._clock.now() - asked > SLOW_S:
                    yield None
                asked = self._clock.now()

    def _names(self, result: Any) -> list[str]:
        if not result.returns_rows:
            raise SourceError(
                "items: `query` gives no rows", "a statement that changes something is a task of type `sql`"
            )
        names = [*result.keys()]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SourceError(f"items: two columns of `query` are called `{twice}`", "give one another name with AS")
        return names

    def _fetched(self, result: Any, count: int) -> Sequence[Sequence[Any]]:
        if self._closed.is_set():
            raise SourceError(f"{self._database.name}: reading was stopped")
        rows: Sequence[Sequence[Any]] = result.fetchmany(count)
        return rows

    def close(self) -> None:
        """From any thread: what the database is doing is cancelled."""
        self._closed.set()
        self._database.stop()


def _measured(rows: Rows) -> Chunk:
    """The rows, and about how many bytes they take; where a bad row is among them, so many that they make a page."""
    return rows, sum(map(len, rows.items.texts)) if isinstance(rows.items, Texts) else PAGE_BYTES
