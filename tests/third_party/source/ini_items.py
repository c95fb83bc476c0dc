"""A source of items as another package adds it: the sections of an INI file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from typing import Annotated, Any

import msgspec

from batchwork.errors import SourceError
from batchwork.ports import FieldFault, ItemSource, Reading, SourceType


class IniSource(SourceType):
    """The sections of an INI file."""

    name = "ini"

    class Fields(msgspec.Struct, frozen=True):
        path: Annotated[str, msgspec.Meta(description="the file; relative paths start where batchwork was started")]
        delimiter: Annotated[str, msgspec.Meta(description="the character between a name and its value")] = "="

    def check(self, constants: Mapping[str, Any], written: Sequence[str]) -> Iterator[FieldFault]:
        if len(constants.get("delimiter", "=")) != 1:
            yield FieldFault("delimiter", "`delimiter` must be one character")

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return Sections(os.path.join(cwd, fields.path), fields.delimiter)


class Sections:
    may_block = True

    def __init__(self, path: str, delimiter: str) -> None:
        self._path, self._delimiter = path, delimiter

    def reading(self) -> Reading:
        try:
            state = os.stat(self._path)
        except OSError as error:
            raise SourceError(f"{self._path}: {error.strerror}") from error
        return Reading(f"ini:{self._path}:{state.st_size}:{state.st_mtime_ns}", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Any]]:
        parser = ConfigParser(delimiters=[self._delimiter])
        parser.read(self._path, encoding="utf-8")
        sections = [{"city": name, **parser[name]} for name in parser.sections()]
        for at in range(start, len(sections), size):
            yield sections[at : at + size]

    def close(self) -> None:
        pass
