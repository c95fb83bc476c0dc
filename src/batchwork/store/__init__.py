"""Stores: runs, steps, units, attempts, claims and logs, in memory or SQLite, with one behaviour. Opened here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from batchwork.clock import Clock, SystemClock
from batchwork.errors import StoreError
from batchwork.ports import Store

DEFAULT_PATH = ".batchwork/state.db"
MEMORY = "memory:"


def _unheard(text: str) -> None:
    """Where nobody listens, warnings about the store are dropped; errors never are."""


def open_store(
    path_or_url: str = DEFAULT_PATH,
    durability: Literal["full", "fast"] = "full",
    warn: Callable[[str], None] = _unheard,
    clock: Clock | None = None,
    *,
    create: bool = True,
    patience_s: float = 30.0,
) -> Store:
    """The store at a path (SQLite), or `memory:`. Raises StoreError, StoreVersionError.

    With `create`, one that is not there is made, its folder 0700 and its files 0600. `warn` gets texts for people, from
    any thread. `patience_s` is how long a full disk is waited for.
    """
    clock = clock or SystemClock()
    if path_or_url == MEMORY:
        from batchwork.store.memory import MemoryStore

        return MemoryStore(clock)
    scheme, separator, _ = path_or_url.partition("://")
    if separator:
        if scheme not in ("postgres", "postgresql"):
            raise StoreError(f"there is no store of the kind {scheme}://", "give the path of a file to `--store`")
        raise StoreError("stores in PostgreSQL come later", "give the path of a file to `--store`")
    if not path_or_url:
        raise StoreError("the store has no path", f"give the path of a file to `--store`; without it, {DEFAULT_PATH}")
    from batchwork.store.sqlite.store import SqliteStore

    return SqliteStore(path_or_url, durability, warn, clock, create, patience_s)
