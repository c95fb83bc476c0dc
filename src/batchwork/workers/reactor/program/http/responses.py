"""What came back from an HTTP request, as a result or a failure. Pure: nothing here is sent or received."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from batchwork.text.jsontext import encode
from batchwork.workers.reactor.program.outbox import Failed

_EXCERPT_MAX = 200
_KEPT_MAX = 2000
_DEPTH_MAX = 400
"""Deepest JSON that is decoded; readers further on have less room on their stacks."""
_MASK_MIN = 4
"""Shorter credentials are not masked: they would be found everywhere."""

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class Response(NamedTuple):
    """A response that has come in full. `lines` are the raw header lines of it and of those that redirected to it."""

    status: int
    lines: Sequence[bytes]
    body: bytes | bytearray
    elapsed_s: float


def response_result(response: Response, masks: Sequence[str]) -> str:
    """The JSON text of `{status_code, headers, text, json, elapsed}`; header names are in lower case."""
    headers = _headers(response.lines, masks)
    text = without_credentials(_text(response.body, headers.get("content-type", "")), masks)
    found: dict[str, object] = {
        "status_code": response.status,
        "headers": headers,
        "text": text,
        "json": _json(text, headers.get("content-type", "")),
        "elapsed": round(response.elapsed_s, 6),
    }
    try:
        return encode(found)
    except (ValueError, RecursionError):  # a number beyond what floats hold is infinite
        found["json"] = None
        return encode(found)


def unexpected(response: Response, masks: Sequence[str], wall_s: float) -> Failed:
    """The failure of a response whose status was not asked for. `wall_s` is the time, for dates in `Retry-After`."""
    headers = _headers(response.lines, masks)
    text = without_credentials(_text(response.body, headers.get("content-type", "")), masks)
    reason = _reason(response.lines)
    excerpt = " ".join(text[: 2 * _EXCERPT_MAX].split())
    if len(excerpt) > _EXCERPT_MAX:
        excerpt = excerpt[: _EXCERPT_MAX - 1] + "…"
    message = " ".join(filter(None, (f"HTTP {response.status}", reason)))
    if excerpt:
        message = f"{message}: {excerpt}"
    if len(text) > _KEPT_MAX:
        text = f"{text[:_KEPT_MAX]}\n… {len(text) - _KEPT_MAX} characters left out …"
    kept = {
        "status_code": response.status,
        "headers": headers,
        "text": text,
        "json": None,
        "elapsed": round(response.elapsed_s, 6),
    }
    failed: Failed = {
        "type": "http",
        "message": without_credentials(message, masks),
        "status_code": response.status,
        "result": encode(kept),
    }
    wait_s = retry_after(headers.get("retry-after", ""), wall_s)
    if wait_s is not None:
        failed["retry_after_s"] = wait_s
    return failed


def retry_after(value: str, wall_s: float) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; None where there is neither."""
    value = value.strip()
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - wall_s)
    except (ValueError, OverflowError):
        return None


# ---------------------------------------------------------------- credentials


def masks(payload: Mapping[str, object]) -> tuple[str, ...]:
    """What must not be seen of what was sent: passwords and the values of Authorization headers, in their usual forms."""
    url, auth, headers = payload["url"], payload.get("auth"), payload.get("headers") or []
    found = []
    if isinstance(headers, list):
        found = [str(value) for name, value in headers if str(name).lower() in _SECRET_HEADERS]
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


_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization"})


@lru_cache(maxsize=64)
def _forms(values: tuple[str, ...], logins: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    plain = {part for value in values for part in (value, value.partition(" ")[2].strip())}
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


# ---------------------------------------------------------------- reading


def _headers(lines: Sequence[bytes], masks: Sequence[str]) -> dict[str, str]:
    """The headers of the last response; those that came several times are joined by commas."""
    found: dict[str, str] = {}
    for line in lines:
        if line[:5] == b"HTTP/":
            found = {}
            continue
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            continue
        name, value = name.strip().lower(), value.strip()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return {name: without_credentials(value, masks) for name, value in found.items()} if masks else found


def _reason(lines: Sequence[bytes]) -> str:
    """What the server called the status, or what it is usually called."""
    for line in reversed(lines):
        if line[:5] == b"HTTP/":
            words = line.decode("latin-1").split(None, 2)
            return words[2].strip()[:80] if len(words) > 2 else ""
    return ""


def _text(body: bytes | bytearray, content_type: str) -> str:
    """The body by the charset that the server names, else as UTF-8; what does not fit is replaced."""
    at = content_type.lower().find("charset=")
    if at >= 0:
        charset = content_type[at + 8 :].partition(";")[0].strip().strip("\"'")
        try:
            return body.decode(charset, "replace")
        except (LookupError, ValueError):  # no such charset, or none for text
            pass
    return body.decode("utf-8", "replace")


def _json(text: str, content_type: str) -> object:
    """The body as JSON, None where it is not JSON: said to be JSON, or looking like it."""
    kind = content_type.lower().partition(";")[0].strip()
    if not kind.endswith(("/json", "+json")) and text.lstrip()[:1] not in {"{", "["}:
        return None
    text = text.removeprefix("\ufeff")
    if text.count("[") + text.count("{") > _DEPTH_MAX and _depth(text) > _DEPTH_MAX:
        return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _depth(text: str) -> int:
    brackets = _NO_BRACKETS.sub("", _STRINGS.sub("", text))
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
