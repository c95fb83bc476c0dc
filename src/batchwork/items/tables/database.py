"""A connection to a database by its URL, and what its errors mean, without what is secret in the URL. No query is made here."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchwork.errors import BatchworkError, SourceError, UsageError
from batchwork.items.tables.drivers import prepare
from batchwork.plugins import needed
from batchwork.secrets import Masker, shown_url, url_passwords
from batchwork.text.jsontext import Json
from batchwork.text.spelling import listing

PURPOSE: Final = "working with databases"
EXAMPLES: Final = "such as postgresql://user@host/database, sqlite:///file.db, duckdb://"
_DUCKDB: Final = "duckdb"


def packages_for(url: object) -> tuple[str, ...]:
    """Packages that a database needs, as far as its URL is known; drivers of other databases are SQLAlchemy's to name."""
    if isinstance(url, str) and url.partition(":")[0].partition("+")[0] == _DUCKDB:
        return "sqlalchemy", "duckdb", "duckdb_engine"
    return ("sqlalchemy",)


class Database:
    """The database of a URL. `name` is the URL as it may be seen; `keep`: connections are used again."""

    def __init__(self, url: str, keep: bool = False) -> None:
        self._keep = keep
        self._made: Any = None
        self.name = shown_url(url)
        self._url = url
        self._mask = Masker({}, url_passwords([url]))
        self._lock = threading.Lock()
        self._driver: Any = None

    @contextlib.contextmanager
    def connected(self, **options: Any) -> Iterator[Any]:
        """A connection of SQLAlchemy, closed afterwards. Raises SourceError, also for errors of the database inside."""
        try:
            engine = self._made or self._engine()
            with engine.connect() as connection:
                self._driver = connection.connection.driver_connection
                prepare(self._driver)
                try:
                    yield connection.execution_options(**options)
                finally:
                    with self._lock:
                        self._driver = None
        except UsageError as error:
            raise SourceError(f"{self.name}: {error.message}", error.hint) from None
        except BatchworkError:
            raise
        except Exception as error:
            raise self._said(error) from error

    def _engine(self) -> Any:
        sqlalchemy = needed("sqlalchemy", PURPOSE)
        url = sqlalchemy.make_url(self._url)
        if url.drivername.partition("+")[0] == _DUCKDB:
            needed("duckdb", PURPOSE)
            needed("duckdb_engine", PURPOSE)
        if url.drivername in {"postgres", "postgresql"}:
            modern = importlib.util.find_spec("psycopg") is not None
            url = url.set(drivername="postgresql+psycopg" if modern else "postgresql")
        if self._keep:
            self._made = sqlalchemy.create_engine(url, pool_pre_ping=True)
            return self._made
        return sqlalchemy.create_engine(url, poolclass=needed("sqlalchemy.pool", PURPOSE).NullPool)

    def stop(self) -> None:
        """From any thread: ask the database to give up what it is doing."""
        with self._lock:
            for way in ("cancel", "interrupt"):
                if (stop := getattr(self._driver, way, None)) is not None:
                    with contextlib.suppress(Exception):  # it has ended meanwhile
                        stop()
                    return

    def _said(self, error: Exception) -> SourceError:
        """An error of the driver or of SQLAlchemy in its own words, which may hold the URL."""
        kind = type(error).__name__
        if isinstance(error, ModuleNotFoundError):
            return SourceError(f"{self.name}: its driver {error.name} is not installed", f"`pip install {error.name}`")
        if kind in {"NoSuchModuleError", "ArgumentError"}:
            return SourceError(f"{self.name} is not the URL of a database that SQLAlchemy knows", EXAMPLES)
        said = str(getattr(error, "orig", None) or error).strip() or kind
        return SourceError(f"{self.name}: {self._mask(said.replace(self._url, self.name))[:2000]}")


def bound(statement: str, values: Mapping[str, Json]) -> Any:
    """A statement in which `:name` stands for values. Raises SourceError where one is missing or too many."""
    text = needed("sqlalchemy", PURPOSE).text(statement)
    names = set(text._bindparams)
    if missing := sorted(names - values.keys()):
        shown = listing([f":{name}" for name in missing])
        raise SourceError(f"no value for {shown}", "values stand under `values`; a colon that means itself is `\\:`")
    if unused := sorted(values.keys() - names):
        raise SourceError(f"there is no :{unused[0]} to take the value `{unused[0]}`")
    return text
