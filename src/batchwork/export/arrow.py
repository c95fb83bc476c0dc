"""Tables with types: Parquet files, Arrow tables, pandas frames. Their packages are imported when a table is made.

The type of a column is that of its values in the first rows. Lists keep their type where their elements have one; other
lists, mappings, values of several types and numbers of more than 64 bits make a column of texts: texts as they are, all else
as JSON.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import chain
from typing import IO, Any, Final

from batchwork.export.layout import Layout
from batchwork.export.pages import Page, Unfit
from batchwork.export.target import WRITING_PARQUET
from batchwork.export.texts import value_as_text
from batchwork.plugins import lean_arrow, needed
from batchwork.text.jsontext import Json, wash
from batchwork.text.wording import short

GROUP_ROWS: Final = 100_000
GROUP_BYTES: Final = 4 << 20
"""A row group of Parquet is written when there is as much."""


class ArrowRows:
    """Pages as batches of Arrow, with the types that the first page had."""

    def __init__(self, purpose: str) -> None:
        self._arrow = lean_arrow("pyarrow", purpose)

    def begin(self, layout: Layout, sample: Page) -> None:
        self._layout = layout
        columns = zip(layout.names, layout.columns(sample), strict=True)
        self._types = [self._type(name, values) for name, values in columns]
        typed = zip(layout.names, [kind or self._arrow.string() for kind in self._types], strict=True)
        self.schema = self._arrow.schema([*typed])

    def batch(self, page: Page) -> Any:
        """Raises Unfit."""
        columns = zip(self._layout.names, self._types, self._layout.columns(page), strict=True)
        return self._arrow.record_batch(
            [self._array(name, kind, values) for name, kind, values in columns], schema=self.schema
        )

    def _type(self, name: str, values: Sequence[Json]) -> Any:
        """The type of a column, None for texts of anything."""
        if not values and name == "index":
            return self._arrow.int64()  # as where there are rows
        try:
            found = self._arrow.array(values).type
        except (self._arrow.ArrowException, ValueError, OverflowError, TypeError):
            found = None
        if found is None or not self._is_kept(found) or _is_mixed(found, values):
            return None
        return found

    def _is_kept(self, kind: Any) -> bool:
        types = self._arrow.types
        if types.is_list(kind):
            return self._is_kept(kind.value_type)
        known = (types.is_integer, types.is_floating, types.is_boolean, types.is_string)
        return any(is_one(kind) for is_one in known)

    def _array(self, name: str, kind: Any, values: Sequence[Json]) -> Any:
        if kind is None:
            return self._arrow.array([None if value is None else value_as_text(value) for value in values], "string")
        try:
            return self._of_type(kind, values)
        except (self._arrow.ArrowException, ValueError, OverflowError, TypeError):
            return self._one_by_one(name, kind, values)

    def _of_type(self, kind: Any, values: Sequence[Json]) -> Any:
        if kind == self._arrow.string():
            return self._arrow.array(values, kind)
        found = self._arrow.array(values)  # given a type, Arrow would cut fractions off and take true for 1
        if _is_mixed(found.type, values):
            raise TypeError
        if found.type == kind:
            return found
        if self._arrow.types.is_null(found.type):
            return self._arrow.nulls(len(values), kind)
        if self._may_become(found.type, kind):
            return found.cast(kind)  # for which Arrow loads 9 MiB more
        raise TypeError

    def _may_become(self, found: Any, kind: Any) -> bool:
        types = self._arrow.types
        if types.is_list(found) and types.is_list(kind):
            return found.value_type == kind.value_type or self._may_become(found.value_type, kind.value_type)
        numbers = all(types.is_integer(one) or types.is_floating(one) for one in (found, kind))
        return numbers or types.is_null(found)

    def _one_by_one(self, name: str, kind: Any, values: Sequence[Json]) -> Any:
        """The same, where some value does not fit, or cannot stand in UTF-8, or not beside the others."""
        arrays = []
        for at, value in enumerate(values):
            given = wash(value) if isinstance(value, str) else value
            try:
                arrays.append(self._of_type(kind, [given]))
            except (self._arrow.ArrowException, ValueError, OverflowError, TypeError):
                why = f"{short(repr(value), 60)} does not fit a column of type {kind}, which its first values gave it"
                raise Unfit(at, name, why) from None
        return self._arrow.concat_arrays(arrays)


def _is_mixed(kind: Any, values: Sequence[Json]) -> bool:
    """Whether Arrow took true for the number 1."""
    if str(kind) == "double":
        return bool in set(map(type, values))
    inner = getattr(kind, "value_type", None)
    lists = (value for value in values if isinstance(value, list))
    return inner is not None and _is_mixed(inner, [*chain.from_iterable(lists)])


class ParquetWriter:
    """A Parquet file, in row groups."""

    def __init__(self, file: IO[bytes]) -> None:
        self._rows = ArrowRows(WRITING_PARQUET)
        self._parquet = needed("pyarrow.parquet", WRITING_PARQUET)
        self._arrow = needed("pyarrow", WRITING_PARQUET)
        self._file = file
        self._waiting: list[Any] = []

    def begin(self, layout: Layout, sample: Page) -> None:
        self._rows.begin(layout, sample)
        self._out = self._parquet.ParquetWriter(self._file, self._rows.schema)

    def write(self, page: Page) -> None:
        self._waiting.append(self._rows.batch(page))
        rows = sum(batch.num_rows for batch in self._waiting)
        if rows >= GROUP_ROWS or sum(batch.nbytes for batch in self._waiting) >= GROUP_BYTES:
            self._flush()

    def end(self) -> None:
        if self._waiting:
            self._flush()
        self._out.close()

    def abandon(self) -> None:
        # Else it would close itself when the file is closed, and say what comes of that.
        with contextlib.suppress(Exception):
            self._out.close()

    def _flush(self) -> None:
        self._out.write_table(self._arrow.Table.from_batches(self._waiting))
        self._waiting = []
        self._arrow.default_memory_pool().release_unused()


class TableWriter:
    """An Arrow table in memory, `table` at the end."""

    table: Any

    def __init__(self) -> None:
        self._rows = ArrowRows("to_arrow()")
        self._batches: list[Any] = []

    def begin(self, layout: Layout, sample: Page) -> None:
        self._rows.begin(layout, sample)

    def write(self, page: Page) -> None:
        self._batches.append(self._rows.batch(page))

    def end(self) -> None:
        arrow = needed("pyarrow", "to_arrow()")
        self.table = arrow.Table.from_batches(self._batches, schema=self._rows.schema)

    def abandon(self) -> None:
        self._batches = []


def frame_of(table: Any) -> Any:
    """A pandas frame of an Arrow table. Whole numbers and truth values stay so where some are missing."""
    pandas = needed("pandas", "to_pandas()")
    arrow = needed("pyarrow", "to_pandas()")
    kinds = {arrow.int64(): pandas.Int64Dtype(), arrow.bool_(): pandas.BooleanDtype()}
    frame = table.to_pandas()
    for name in table.column_names:
        column = table.column(name)
        if column.null_count and column.type in kinds:
            frame[name] = column.to_pandas(types_mapper=kinds.get)
    return frame
