"""What drivers of databases are told beforehand, so that one value which Python cannot hold is not the end of all rows. No query is made here."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Final

from batchwork.items.tables.cells import Formless
from batchwork.plugins import needed

_text: Final = partial(str, encoding="utf-8", errors="surrogateescape")
_TIMES: Final = {
    "date": "DateLoader",
    "time": "TimeLoader",
    "timetz": "TimetzLoader",
    "timestamp": "TimestampLoader",
    "timestamptz": "TimestamptzLoader",
    "interval": "IntervalLoader",
}


def prepare(driver: Any) -> None:
    """SQLite takes bytes that are not UTF-8 for text, PostgreSQL has `infinity` and years beyond 9999: their drivers raise errors."""
    if hasattr(driver, "text_factory"):
        driver.text_factory = _text
    if type(driver).__module__.partition(".")[0] == "psycopg":
        for name, loader in _loaders():
            driver.adapters.register_loader(name, loader)


@cache
def _loaders() -> tuple[tuple[str, type[Any]], ...]:
    kinds = needed("psycopg.types.datetime", "reading from PostgreSQL")
    wrong = needed("psycopg", "reading from PostgreSQL").DataError
    return tuple((name, _forgiving(getattr(kinds, loader), wrong)) for name, loader in _TIMES.items())


def _forgiving(base: Any, wrong: type[Exception]) -> type[Any]:
    class Forgiving(base):  # type: ignore[misc]  # the driver is not always there
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except wrong as error:
                return Formless(f"a time that cannot be read ({error})")

    return Forgiving
