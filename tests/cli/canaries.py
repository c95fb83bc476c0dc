"""Looking for secrets in all that was written and said, in every form in which they may stand there. No test is here."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(secret: str) -> Iterator[bytes]:
    octets = secret.encode()
    for text in (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        repr(octets)[2:-1],
        octets.hex(),
        octets.hex().upper(),
        secret[:9],
        secret[-30:],
    ):
        yield text.encode()
    for before in range(3):
        padded = bytes(before) + octets
        yield base64.b64encode(padded)[-(-before * 8 // 6) : len(padded) * 8 // 6]


def found(octets: bytes, secret: str) -> list[bytes]:
    """Where a secret stands in what was written, also where white space breaks it up."""
    joined = b"".join(octets.replace(b"\\n", b"").split())
    return [form for form in forms(secret) if form in octets or form in joined]


def cells(database: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in connection.execute(f'select * from "{table}"'):
                for cell in row:
                    yield cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "surrogatepass")


def in_folder(folder: Path, secret: str) -> list[str]:
    """The files of a folder in which a secret stands, and whether it is in a cell of its store."""
    seen = [str(path) for path in folder.rglob("*") if path.is_file() and found(path.read_bytes(), secret)]
    return seen + ["a cell"] * any(found(cell, secret) for cell in cells(folder / "state.db"))
