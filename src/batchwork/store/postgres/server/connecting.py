"""Connections to the server, checked for what a store needs, and transactions on them. No table is known here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias

import psycopg
from msgspec import Struct
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from batchwork.errors import StoreError
from batchwork.ports import Durability
from batchwork.store.postgres.cells import PACKERS, adapt
from batchwork.store.postgres.server.address import Address
from batchwork.store.postgres.session import PostgresSession

logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what it says is said by the store, if that matters

LEAST_VERSION: Final = 130000
IDLE_MS: Final = 10_000
"""A transaction in which nothing happens for so long is ended by the server: its owner may have been stopped for good."""
LOCK_MS: Final = 15_000
SILENCE_MS: Final = 10_000
"""How long sent bytes may be unacknowledged until the connection is given up."""

Mode: TypeAlias = Literal["write", "read"]

_DEFAULTS: Final[dict[str, Any]] = {
    "application_name": "batchwork",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_MS,
}
_SETTINGS: Final = """select set_config('search_path', $1, true), set_config('synchronous_commit', $2, true),
    set_config('idle_in_transaction_session_timeout', $3, true), set_config('lock_timeout', $4, true),
    set_config('statement_timeout', $5, true), set_config('enable_bitmapscan', 'off', true),
    set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"""
"""Each of our statements has an index to go by, in its order. Of tables that were filled since the server last counted their rows
it would think that sorting them is cheaper, for each page again."""
_BEGIN: Final = {
    "write": "begin isolation level read committed",
    "read": "begin isolation level repeatable read read only",
}


class Server(Struct, frozen=True):
    """How the server at an address is spoken to."""

    address: Address
    durability: Durability = "full"

    def connect(self, *, to_write: bool) -> Connection[Any]:
        """A new connection. Raises psycopg.Error, StoreError where a store cannot be in it."""
        given = conninfo_to_dict(self.address.url)
        options = {name: value for name, value in _DEFAULTS.items() if name not in given}
        connection = psycopg.connect(
            self.address.url, autocommit=True, prepare_threshold=None, client_encoding="UTF8", **options
        )
        try:
            check(connection, self.address.shown, to_write=to_write)
        except BaseException:
            connection.close()
            raise
        adapt(connection)
        return connection

    @contextmanager
    def transaction(self, connection: Connection[Any], mode: Mode) -> Iterator[PostgresSession]:
        """A transaction in which what is executed is sent without waiting for answers. It is committed by the caller.

        All settings are the transaction's, none the connection's: another transaction may come to another server process.
        """
        session = PostgresSession(connection)
        with connection.pipeline():
            connection.execute(_BEGIN[mode])
            self._settle_in(connection)
            yield session

    def _settle_in(self, connection: Connection[Any]) -> None:
        synchronous = {"full": "on", "fast": "off"}[self.durability]
        words = (self.address.schema, synchronous, f"{IDLE_MS}", f"{LOCK_MS}", "0")
        cursor: psycopg.RawCursor[Any] = psycopg.RawCursor(connection)
        cursor.execute(_SETTINGS, [PACKERS["text"](word) for word in words])


def check(connection: Connection[Any], name: str, *, to_write: bool) -> None:
    """See that the server is one that a store can be in. Raises StoreError, psycopg.Error."""
    version = connection.info.server_version
    if version < LEAST_VERSION:
        raise StoreError(
            f"the store {name} is in PostgreSQL {_spelt(version)}, which is too old",
            "13 is the oldest version that will do",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the store {name} is in a database with the encoding {encoding}, which cannot hold all texts",
            "make one with `create database NAME encoding 'UTF8' template template0`",
        )
    if to_write and _is_standby(connection):
        raise StoreError(
            f"the store {name} is on a standby server, which cannot be written to",
            "name the primary server; with several hosts, `?target_session_attrs=read-write` finds it",
        )


def _is_standby(connection: Connection[Any]) -> bool:
    row = connection.execute("select pg_is_in_recovery()").fetchone()
    return row is not None and bool(row[0])


def _spelt(version: int) -> str:
    """A version as people write it."""
    if version >= 100000:
        return f"{version // 10000}.{version % 10000}"
    return f"{version // 10000}.{version // 100 % 100}"
