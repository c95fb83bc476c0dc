"""Batches found by the keys of their members. Nothing of the store is changed here."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import apsw

from batchwork.errors import StoreError
from batchwork.model import UnitRecord
from batchwork.store.sqlite.schema import open_to_read
from batchwork.store.sqlite.statements import statement
from batchwork.store.sqlite.trouble import explain
from batchwork.store.tables.matching import batches_found
from batchwork.store.tables.rows import Row, first_id, integer_in
from batchwork.text import jsontext

_NOTED_AT_ONCE = 1_000


class Members:
    """Which batch of one step holds an item.

    Rows of batches hold their members' keys as one text, which no index reaches. So a table is made of them, on a
    connection of its own and temporary (a file that the system removes). Nothing of it is in the store, it costs nothing
    in a step that never asks, and memory stays flat. Each question first adds the batches that were recorded since.
    """

    def __init__(self, path: str, step: int) -> None:
        self._path, self._step = path, step
        self._connection: apsw.Connection | None = None
        self._mark = first_id(step)  # all batches below are in the table
        self._beyond: set[int] = set()  # and these, which were recorded before others below them
        self._lock = threading.Lock()

    def find(self, keys: Sequence[str]) -> dict[str, UnitRecord]:
        """The batch of each of these items: the first one, and rather one that is not gone. Raises StoreError."""
        with self._lock:
            try:
                return self._find(keys)
            except apsw.Error as error:
                raise explain(error, self._path) from error

    def close(self) -> None:
        """Close the session, and with it the table is gone."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._path = ""

    def _find(self, keys: Sequence[str]) -> dict[str, UnitRecord]:
        connection = self._open()
        connection.execute("begin")
        try:
            self._note_new(connection)
            among = jsontext.encode([jsontext.wash(key) for key in keys])
            rows: list[Row] = connection.execute(statement("member_match"), (among,)).fetchall()
        finally:
            connection.execute("commit")
        return batches_found(self._step, keys, rows)

    def _open(self) -> apsw.Connection:
        if not self._path:
            raise StoreError("the store is closed")
        if self._connection is None:
            self._connection = open_to_read(self._path)
            self._connection.pragma("query_only", 0)  # for its own table, which is no part of the store
            self._connection.execute(statement("member_make"))
        return self._connection

    def _note_new(self, connection: apsw.Connection) -> None:
        bounds = (self._mark, first_id(self._step + 1))
        there = [integer_in(number) for (number,) in connection.execute(statement("member_batches"), bounds).fetchall()]
        new = [number for number in there if number not in self._beyond]
        for start in range(0, len(new), _NOTED_AT_ONCE):
            connection.execute(statement("member_add"), (jsontext.encode(new[start : start + _NOTED_AT_ONCE]),))
        self._beyond.update(new)
        while self._mark in self._beyond:
            self._beyond.discard(self._mark)
            self._mark += 1
