"""Forgetting runs: their rows go in one transaction, and the room that they leave goes back to the disk."""

from __future__ import annotations

import os

import apsw

from batchwork.ports import Opening
from batchwork.store.sqlite import recording
from batchwork.store.sqlite.rows import integer_in
from batchwork.store.sqlite.schema import connect_to_write
from batchwork.store.sqlite.statements import statement

WORTH_IT = 10
"""A tenth of the file must be free before it is written anew: what is free is used by the next run all the same."""


def forget(connection: apsw.Connection, run: str) -> None:
    """Remove all rows of a run."""
    for (step,) in connection.execute(statement("run_steps"), (run,)).fetchall():
        recording.clear(connection, integer_in(step))
    for name in ("step_forget", "sample_forget", "run_forget"):
        connection.execute(statement(name), (run,))


def give_back(path: str, opening: Opening) -> int:
    """Write the file anew without its free pages; by how many bytes it has become smaller. Raises apsw.Error."""
    connection = connect_to_write(path, opening)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        before = os.path.getsize(path)
        if connection.pragma("freelist_count") * WORTH_IT < connection.pragma("page_count"):
            return 0
        connection.execute("vacuum")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return max(0, before - os.path.getsize(path))
    finally:
        connection.close()
