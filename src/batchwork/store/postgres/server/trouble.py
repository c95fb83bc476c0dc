"""What an error of the database means for a person: as a StoreError, without passwords. Nothing is mended here."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

import psycopg
from psycopg import errors

from batchwork.errors import StoreError, StoreFull
from batchwork.secrets import MASK
from batchwork.store.postgres.server.address import Address

Kind: TypeAlias = Literal["away", "again", "full", "fenced", "other"]

_AWAY: Final = ("08", "57P", "53300")
_AGAIN: Final = ("40", "55P03", "57014", "25P")
_READ_ONLY: Final = "25006"
_RESUME: Final = "what was recorded before is kept; when it answers again, `batchwork resume` continues"


def kind_of(error: psycopg.Error) -> Kind:
    """Whether it may help to connect anew (`away`), to try again (`again`), to wait for room (`full`), or nothing will.

    `fenced`: another process has taken the run over.
    """
    state = error.sqlstate or ""
    if isinstance(error, errors.NotNullViolation) and error.diag.table_name == "mark":
        return "fenced"
    if state.startswith("53") and state != "53300":
        return "full"
    if state.startswith(_AGAIN):
        return "again"
    if state.startswith(_AWAY) or (not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)):
        return "away"
    return "other"


def explain(error: Exception, address: Address, kind: Kind | None = None) -> StoreError:
    """The StoreError for `error`, naming the store and what to do."""
    if isinstance(error, StoreError):
        return error
    found = _explained(error, address, kind)
    found.__cause__ = error
    return found


def _explained(error: Exception, address: Address, kind: Kind | None) -> StoreError:
    name, reason = address.shown, reason_of(error, address)
    if not isinstance(error, psycopg.Error):
        return StoreError(f"the store {name} cannot be read or written: {reason}", _RESUME)
    kind = kind or kind_of(error)
    if kind == "full":
        hint = "what was recorded before is kept; make room on the server, then `batchwork resume`"
        return StoreFull(f"there is no room left for the store {name}: {reason}", hint)
    if kind == "away":
        return StoreError(f"the store {name} cannot be reached: {reason}", _hint(reason))
    if error.sqlstate == _READ_ONLY:
        return StoreError(
            f"the store {name} is read-only: {reason}",
            "see `show default_transaction_read_only`; or name another server",
        )
    if isinstance(error, errors.InsufficientPrivilege):
        return StoreError(
            f"the store {name} may not be used by this user: {reason}",
            f"`grant create on database NAME to USER`, or `create schema {address.schema} authorization USER`",
        )
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return StoreError(f"the store {name} lacks what it should have: {reason}", "was its schema changed by hand?")
    if isinstance(error, psycopg.ProgrammingError) and not error.sqlstate:
        return StoreError(
            f"the URL of the store {name} cannot be used: {reason}", "postgresql://user@host:5432/database"
        )
    return StoreError(f"the store {name} cannot be read or written: {reason}", _RESUME)


def _hint(reason: str) -> str:
    """What to do, from the server's words: when connecting it sends no code that the driver tells."""
    if re.search(r'role ".*" does not exist', reason):
        return "name a user of the database, or make one with `createuser`"
    if re.search(r"password|authentication|pg_hba", reason):
        return "give the password in PGPASSWORD or in ~/.pgpass, where nobody else sees it"
    if re.search(r'database ".*" does not exist', reason):
        return "make it with `createdb`, or name another"
    return _RESUME


def reason_of(error: Exception, address: Address) -> str:
    """What the driver or the server says, in a line, without passwords."""
    text = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = text or str(error) or type(error).__name__
    for password in address.passwords:
        text = text.replace(password, MASK)
    lines = [line.strip() for line in text.replace(address.url, address.shown).splitlines()]
    return "; ".join(filter(None, lines))[:500]
