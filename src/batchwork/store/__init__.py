"""Stores: runs, steps, units, attempts, claims and logs, in memory or SQLite, with one behaviour. Found and opened here."""

from __future__ import annotations

from batchwork.errors import StoreError
from batchwork.ports import Opening, Store, StorePlace

MEMORY = "memory:"


def store_at(where: str | None = None) -> StorePlace:
    """The place that a path or URL names: by default the folder .batchwork. Nothing is opened or made. Raises StoreError."""
    if where == MEMORY:
        from batchwork.store.memory import MemoryPlace

        return MemoryPlace()
    if where == "":
        raise StoreError("the store has no path", "give the path of a file or folder to `--store`, or leave it out")
    scheme, separator, _ = (where or "").partition("://")
    if not separator:
        from batchwork.store.sqlite.place import SqlitePlace

        return SqlitePlace(where)
    if scheme in ("postgres", "postgresql"):
        raise StoreError("stores in PostgreSQL come later", "give the path of a file to `--store`")
    raise StoreError(f"there is no store of the kind {scheme}://", "give the path of a file to `--store`")


def open_store(where: str | None = None, opening: Opening | None = None) -> Store:
    """The store that a path or URL names. Raises StoreError, StoreVersionError."""
    return store_at(where).open(opening or Opening())
