"""From `items: {from: SOURCE, …}` with its fields rendered to the source itself, whose module is imported then."""

from __future__ import annotations

from collections.abc import Mapping

from batchwork.errors import SourceError
from batchwork.items.options import CommandOptions, JsonlOptions, LinesOptions, options
from batchwork.ports import ItemSource
from batchwork.text.jsontext import Json


def open_source(kind: str, values: Mapping[str, Json], cwd: str, environ: Mapping[str, str]) -> ItemSource:
    """The source `kind` (range, lines, jsonl or command; `$(text)` is `command` with the text). Raises SourceError.

    Nothing is read and no command runs before its first page is asked for. `cwd` is absolute.
    """
    try:
        chosen = options(kind, values)
    except ValueError as error:
        raise SourceError(f"items: {error}") from error
    if isinstance(chosen, CommandOptions):
        from batchwork.items.command import CommandItems

        return CommandItems(chosen, cwd, environ)
    if isinstance(chosen, LinesOptions | JsonlOptions):
        from batchwork.items.files import jsonl_file, lines_file

        return lines_file(chosen, cwd) if isinstance(chosen, LinesOptions) else jsonl_file(chosen, cwd)
    from batchwork.items.ranges import RangeItems

    return RangeItems(chosen)
