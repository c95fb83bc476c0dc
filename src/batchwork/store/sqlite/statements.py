"""Loads the SQL statements of queries/, one file each. Nothing is executed here."""

from __future__ import annotations

import os
from functools import cache

_FOLDER = os.path.join(os.path.dirname(__file__), "queries")


def statement(name: str, **parts: int | str) -> str:
    """The text of queries/NAME.sql with `{part}` replaced.

    Parts are numbers and words of this package (columns, filters), never values from outside.
    """
    text = _text(name)
    return text.format(**parts) if parts else text


@cache
def _text(name: str) -> str:
    with open(os.path.join(_FOLDER, f"{name}.sql"), encoding="utf-8") as file:
        text = file.read()
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


@cache
def many_statement(name: str, rows: int) -> str:
    """queries/NAME.sql, which inserts one row, for that many."""
    head, values, rest = _text(name).partition("values (")
    one, _, tail = rest.partition(")")
    group = f"({one.replace(' ', '')})"
    return head + values[:-1] + ",".join([group] * rows) + tail


@cache
def rows_statement(rows: int) -> str:
    """unit_success.sql for that many units: parameters 1 to 4 are shared, then seven for each unit."""
    groups = []
    for row in range(rows):
        a, b, c, d, e, f, g = (f"?{5 + 7 * row + column}" for column in range(7))
        groups.append(f"({a},{b},{c},{d},{e},{f},{g},2,?1,?2,?3,?4)")
    return statement("unit_success", rows=",".join(groups))  # apsw keeps no statement of more than 16,384 characters
