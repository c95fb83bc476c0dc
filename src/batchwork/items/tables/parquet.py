"""Items that are rows of Parquet files: `{from: parquet, path, columns}`. Only the columns that are asked for are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from batchwork.items.base import PAGE_BYTES
from batchwork.items.files.places import Paths
from batchwork.items.packages import lacking, lacking_for
from batchwork.items.tables.batches import Table, TableFiles, TableItems
from batchwork.plugins import lean_arrow
from batchwork.ports import FieldFault, ItemSource, SourceType
from batchwork.text.jsontext import Json

READING: Final = "reading Parquet files"
BUFFER_BYTES = 1 << 20
"""So much of each column is read at once, however large a row group is."""
GROUP_BYTES = 16 << 20
"""Of smaller row groups what is wanted is read at once: columns that stand side by side are one request where the file is behind a URL."""


class ParquetSource(SourceType):
    """The rows of Parquet files, as mappings."""

    name = "parquet"

    class Fields(Struct, frozen=True):
        """Which files, and what of them."""

        path: Paths
        columns: Annotated[
            list[str] | None, Meta(description="the columns to read, in this order; the others are not even looked at")
        ] = None

    def check(self, constants: Mapping[str, Json], written: Collection[str]) -> Iterable[FieldFault]:
        yield from lacking("pyarrow", READING)
        yield from lacking_for(constants.get("path"))

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return TableItems(TableFiles(fields.path, cwd, fields.columns), _Parquet())


class _Parquet:
    noun = "Parquet"

    def open(self, file: Any) -> Table:
        parquet = lean_arrow("pyarrow.parquet", READING)
        about = parquet.read_metadata(file)
        groups = map(about.row_group, range(about.num_row_groups))
        at_once = max((group.total_byte_size for group in groups), default=0) <= GROUP_BYTES
        return _ParquetTable(parquet.ParquetFile(file, metadata=about, pre_buffer=at_once, buffer_size=BUFFER_BYTES))


class _ParquetTable:
    def __init__(self, file: Any) -> None:
        self._file = file
        self.names: Sequence[str] = file.schema_arrow.names

    def count(self) -> int:
        rows: int = self._file.metadata.num_rows
        return rows

    def batches(self, columns: Sequence[str] | None, size: int) -> Iterator[Any]:
        """Row group by row group, a few pages of it at a time."""
        for group in range(self._file.num_row_groups):
            about = self._file.metadata.row_group(group)
            rows = max(1, min(size, about.num_rows * PAGE_BYTES // max(1, about.total_byte_size)))
            batches = self._file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False)
            for batch in batches:
                yield batch if columns is None else batch.select([*columns])
