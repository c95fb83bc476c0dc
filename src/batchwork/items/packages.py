"""Packages that a source needs and that are not installed: said of its fields before anything runs. Nothing is imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from batchwork.plugins import package_problem
from batchwork.ports import FieldFault
from batchwork.text.patterns import is_url

READING_TABLES: Final = "reading tables"
READING_URLS: Final = "reading items from URLs"
READING_ZSTD: Final = "reading files compressed by zstd"
FROM: Final = "from"
"""The field to point at where it is the source itself that needs the package."""


def lacking(package: str, purpose: str, field: str = FROM) -> Iterator[FieldFault]:
    """That the package is missing; nothing where it is there."""
    missing = package_problem(package, purpose)
    if missing is not None:
        yield FieldFault(field, missing.message, missing.hint)


def lacking_for(paths: object) -> Iterator[FieldFault]:
    """What files of these names need, as far as they are known: `path` of a source, a text or a list."""
    names = paths if isinstance(paths, list) else [paths]
    texts = [name for name in names if isinstance(name, str)]
    if any(is_url(name) and not name.startswith("file://") for name in texts):
        yield from lacking("fsspec", READING_URLS, "path")
    if any(name.endswith(".zst") for name in texts):
        yield from lacking("zstandard", READING_ZSTD, "path")
