"""Statements by their names on a connection to the server, many of them underway at once. Which ones, and what for, is not known here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection, RawCursor

from batchwork.store.postgres.statements import Statement, statement
from batchwork.store.tables.rows import Cell, Row, integer_in
from batchwork.store.tables.session import Column

FEW_BLOCKS: Final = 16
"""Blocks that are read at once."""
ROWS: Final = 5000
"""Rows in one statement."""
KEYS: Final = {
    "claim_add": 2,
    "running_add": 2,
    "log_add": 2,
    "step_add": 2,
    "unit_record": 1,
    "unit_value": 1,
    "unit_move": 1,
    "unit_handled": 1,
}
"""How many of the first columns say which row is meant, in statements that change each row once."""


class PostgresSession:
    """Implements tables.session.Session. Raises psycopg.Error.

    In a pipeline nothing is waited for until something is read: so the error of a statement may come from a later one.
    """

    __slots__ = ("connection", "executed")

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self.executed = 0
        """How many statements so far."""

    def execute(self, wanted: Statement, cells: Sequence[Any] | Mapping[str, Any]) -> RawCursor[Row]:
        """A cursor in which the answer will be."""
        self.executed += 1
        cursor = RawCursor[Row](self.connection)
        cursor.execute(wanted.text, wanted.bound(cells), binary=True)
        return cursor

    def rows(self, name: str, cells: Sequence[Any] | Mapping[str, Any] = (), **parts: int | str) -> list[Row]:
        return self.execute(statement(name, **parts), cells).fetchall()

    def row(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> Row | None:
        return self.execute(statement(name, **parts), cells).fetchone()

    def value(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> Any:
        row = self.row(name, cells, **parts)
        return None if row is None else row[0]

    def blocks(self, name: str, within: tuple[int, int]) -> Iterator[Row]:
        last = -1
        while rows := self.rows(name, (*within, last, FEW_BLOCKS)):
            yield from rows
            if len(rows) < FEW_BLOCKS:
                return
            last = integer_in(rows[-1][0])

    def run(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> None:
        self.execute(statement(name, **parts), cells)

    def changed(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> int:
        cursor = self.execute(statement(name, **parts), cells)
        if (pipeline := self.connection._pipeline) is not None:
            pipeline.sync()
        return cursor.rowcount

    def many(self, name: str, rows: Iterable[Row]) -> None:
        left = [*rows]
        if name in KEYS:
            for part in rounds(left, KEYS[name]):
                self._many(name, part)
        else:
            self._many(name, left)

    insert = many

    def _many(self, name: str, rows: Sequence[Row]) -> None:
        wanted = statement(name)
        for start in range(0, len(rows), ROWS):
            self.execute(wanted, [*zip(*rows[start : start + ROWS], strict=True)])

    def succeed(self, shared: Row, columns: Sequence[Iterable[Cell]]) -> None:
        for part in rounds([*zip(*columns, strict=True)], 1):
            for start in range(0, len(part), ROWS):
                cells = [*zip(*part[start : start + ROWS], strict=True)]
                self.execute(statement("unit_success"), [*cells, *shared])

    def among(self, values: Sequence[int] | Sequence[str]) -> Any:
        return values

    # ------------------------------------------------------------ there are indexes for all steps

    def indexed(self, column: Column, step: int) -> bool:
        return column == "pos" or self.value("step_keyed", (step,)) == 1

    def make_index(self, column: Column, step: int) -> None:
        self.run("step_keys", (step, 1))

    def drop_index(self, column: Column, step: int) -> None:
        if column == "key":
            self.run("step_keys", (step, 0))

    def hint(self, column: Column, step: int) -> str:
        return ""


def rounds(rows: Sequence[Row], width: int) -> Iterator[Sequence[Row]]:
    """Rows in such parts that no part has two of the same first columns, each after those before it."""
    if len({row[:width] for row in rows}) == len(rows):
        yield rows
        return
    seen = Counter[Row]()
    parts: list[list[Row]] = []
    for row in rows:
        at = seen[row[:width]]
        seen[row[:width]] += 1
        if at == len(parts):
            parts.append([])
        parts[at].append(row)
    yield from parts
