"""Stored units found by keys: by their own, and batches by those of their members. Nothing of the database is changed here."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import apsw

from batchwork.errors import StoreError
from batchwork.model import UnitRecord
from batchwork.store.sqlite.blocks import reading as blocks
from batchwork.store.sqlite.rows import UnitRow, first_id, integer_in, unit_of
from batchwork.store.sqlite.schema import open_to_read
from batchwork.store.sqlite.statements import statement
from batchwork.store.sqlite.trouble import explain
from batchwork.text import jsontext

_NOTED_AT_ONCE = 1_000
FEW = 8
"""At most so many keys are looked for by going through all units of a step; for more an index is made, which finds each at once."""
SCANS = 64
"""All units of a step are gone through at most so many times, which takes as long as making the index."""


def by_scan(connection: apsw.Connection, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
    """The first unit of each of a few keys, without values and results."""
    first, last = first_id(step), first_id(step + 1)
    cells = (first, last, jsontext.encode([jsontext.wash(key) for key in keys]))
    rows = connection.execute(statement("unit_scan"), cells).fetchall()
    found = [unit_of(first, row) for row in rows]  # type: ignore[arg-type]
    return _first_of_each(
        keys, sorted([*found, *blocks.matching(connection, first, [*map(jsontext.wash, keys)])], key=_seq)
    )


def by_key(connection: apsw.Connection, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
    """The first unit of each key, without values and results, by the step's index."""
    first = first_id(step)
    text = statement("unit_match", first=first, last=first_id(step + 1))
    known = [jsontext.wash(key) for key in keys]
    rows: list[UnitRow] = connection.execute(text, (jsontext.encode(known),)).fetchall()  # type: ignore[assignment]
    return _first_of_each(keys, [unit_of(first, row) for row in rows])


def _seq(record: UnitRecord) -> int:
    return record.seq


def _first_of_each(keys: Sequence[str], records: Sequence[UnitRecord]) -> dict[str, UnitRecord]:
    known = {jsontext.wash(key): key for key in keys}
    found: dict[str, UnitRecord] = {}
    for record in records:
        found.setdefault(known[record.key], record)
    return found


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
        """Close the connection, and with it the table is gone."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._path = ""

    def _find(self, keys: Sequence[str]) -> dict[str, UnitRecord]:
        connection = self._open()
        connection.execute("begin")
        try:
            self._note_new(connection)
            known = {jsontext.wash(key): key for key in keys}
            rows = connection.execute(statement("member_match"), (jsontext.encode(list(known)),)).fetchall()
        finally:
            connection.execute("commit")
        first = first_id(self._step)
        found: dict[str, UnitRecord] = {}
        for member, *row in rows:
            batch = unit_of(first, tuple(row))  # type: ignore[arg-type]
            before = found.get(known[str(member)])
            if before is None or (before.index is None and batch.index is not None):
                found[known[str(member)]] = batch
        return found

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


class Lookups:
    """What has been asked by keys so far, step by step."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._scans: dict[int, int] = {}
        self._members: dict[int, Members] = {}

    def may_scan(self, step: int, keys: Sequence[str]) -> bool:
        """Whether all units are to be gone through for these keys; counted where they are."""
        if len(keys) > FEW or self._scans.get(step, 0) >= SCANS:
            return False
        self._scans[step] = self._scans.get(step, 0) + 1
        return True

    def members(self, step: int) -> Members:
        return self._members.setdefault(step, Members(self._path, step))

    def close(self) -> None:
        for members in list(self._members.values()):
            members.close()
