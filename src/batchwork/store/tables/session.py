"""The seam of databases: a transaction, in which statements are executed by their names. Nothing is executed here.

Each database has its own text of each statement, in the folder `queries` of its room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from batchwork.store.tables.rows import Cell, Row

Column: TypeAlias = Literal["key", "pos"]
"""By what units of a single step are looked up, if it must be quick: by keys, by positions."""


class Session(Protocol):
    """A connection in a transaction. What goes wrong is raised as the driver's errors.

    Statements have the same names and parameters in each database; `parts` are words and numbers that stand in their text.
    """

    def rows(self, name: str, cells: Sequence[Any] | Mapping[str, Any] = (), **parts: int | str) -> list[Row]:
        """All rows that a statement gives."""
        ...

    def row(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> Row | None:
        """The first of them, if there is one."""
        ...

    def value(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> Any:
        """The only cell of the first row; None where there is no row."""
        ...

    def blocks(self, name: str, within: tuple[int, int]) -> Iterator[Row]:
        """The rows of a statement about blocks with units of ids `within`, a few at a time, in order."""
        ...

    def run(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> None:
        """Execute a statement that gives nothing."""
        ...

    def changed(self, name: str, cells: Sequence[Any] = (), **parts: int | str) -> int:
        """Execute a statement; how many rows it changed."""
        ...

    def many(self, name: str, rows: Iterable[Row]) -> None:
        """Execute a statement for each of some rows, in their order."""
        ...

    def insert(self, name: str, rows: Sequence[Row]) -> None:
        """The same of a statement that inserts one row; for many rows."""
        ...

    def succeed(self, shared: Row, columns: Sequence[Iterable[Cell]]) -> None:
        """Record units that succeeded (`unit_success`): attempt, reading, start and worker are `shared`, the rest in columns."""
        ...

    def among(self, values: Sequence[int] | Sequence[str]) -> Any:
        """A cell that holds a list."""
        ...

    # ------------------------------------------------------------ what makes it quick to find units

    def indexed(self, column: Column, step: int) -> bool:
        """Whether units of a step are found by this column at once. Then it has no blocks."""
        ...

    def make_index(self, column: Column, step: int) -> None:
        """See to that, unless it is so. Blocks have become rows before."""
        ...

    def drop_index(self, column: Column, step: int) -> None:
        """It is not needed any more."""
        ...

    def hint(self, column: Column, step: int) -> str:
        """The part `hint` of a statement that goes by this column."""
        ...
