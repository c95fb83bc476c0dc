"""A workflow file as text, or why it cannot be read. What the text means is not asked here."""

from __future__ import annotations

import os

from batchwork.errors import UsageError

TEXT_MAX = 40 * 1024 * 1024
"""Bytes of a workflow file that are read; the loader refuses less than that, and nobody waits for a file of 99 GB."""


def workflow_text(path: str) -> str:
    """The text of the file at `path`. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            raw = file.read(TEXT_MAX)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: {error.strerror}", _near(path)) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: not UTF-8: {error.reason}", "a workflow is a YAML file in UTF-8") from error


def _near(path: str) -> str:
    """A hint: a workflow beside it with a name like this."""
    from batchwork.text.spelling import suggest

    folder, name = os.path.split(path)
    try:
        names = [entry.name for entry in os.scandir(folder or ".") if entry.name.endswith((".yaml", ".yml"))]
    except OSError:
        return ""
    return suggest(name, names)
