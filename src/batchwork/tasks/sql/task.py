"""The task type `sql`: one statement for a unit, in a transaction of its own. How databases are reached is shared with the source `sql`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec

from batchwork.errors import Problem, SourceError
from batchwork.items.tables.cells import NoForm, plain
from batchwork.items.tables.database import PURPOSE, Database, bound, packages_for
from batchwork.plugins import package_problem
from batchwork.ports import Written
from batchwork.tasks.base import MethodTask, TaskFailed
from batchwork.tasks.fields import about, value_of
from batchwork.text.jsontext import Json

_AGAIN: Final = frozenset({"OperationalError", "InterfaceError", "InternalError", "DisconnectionError", "TimeoutError"})
"""Errors of databases after which another attempt may go better: no connection, a deadlock, a lock."""


class SqlFields(msgspec.Struct):
    """What may be written in a `sql` task."""

    url: Annotated[str, about("The database, as SQLAlchemy writes it: postgresql://, sqlite:///file.db, duckdb:// …")]
    statement: Annotated[str, about("What is run, in a transaction of its own; :name stands for a value. No template.")]
    values: Annotated[
        dict[str, Any] | list[dict[str, Any]],
        about("The values by name, bound and never pasted; a list of such mappings is one executemany."),
    ] = {}
    max_rows: Annotated[int, about("More rows than that are a failure.")] = 10_000


class SqlTask(MethodTask):
    """Run a statement in a database. The result is the rows, as a list of mappings, or {rowcount}."""

    name: ClassVar[str] = "sql"
    Fields: ClassVar[type] = SqlFields
    literal: ClassVar[frozenset[str]] = frozenset({"statement"})
    default_parallel: ClassVar[int | None] = 8

    def check(self, task: Written) -> Iterable[Problem]:
        """The packages are there, and the statement is one and takes values by name."""
        url = value_of(task.fields, "url")
        for package in packages_for(None if url is None else url.json):
            if (missing := package_problem(package, PURPOSE)) is not None:
                yield Problem(task.place, missing.message, missing.hint)
        statement = value_of(task.fields, "statement")
        if statement is None or not isinstance(statement.json, str):
            return
        if not statement.json.strip():
            yield Problem(statement.place, "`statement` is empty")
        if "{{" in statement.json or "{%" in statement.json:
            message = "`statement` is no template: values are bound, never pasted"
            yield Problem(statement.place, message, "write `:name` in the statement, and `values: {name: …}`")

    def run(self, fields: SqlFields, unit: Any) -> Json:
        database = _database(fields.url)
        rows = fields.values if isinstance(fields.values, list) else [fields.values]
        if not rows:
            return {"rowcount": 0}
        try:
            with database.connected() as connection, connection.begin():
                result = connection.execute(bound(fields.statement, rows[0]), fields.values or None)
                return _outcome(result, fields.max_rows)
        except SourceError as error:
            raise _failure(error) from None
        except NoForm as error:
            raise TaskFailed(f"the result holds {error}, which has no form as JSON data", retryable=False) from None


_databases: dict[str, Database] = {}


def _database(url: str) -> Database:
    """The database, whose connections this worker keeps."""
    if url not in _databases:
        _databases[url] = Database(url, keep=True)
    return _databases[url]


def _failure(error: SourceError) -> TaskFailed:
    """An error of the database under its own name, such as IntegrityError."""
    cause = type(error.__cause__).__name__ if error.__cause__ is not None else "refused"
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    return TaskFailed(message, kind=cause, retryable=cause in _AGAIN)


def _outcome(result: Any, most: int) -> Json:
    if not result.returns_rows:
        return {"rowcount": result.rowcount}
    names: Sequence[str] = [*result.keys()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        message = f"two columns of the statement are called `{twice}`: give one another name with AS"
        raise TaskFailed(message, kind="same name twice", retryable=False)
    rows: list[Json] = [_mapping(names, row) for row in result.fetchmany(most + 1)]
    if len(rows) > most:
        message = f"the statement gives more than {most:,} rows: raise `max_rows`, or take them as items (`from: sql`)"
        raise TaskFailed(message, kind="too many rows", retryable=False)
    return rows


def _mapping(names: Sequence[str], row: Sequence[Any]) -> Json:
    return {name: plain(value) for name, value in zip(names, row, strict=True)}
