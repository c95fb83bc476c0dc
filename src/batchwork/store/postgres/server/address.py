"""Where a database is, by its URL: what the driver is told, what people may see. Nothing is connected here."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

from msgspec import Struct

from batchwork.errors import StoreError
from batchwork.secrets import MASK
from batchwork.text.patterns import pattern

SCHEMA: Final = "batchwork"
_NAME = pattern(r"[a-z_][a-z0-9_]{0,62}")
_PASSWORD_PART = pattern(r"(?i)([?&](?:ssl)?password=)[^&]*")


class Address(Struct, frozen=True):
    """A database and the schema in it. `url` is for the driver, `shown` for people; `passwords` stand in the first one."""

    url: str
    schema: str
    shown: str
    passwords: tuple[str, ...]


def address_of(url: str) -> Address:
    """The address that a URL names; its part `schema` is ours, all others are libpq's. Raises StoreError.

    It is taken apart as libpq does it, which has its own idea of what may stand in one.
    """
    head, _, query = url.partition("?")
    parts = parse_qsl(query, keep_blank_values=True)
    schema = dict(parts).get("schema", SCHEMA)
    if not _NAME.fullmatch(schema):
        raise StoreError(
            f"{schema!r} cannot be the schema of a store",
            "use small letters, digits and `_`, not beginning with a digit",
        )
    left = urlencode([(name, value) for name, value in parts if name != "schema"])
    passwords = {value for name, value in parts if name in {"password", "sslpassword"} and value}
    shown, written = _without_password(head)
    passwords |= {written, unquote(written)} - {""}
    shown_query = _PASSWORD_PART.sub(rf"\1{MASK}", f"?{query}") if query else ""
    return Address(f"{head}?{left}" if left else head, schema, shown + shown_query, tuple(passwords))


def _without_password(head: str) -> tuple[str, str]:
    """A URL up to its query without the password, and that."""
    scheme, _, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    if "@" in path and "@" not in authority:  # a password with a slash in it, which had to be `%2F`
        before, _, path = path.rpartition("@")
        authority, slash = f"{authority}/{before}@", ""
    user, at, hosts = authority.rpartition("@")
    name, colon, password = user.partition(":")
    if password:
        name = f"{name}:{MASK}"
    elif colon:
        name = f"{name}:"
    return f"{scheme}://{name}{at}{hosts}{slash}{path}", password
