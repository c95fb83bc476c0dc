"""Which headers carry credentials, and what of their values is one. Words only; nothing is masked here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from batchwork.text.patterns import pattern

_header = pattern(
    r"(?i)(?:.*[-_])?(?:authorization|auth|cookie|token|secret|passw(?:or)?d|pwd|credentials?|signature|apikey"
    r"|(?:api|auth|access|app|application|account|client|private|subscription|functions|license|shared|master|service)[-_]?key)\Z"
)
_scheme = pattern(r"(?i)(?:basic|bearer|token|digest|negotiate|apikey|bot|key|aws4-hmac-sha256)\s+(?=\S)")
_PAIR_MIN = 8
"""Shorter values of cookies are settings, not keys."""


@lru_cache(maxsize=1024)
def is_credential_header(name: str) -> bool:
    """Whether what stands in a header of this name must not be seen: `Authorization`, `Cookie`, `X-API-Key` …"""
    return _header.match(name.strip()) is not None


def is_secret_of_auth(name: str) -> bool:
    """Whether a part of `auth` with that name is a secret: the password and the token, not the username."""
    return name == "bearer" or is_credential_header(name)


def credentials_of(name: str, value: str) -> Iterator[str]:
    """What is secret of a header's value: all of it, without its scheme, the password of Basic, each cookie."""
    value = value.strip()
    if not value:
        return
    yield value
    if (match := _scheme.match(value)) is not None:
        rest = value[match.end() :].strip()
        yield rest
        if match[0].lower().startswith("basic"):
            yield from _basic(rest)
    if "cookie" in name.lower():
        pairs = (part.partition("=")[2].strip() for part in value.split(";"))
        yield from (pair for pair in pairs if len(pair) >= _PAIR_MIN)


def _basic(text: str) -> Iterator[str]:
    import base64
    import binascii

    try:
        password = base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return
    if password:
        yield password
