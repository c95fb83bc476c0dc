"""Where a store in PostgreSQL is, or will be. Nothing is connected before it is asked for."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from batchwork.errors import StoreError
from batchwork.folders import default_state_folder, make_folder, take_state_folder
from batchwork.plugins import package_problem
from batchwork.ports import Opening
from batchwork.store.postgres.server.address import address_of

if TYPE_CHECKING:
    from batchwork.store.postgres.store import PostgresStore

PURPOSE: Final = "a store in PostgreSQL"


class PostgresPlace:
    """Implements ports.StorePlace. Logs and folders of runs are in the state folder of the working directory."""

    def __init__(self, url: str | None) -> None:
        self._address = address_of(url or "postgresql://")
        self.state_dir = default_state_folder()

    def exists(self) -> bool:
        """Raises StoreError where that cannot be found out."""
        from batchwork.errors import NothingStored

        try:
            self._open(Opening("look")).close()
        except NothingStored:
            return False
        return True

    def open(self, opening: Opening) -> PostgresStore:
        if opening.purpose == "run" and not os.path.lexists(self.state_dir):
            make_folder(self.state_dir)
        take_state_folder(self.state_dir)
        if opening.purpose != "look" and self._is_seen():
            opening.warn(
                "everybody on this machine can see the password in `--store` (with `ps`): "
                "give it in PGPASSWORD, ~/.pgpass or BATCHWORK_STORE"
            )
        return self._open(opening)

    def _open(self, opening: Opening) -> PostgresStore:
        if (problem := package_problem("psycopg", PURPOSE)) is not None:
            raise problem
        try:
            from batchwork.store.postgres.store import PostgresStore
        except ImportError as error:
            raise StoreError(
                f"{PURPOSE} needs the library libpq: {error}", "`pip install 'batchwork[postgres]'`"
            ) from error
        return PostgresStore(self._address, self.state_dir, opening)

    def _is_seen(self) -> bool:
        """Whether a password stands on the command line."""
        return any(password in word for password in self._address.passwords for word in sys.argv)
