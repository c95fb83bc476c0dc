"""What runs that were forgotten leave free in the file goes back to the disk. No row is read here."""

from __future__ import annotations

import os

import apsw

from batchwork.ports import Opening
from batchwork.store.sqlite.schema import connect_to_write

WORTH_IT = 10
"""A tenth of the file must be free before it is written anew: what is free is used by the next run all the same."""


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
