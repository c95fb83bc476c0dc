"""Stores: runs, steps, units, attempts, claims and logs, in memory, SQLite or PostgreSQL, with one behaviour. Found and opened here."""

from __future__ import annotations

from batchwork.errors import StoreError
from batchwork.plugins import STORES, find_store
from batchwork.ports import Opening, Store, StorePlace
from batchwork.secrets import shown_url

_SAY_A_FILE = "give the path of a file to `--store`, or postgresql://user@host/database"
_SERVERS = ("postgres", "postgresql")


def store_at(where: str | None = None) -> StorePlace:
    """The place that a path or URL names: by default the folder .batchwork. Nothing is opened or made.

    Raises StoreError for a URL that nobody knows, UsageError where another package's store cannot be loaded.
    """
    if where == "":
        raise StoreError("the store has no path", "give the path of a file or folder to `--store`, or leave it out")
    if where == "memory:":
        return find_store("memory")(where)
    scheme, separator, _ = (where or "").partition("://")
    if not separator:
        return find_store("sqlite")(where)
    if scheme in _SERVERS or (scheme in STORES.names() and scheme not in STORES.built_in):
        return find_store(scheme)(where)
    raise StoreError(f"there is no store of the kind {scheme}://", _SAY_A_FILE)


def shown(where: str) -> str:
    """A path or URL as people may see it: without passwords."""
    if where.partition("://")[0] in _SERVERS:
        from batchwork.store.postgres.server.address import address_of

        return address_of(where).shown
    return shown_url(where)


def open_store(where: str | None = None, opening: Opening | None = None) -> Store:
    """The store that a path or URL names. Raises StoreError, StoreVersionError."""
    return store_at(where).open(opening or Opening())
