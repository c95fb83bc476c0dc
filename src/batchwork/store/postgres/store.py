"""The store in a PostgreSQL database: what ports.Store promises, put together from the writer, the pool and the leases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from batchwork.errors import StoreError
from batchwork.model import Checkpoint, UnitRecord
from batchwork.ports import Committed, Opening
from batchwork.store.postgres.commit import Beside, ServerTransactions
from batchwork.store.postgres.members import batches, note_members
from batchwork.store.postgres.owning.lease import Leases, RunLease, living
from batchwork.store.postgres.owning.notes import Notes
from batchwork.store.postgres.schema import prepare
from batchwork.store.postgres.server.address import Address
from batchwork.store.postgres.server.connecting import Server
from batchwork.store.postgres.server.pool import Pool
from batchwork.store.postgres.server.trouble import explain
from batchwork.store.tables.session import Session
from batchwork.store.tables.store import TableStore
from batchwork.store.tables.writer import Writer

T = TypeVar("T")


class PostgresStore(TableStore):
    """Implements ports.Store. Raises StoreError, from any method, for whatever goes wrong with the server."""

    def __init__(self, address: Address, state_dir: str, opening: Opening) -> None:
        super().__init__(address.shown, opening)
        self._address = address
        self._server = Server(address, opening.durability)
        self._writer: Writer | None = None
        connection = self._connect(to_write=opening.purpose != "look")
        try:
            identity = prepare(connection, address, opening.purpose)
        except (psycopg.Error, OSError) as error:
            connection.close()
            raise explain(error, address) from error
        except BaseException:
            connection.close()
            raise
        patience_s = 0.0 if opening.purpose == "look" else opening.patience_s
        self._pool = Pool(self._server, opening.clock, patience_s)
        self._notes = Notes(state_dir, identity, address.shown, opening.warn)
        self._leases = Leases(self._pool, self._notes, opening.clock, opening.warn)
        self._keep(connection)

    def _connect(self, *, to_write: bool) -> Connection[Any]:
        try:
            return self._server.connect(to_write=to_write)
        except (psycopg.Error, OSError) as error:
            raise explain(error, self._address) from error

    def _keep(self, connection: Connection[Any]) -> None:
        """The first connection is the writer's, or that of who only looks."""
        if self._opening.purpose == "look":
            self._pool.add(connection)
        else:
            self._writer = self._writing(connection)

    def _writing(self, connection: Connection[Any]) -> Writer:
        beside = Beside(self._leases, self._notes)
        return Writer(self._name, ServerTransactions(self._server, self._opening, beside, connection))

    def _read(self, look: Callable[[Session], T]) -> T:
        return self._pool.transact("read", look)

    def _change(self, execute: Callable[[Session], T]) -> T:
        """Who only looks writes seldom, and connects for it then."""
        if self._writer is None:
            self._writer = self._writing(self._connect(to_write=True))
        return self._writer.call(execute)

    def _living(self, session: Session, runs: Sequence[str]) -> Collection[str]:
        return living(session, runs)

    def close(self) -> None:
        """Write what is queued, give up all leases, close the connections. The second time does nothing."""
        if self._writer is not None:
            self._writer.close()
        self._leases.close()
        self._pool.close()
        self._notes.close()

    def lease(self, run: str) -> RunLease:
        return self._leases.take(run)

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        if self._writer is None:
            raise StoreError(f"the store {self._name} is open for looking only")
        self._writer.submit(checkpoint, committed)

    def members(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        self._change(lambda session: note_members(session, step))
        return self._read(lambda session: batches(session, step, keys))

    def give_back(self) -> int:
        """The server gives back what is free by itself (autovacuum)."""
        return 0
