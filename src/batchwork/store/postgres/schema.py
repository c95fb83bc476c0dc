"""The schema of a store: made, checked and brought up to date, by one process at a time. No rows of runs here."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any, Final, TypeAlias

from psycopg import Connection, sql

from batchwork.errors import NothingStored, StoreError, StoreVersionError
from batchwork.faults import fault
from batchwork.ports import Purpose
from batchwork.store.postgres.server.address import Address

Migration: TypeAlias = tuple[int, str]

LOCK: Final = 0x62746368  # "btch"
_IS_THERE: Final = sql.SQL(  # not to_regclass, which may go by what was so before another process made it
    "select 1 from pg_class join pg_namespace on pg_namespace.oid = relnamespace where nspname = {} and relname = 'store'"
)
_FOLDER = os.path.join(os.path.dirname(__file__), "migrations")


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations in order: their number (the version that they lead to) and their text."""
    names = sorted(name for name in os.listdir(_FOLDER) if re.fullmatch(r"\d{4}_\w+\.sql", name))
    return tuple((int(name[:4]), _text(name)) for name in names)


def _text(name: str) -> str:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return file.read()


def version(connection: Connection[Any], address: Address) -> int:
    """The version of the store in the schema, 0 where there is none. Raises psycopg.Error, StoreError, StoreVersionError."""
    if not _first(connection, _IS_THERE.format(sql.Literal(address.schema))):
        return 0
    table = sql.Identifier(address.schema, "store")
    found = int(_first(connection, sql.SQL("select version from {}").format(table)) or 0)
    if found > newest():
        raise StoreVersionError(
            f"the store {address.shown} was made by a newer version of batchwork "
            f"(its version is {found}, this knows {newest()})",
            "update batchwork, or name another schema with `?schema=…`",
        )
    return found


def newest() -> int:
    """The version of the stores that this version of batchwork writes."""
    return migrations()[-1][0]


def prepare(connection: Connection[Any], address: Address, purpose: Purpose, steps: tuple[Migration, ...] = ()) -> int:
    """See that there is a store of the newest version; its identity. Only `run` makes one, and `look` changes none.

    Raises psycopg.Error, StoreError, StoreVersionError.
    """
    found = version(connection, address)
    latest = (steps or migrations())[-1][0]
    if not found and purpose != "run":
        raise NothingStored(f"nothing has been stored in {address.shown} yet", "run a workflow first")
    if found < latest and purpose == "look":
        raise StoreError(
            f"the store {address.shown} was made by an earlier version of batchwork",
            "`batchwork resume` or `retry` brings it up to date when it works on a run of it",
        )
    if found < latest:
        migrate(connection, address, steps or migrations())
    return int(_first(connection, sql.SQL("select identity from {}").format(sql.Identifier(address.schema, "store"))))


def migrate(connection: Connection[Any], address: Address, steps: tuple[Migration, ...]) -> None:
    """Bring the schema up to date in one transaction, while no other process does. Raises psycopg.Error, StoreError."""
    schema = sql.Identifier(address.schema)
    with connection.transaction():
        connection.execute(
            "select set_config(name, '0', true) from pg_settings where name in "
            "('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')"
        )
        connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK, address.schema))
        found = version(connection, address)
        if not found:
            _make_schema(connection, address)
        connection.execute(sql.SQL("set local search_path to {}").format(schema))
        for number, text in steps:
            if number > found:
                connection.execute(text.encode())
                fault("migrate")
        connection.execute("update store set version = %s", (steps[-1][0],))


def _make_schema(connection: Connection[Any], address: Address) -> None:
    """Make the schema, unless somebody has made it for us. Raises psycopg.Error, StoreError where it has something in it."""
    name = sql.Literal(address.schema)
    number = _first(connection, sql.SQL("select oid from pg_namespace where nspname = {}").format(name))
    if number is None:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(address.schema)))
    elif _first(connection, sql.SQL("select 1 from pg_class where relnamespace = {}").format(sql.Literal(number))):
        raise StoreError(
            f"the schema {address.schema} of {address.shown} belongs to another program",
            "name another one with `?schema=…`",
        )


def _first(connection: Connection[Any], query: sql.Composed) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
