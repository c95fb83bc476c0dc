"""Items that are rows of Arrow files, also those called Feather, and of Arrow streams: `{from: arrow, path, columns}`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from batchwork.items.files.places import Paths
from batchwork.items.packages import lacking, lacking_for
from batchwork.items.tables.batches import Table, TableFiles, TableItems
from batchwork.plugins import lean_arrow
from batchwork.ports import FieldFault, ItemSource, SourceType
from batchwork.text.jsontext import Json

READING: Final = "reading Arrow files"
_MAGIC: Final = b"ARROW1"
"""How a file begins, and a stream does not."""


class ArrowSource(SourceType):
    """The rows of Arrow (Feather) files and streams, as mappings."""

    name = "arrow"

    class Fields(Struct, frozen=True):
        """Which files, and what of them."""

        path: Paths
        columns: Annotated[list[str] | None, Meta(description="the columns to take, in this order")] = None

    def check(self, constants: Mapping[str, Json], written: Collection[str]) -> Iterable[FieldFault]:
        yield from lacking("pyarrow", READING)
        yield from lacking_for(constants.get("path"))

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return TableItems(TableFiles(fields.path, cwd, fields.columns), _Arrow())


class _Arrow:
    noun = "Arrow"

    def open(self, file: Any) -> Table:
        ipc = lean_arrow("pyarrow.ipc", READING)
        is_file = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        return _ArrowFile(ipc.open_file(file)) if is_file else _ArrowStream(ipc.open_stream(file))


class _ArrowStream:
    """Record batches one after the other."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.names: Sequence[str] = reader.schema.names

    def count(self) -> int | None:
        return None

    def batches(self, columns: Sequence[str] | None, size: int) -> Iterator[Any]:
        for batch in self._read():
            yield batch if columns is None else batch.select([*columns])

    def _read(self) -> Iterator[Any]:
        return iter(self._reader)


class _ArrowFile(_ArrowStream):
    """The same, with a table of contents."""

    def _read(self) -> Iterator[Any]:
        return map(self._reader.get_batch, range(self._reader.num_record_batches))
