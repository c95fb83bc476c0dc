"""From `items: {from: SOURCE, …}` with its fields rendered to the source itself."""

from __future__ import annotations

from collections.abc import Mapping

from batchwork.errors import SourceError
from batchwork.items.command import CommandItems
from batchwork.items.files import jsonl_file, lines_file
from batchwork.items.options import CommandOptions, JsonlOptions, LinesOptions, options
from batchwork.items.ranges import RangeItems
from batchwork.jsontext import Json
from batchwork.ports import ItemSource


def open_source(kind: str, values: Mapping[str, Json], cwd: str, environ: Mapping[str, str]) -> ItemSource:
    """The source `kind` (range, lines, jsonl or command; `$(text)` is `command` with the text). Raises SourceError.

    Nothing is read and no command runs before its first page is asked for. `cwd` is absolute.
    """
    try:
        chosen = options(kind, values)
    except ValueError as error:
        raise SourceError(f"items: {error}") from error
    if isinstance(chosen, CommandOptions):
        return CommandItems(chosen, cwd, environ)
    if isinstance(chosen, LinesOptions):
        return lines_file(chosen, cwd)
    if isinstance(chosen, JsonlOptions):
        return jsonl_file(chosen, cwd)
    return RangeItems(chosen)
