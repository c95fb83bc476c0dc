"""What was sent as a credential, in the forms in which servers give it back, and taking it out of what they say. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

from batchwork.text.credentials import credentials_of, is_credential_header

_MASK_MIN = 4
"""Shorter credentials are not masked: they would be found everywhere."""


def masks(payload: Mapping[str, object]) -> tuple[str, ...]:
    """What must not be seen of what was sent: passwords, Authorization headers, keys and cookies, in their usual forms."""
    url, auth, headers = payload["url"], payload.get("auth"), payload.get("headers") or []
    found: list[str] = []
    for name, value in headers if isinstance(headers, list) else ():
        if is_credential_header(str(name)):
            found += credentials_of(str(name), str(value))
    user = password = inside_user = inside = written = ""
    if isinstance(auth, list):
        user, password = map(str, auth)
    if "@" in str(url):
        inside_user, inside, written = _of_url(str(url))
    if not (found or password or inside):
        return ()
    return _forms((*found, written), ((user, password), (inside_user, inside)))


def _of_url(url: str) -> tuple[str, str, str]:
    """User and password that stand in a URL, and the password as it is written there."""
    try:
        parts = urlsplit(url)
        user, password = parts.username or "", parts.password or ""
    except ValueError:  # what is no URL is not sent either; what looks like a password is masked all the same
        user, _, password = url.rpartition("@")[0].rpartition("/")[2].partition(":")
    return unquote(user), unquote(password), password


@lru_cache(maxsize=64)
def _forms(values: tuple[str, ...], logins: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    plain = set(values)
    for user, password in logins:
        if password:
            plain |= {password, base64.b64encode(f"{user}:{password}".encode()).decode()}
    forms = set()
    for value in plain:
        if len(value) >= _MASK_MIN:
            raw = value.encode("utf-8", "surrogatepass")
            forms |= {value, quote(raw, safe=""), base64.b64encode(raw).decode(), json.dumps(value)[1:-1]}
    return tuple(sorted(forms, key=len, reverse=True))  # longest first, or a part would spoil the whole


def without_credentials(text: str, masks: Sequence[str]) -> str:
    for mask in masks:
        text = text.replace(mask, "***")
    return text
