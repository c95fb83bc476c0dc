"""The store in one SQLite file: what ports.Store promises, put together from the writer, the readers and the locks.

Reads are statements of queries/; what is written goes through the writer's thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

import apsw

from batchwork.errors import StoreError
from batchwork.model import Checkpoint, UnitRecord
from batchwork.ports import Committed, Opening
from batchwork.store.sqlite.beside.head import Head
from batchwork.store.sqlite.beside.lock import Locks, RunLease
from batchwork.store.sqlite.commit import FileTransactions
from batchwork.store.sqlite.place import check_place, make_private_file, making
from batchwork.store.sqlite.reader import Readers
from batchwork.store.sqlite.trouble import explain
from batchwork.store.tables.session import Session
from batchwork.store.tables.store import TableStore
from batchwork.store.tables.writer import Writer

if TYPE_CHECKING:
    from batchwork.store.sqlite.members import Members

T = TypeVar("T")


class SqliteStore(TableStore):
    """Implements ports.Store. Raises StoreError, from any method, for whatever goes wrong with the file."""

    def __init__(self, path: str, opening: Opening) -> None:
        super().__init__(os.path.realpath(path), opening)
        self._path = self._name
        self._locks = Locks(f"{self._path}.locks", opening.clock)
        self._head = Head(self._path, f"{self._locks.folder}/head")
        self._readers = Readers(self._path)
        self._transactions: FileTransactions | None = None
        self._writer: Writer | None = None
        self._members: dict[int, Members] = {}
        self._head.expect_file()
        check_place(self._path, opening.purpose == "run", opening.warn)
        if opening.purpose == "look":
            self._readers.begin(self._head, opening.warn)
        else:
            self._open_to_write()

    def _open_to_write(self) -> Writer:
        try:
            with making:
                if self._opening.purpose == "run":
                    make_private_file(self._path)
                self._transactions = FileTransactions(self._path, self._opening, self._head)
        except (apsw.Error, OSError) as error:
            raise explain(error, self._path) from error
        self._writer = Writer(self._path, self._transactions)
        return self._writer

    def _read(self, look: Callable[[Session], T]) -> T:
        with self._readers.snapshot() as session:
            return look(session)

    def _change(self, execute: Callable[[Session], T]) -> T:
        """Who only looks writes seldom, and opens the file for it then."""
        writer = self._writer or self._open_to_write()
        return writer.call(execute)

    def _living(self, session: Session, runs: Sequence[str]) -> Collection[str]:
        return {run for run in runs if self._locks.living(run)}

    def close(self) -> None:
        """Write what is queued, close the file, give up all leases. The second time does nothing."""
        if self._writer is not None:
            self._writer.close()
        for members in self._members.values():
            members.close()
        self._readers.close(leave_log=self._transactions is not None and self._transactions.harmed)
        self._locks.release_all()

    def lease(self, run: str) -> RunLease:
        return self._locks.lease(run)

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        if self._writer is None:
            raise StoreError(f"the store {self._path} is open for looking only")
        self._writer.submit(checkpoint, committed)

    def members(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        from batchwork.store.sqlite.members import Members  # who resumes with batches needs it

        return self._members.setdefault(step, Members(self._path, step)).find(keys)

    def give_back(self) -> int:
        from batchwork.store.sqlite.giving_back import give_back  # who cleans needs it

        try:
            return give_back(self._path, self._opening)
        except (apsw.BusyError, apsw.LockedError):
            return 0  # somebody reads or writes; what is free is used by the next run all the same
        except (apsw.Error, OSError) as error:
            raise explain(error, self._path) from error
