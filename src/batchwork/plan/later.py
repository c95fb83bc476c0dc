"""What a later milestone adds: refused by name with a clear message, never ignored."""

from __future__ import annotations

from typing import Final

LATER_TASKS: Final = frozenset(
    {
        "template",
        "read_file",
        "write_file",
        "append_file",
        "copy_file",
        "move_file",
        "delete_file",
        "read_json",
        "write_json",
        "sql",
        "steps",
    }
)
LATER_SOURCES: Final = frozenset({"csv", "parquet", "sql", "http"})
