"""Indexes over the units of a single step, made when they are needed: of keys (`key`) and of positions (`pos`)."""

from __future__ import annotations

import apsw

from batchwork.store.sqlite.statements import statement
from batchwork.store.tables.rows import first_id, text_in
from batchwork.store.tables.session import Column

MOST = 8
"""How many of a kind there are at once, in the whole store: each costs every insertion a comparison. Older ones go."""


def exists(connection: apsw.Connection, column: Column, step: int) -> bool:
    return f"unit_{column}_{step}" in _names(connection, column)


def hint(connection: apsw.Connection, column: Column, step: int) -> str:
    """What makes a statement use the index, if it is there: the planner thinks too well of ranges of ids."""
    if not exists(connection, column, step):
        return ""
    return f"indexed by unit_{column}_{step}"


def make(connection: apsw.Connection, column: Column, step: int) -> None:
    """Make the index unless it is there (about a second for a million units)."""
    if exists(connection, column, step):
        return
    for name in _names(connection, column)[: 1 - MOST]:
        connection.execute(statement("index_drop", index=name))
    bounds = {"first": first_id(step), "last": first_id(step + 1)}
    connection.execute(statement("index_make", column=column, step=step, **bounds))


def drop(connection: apsw.Connection, column: Column, step: int) -> None:
    connection.execute(statement("index_drop", index=f"unit_{column}_{step}"))


def _names(connection: apsw.Connection, column: Column) -> list[str]:
    pattern = f"unit_{column}_[0-9]*"
    return [text_in(name) for (name,) in connection.execute(statement("index_names"), (pattern,)).fetchall()]
