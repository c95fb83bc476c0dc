"""Items that are rows of files which a library reads in batches of columns. Which format they have is said elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any, Protocol

from msgspec import Struct

from batchwork.errors import SourceError, UsageError
from batchwork.items.base import PAGE_BYTES, digest, unreadable, watched, without_first
from batchwork.items.files.places import File, found_files
from batchwork.items.packages import READING_TABLES
from batchwork.items.tables.rows import rows_of
from batchwork.items.tables.sifting import kept
from batchwork.items.tables.values import values_of
from batchwork.plugins import needed
from batchwork.ports import Reading, Row, Rows
from batchwork.ports.conditions import Condition
from batchwork.text.spelling import listing, suggest

COUNTED_MOST = 32
"""Of so many files the rows are counted beforehand: each must be opened for it."""

SIFTED_ROWS = 65_536
"""Of so many rows at once those are looked for that a filter may take."""


class Table(Protocol):
    """An open file of some format."""

    names: Sequence[str]

    def count(self) -> int | None:
        """How many rows there are, if that is known without reading them."""
        ...

    def batches(self, columns: Sequence[str] | None, size: int) -> Iterator[Any]:
        """Batches of Arrow, of at most `size` rows where the format can be read so."""
        ...


class TableFormat(Protocol):
    """A format. `noun` is what people call it."""

    noun: str

    def open(self, file: Any) -> Table:
        """Raises errors of Arrow, OSError, UsageError."""
        ...


class TableFiles(Struct, frozen=True):
    """Which files, in which folder, and which of their columns."""

    paths: str | Sequence[str]
    cwd: str
    columns: Sequence[str] | None


class TableItems:
    """The rows of the files, one file after the other."""

    may_block = True

    def __init__(self, files: TableFiles, form: TableFormat) -> None:
        self._files, self._format = files, form
        self._closed = Event()

    def reading(self) -> Reading:
        files = [*self._found()]
        versions = [file.version() for file in files]
        counts = [self._count(file) for file in files] if len(files) <= COUNTED_MOST else [None]
        known = [count for count in counts if count is not None]
        mark = f"tables:{digest(versions)}" if all(versions) else ""
        return Reading(mark, sum(known) if len(known) == len(counts) else None, distinct=False)

    def _found(self) -> Iterator[File]:
        return found_files(self._files.paths, self._files.cwd, self._closed)

    def _count(self, file: File) -> int | None:
        with _Said(file.name, self._format.noun), file.open_anywhere() as opened:
            return self._format.open(opened).count()

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched("items", without_first(self._rows(size), start))

    def sifted(self, condition: Condition, size: int) -> Iterator[Sequence[Row]]:
        """As `pages` from the start, without rows that the condition surely does not take."""
        return watched("items", self._rows(size, condition))

    def _rows(self, size: int, condition: Condition | None = None) -> Iterator[Rows]:
        at_once = size if condition is None else max(size, SIFTED_ROWS)
        for file in self._found():
            number = 1
            with _Said(file.name, self._format.noun), file.open_anywhere() as opened:
                table = self._format.open(opened)
                for batch in table.batches(self._columns(file.name, table), at_once):
                    for part in _parts(batch, at_once):
                        self._check_closed(file.name)
                        if condition is None:
                            yield _of_batch(file.name, part, range(number, number + part.num_rows))
                        else:
                            yield from _sifted(file.name, part, number, kept(part, condition), size)
                        number += part.num_rows

    def _columns(self, name: str, table: Table) -> Sequence[str] | None:
        for column in self._files.columns or ():
            if column not in table.names:
                hint = suggest(column, table.names) or f"there are {listing(table.names)}"
                raise SourceError(f"{name} has no column `{column}`", hint)
        _refuse_twice(name, table.names, self._files.columns)
        return self._files.columns

    def _check_closed(self, name: str) -> None:
        if self._closed.is_set():
            raise SourceError(f"{name}: reading was stopped")

    def close(self) -> None:
        """From any thread: reading ends with the next page."""
        self._closed.set()


def _refuse_twice(name: str, there: Sequence[str], wanted: Sequence[str] | None) -> None:
    """A mapping holds one value by a name: the other would be lost."""
    twice = [column for column, count in Counter(there).items() if count > 1 and (wanted is None or column in wanted)]
    if twice:
        hint = "say which `columns` are wanted, or give it another name where the file is made"
        raise SourceError(f"{name} has more than one column `{twice[0]}`", hint)


def _parts(batch: Any, size: int) -> Iterator[Any]:
    """Pieces of a batch, of rows that do not take too much memory together."""
    rows = max(1, min(size, batch.num_rows * PAGE_BYTES // max(1, batch.nbytes)))
    return (batch.slice(at, rows) for at in range(0, batch.num_rows, rows))


def _of_batch(name: str, batch: Any, numbers: Sequence[int]) -> Rows:
    return rows_of(name, batch.schema.names, [*map(values_of, batch.columns)], numbers)


def _sifted(name: str, batch: Any, number: int, places: Sequence[int], size: int) -> Iterator[Rows]:
    """The rows of a batch that stand at these places; `number` is the first row's of the batch."""
    left = batch
    if len(places) < batch.num_rows:
        left = batch.take(needed("pyarrow", READING_TABLES).array(places, "int64"))
    for at in range(0, len(places), size):
        numbers = [number + place for place in places[at : at + size]]
        yield _of_batch(name, left.slice(at, size), numbers)


_UNREADABLE = (OSError, ValueError, OverflowError)


class _Said:
    """Errors of Arrow, of the system and of missing packages as SourceError about a file."""

    def __init__(self, name: str, noun: str) -> None:
        self._name, self._noun = name, noun

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, UsageError):
            raise SourceError(f"{self._name}: {error.message}", error.hint) from error
        if isinstance(error, OSError) and error.strerror:
            raise unreadable(self._name, error) from error
        if isinstance(error, _UNREADABLE) or type(error).__module__.partition(".")[0] == "pyarrow":
            reason = str(error).partition("\n")[0][:300]
            raise SourceError(f"{self._name} cannot be read as {self._noun}: {reason}") from error
