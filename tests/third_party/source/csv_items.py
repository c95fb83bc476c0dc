"""A source of items as another package adds it: the rows of a CSV file."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec

from batchwork.errors import SourceError
from batchwork.ports import FieldFault, ItemSource, Reading, SourceType


class CsvSource(SourceType):
    """The rows of a CSV file, each a mapping of the names in the first row."""

    name = "csv"

    class Fields(msgspec.Struct, frozen=True):
        path: Annotated[str, msgspec.Meta(description="the file; relative paths start where batchwork was started")]
        delimiter: Annotated[str, msgspec.Meta(description="the character between two values")] = ","

    def check(self, constants: Mapping[str, Any], written: Sequence[str]) -> Iterator[FieldFault]:
        if len(constants.get("delimiter", ",")) != 1:
            yield FieldFault("delimiter", "`delimiter` must be one character")

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return CsvRows(os.path.join(cwd, fields.path), fields.delimiter)


class CsvRows:
    may_block = True

    def __init__(self, path: str, delimiter: str) -> None:
        self._path, self._delimiter = path, delimiter

    def reading(self) -> Reading:
        try:
            state = os.stat(self._path)
        except OSError as error:
            raise SourceError(f"{self._path}: {error.strerror}") from error
        return Reading(f"csv:{self._path}:{state.st_size}:{state.st_mtime_ns}", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Any]]:
        with open(self._path, newline="", encoding="utf-8") as file:
            rows = islice(csv.DictReader(file, delimiter=self._delimiter), start, None)
            while page := list(islice(rows, size)):
                yield page

    def close(self) -> None:
        pass
