"""Filters for paths: `basename`, `dirname`, `stem`, `suffix`, `without_suffix`. They mean what pathlib's names for them mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from jinja2 import Undefined

from batchwork.errors import RenderError
from batchwork.template.forms import kind_in_words


def _without_suffix(path: PurePosixPath) -> str:
    if not path.suffix:
        return str(path)
    return str(path.with_suffix(""))


def _filter(name: str, take: Callable[[PurePosixPath], str]) -> Callable[[Any], str]:
    def of_path(value: Any) -> str:
        if isinstance(value, Undefined):
            str(value)  # raises, saying what is not there
        if not isinstance(value, str):
            raise RenderError(f"`{name}` needs a path, which is a text, and not {kind_in_words(value)}")
        return take(PurePosixPath(value))

    return of_path


_TAKES: Mapping[str, Callable[[PurePosixPath], str]] = {
    "basename": lambda path: path.name,
    "dirname": lambda path: str(path.parent),
    "stem": lambda path: path.stem,
    "suffix": lambda path: path.suffix,
    "without_suffix": _without_suffix,
}

PATH_FILTERS: Mapping[str, Callable[[Any], str]] = {name: _filter(name, take) for name, take in _TAKES.items()}
