"""What came back from an HTTP request, as a result or a failure. Pure: nothing here is sent or received."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from batchwork.text.jsontext import encode
from batchwork.workers.reactor.program.http.credentials import without_credentials
from batchwork.workers.reactor.program.outbox import Failed

_EXCERPT_MAX = 200
_KEPT_MAX = 2000
_DEPTH_MAX = 400
"""Deepest JSON that is decoded; readers further on have less room on their stacks."""

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class Response(NamedTuple):
    """A response that has come in full. `lines` are its raw header lines, `saved` the file with its body, and its size."""

    status: int
    lines: Sequence[bytes]
    body: bytes | bytearray
    elapsed_s: float
    saved: tuple[str, int] | None = None


def response_result(response: Response, masks: Sequence[str]) -> str:
    """The JSON text of `{status_code, headers, text, json, elapsed}`; header names are in lower case.

    A body that is no text stands as `body_base64` instead of `text`; of one that was saved there is `saved_to` and `size`.
    """
    headers = _headers(response.lines, masks)
    found: dict[str, object] = {"status_code": response.status, "headers": headers}
    if response.saved is not None:
        found["saved_to"], found["size"] = response.saved
    else:
        text = _masked_text(response, headers, masks)
        if text is None:
            found["body_base64"] = base64.b64encode(_masked_bytes(response.body, masks)).decode()
        else:
            found["text"] = text
        found["json"] = _json(text or "", headers.get("content-type", ""))
    found["elapsed"] = round(response.elapsed_s, 6)
    return _encoded(found)


def unexpected(response: Response, masks: Sequence[str], wall_s: float) -> Failed:
    """The failure of a response whose status was not asked for. `wall_s` is the time, for dates in `Retry-After`."""
    headers = _headers(response.lines, masks)
    text = _masked_text(response, headers, masks)
    if text is None:
        text = f"… {len(response.body)} bytes that are no text left out …"
    found = {
        "status_code": response.status,
        "headers": headers,
        "text": text,
        "json": _json(text, headers.get("content-type", "")),
        "elapsed": round(response.elapsed_s, 6),
    }
    if len(text) > _KEPT_MAX:
        found["text"] = f"{text[:_KEPT_MAX]}\n… {len(text) - _KEPT_MAX} characters left out …"
    failed: Failed = {
        "type": "http",
        "message": without_credentials(_message(response, text), masks),
        "status_code": response.status,
        "result": _encoded(found),
    }
    wait_s = retry_after(headers.get("retry-after", ""), wall_s)
    if wait_s is not None:
        failed["retry_after_s"] = wait_s
    return failed


def _message(response: Response, text: str) -> str:
    """The status with its name, and how the body begins."""
    excerpt = " ".join(text[: 2 * _EXCERPT_MAX].split())
    if len(excerpt) > _EXCERPT_MAX:
        excerpt = excerpt[: _EXCERPT_MAX - 1] + "…"
    message = " ".join(filter(None, (f"HTTP {response.status}", _reason(response.lines))))
    return f"{message}: {excerpt}" if excerpt else message


def _encoded(found: dict[str, object]) -> str:
    try:
        return encode(found)
    except (ValueError, RecursionError):  # a number beyond what floats hold is infinite
        found["json"] = None
        return encode(found)


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


def _masked_text(response: Response, headers: Mapping[str, str], masks: Sequence[str]) -> str | None:
    text = _text(response.body, headers.get("content-type", ""))
    return None if text is None else without_credentials(text, masks)


def _masked_bytes(body: bytes | bytearray, masks: Sequence[str]) -> bytes | bytearray:
    for mask in masks:
        body = body.replace(mask.encode("utf-8", "surrogatepass"), b"***")
    return body


def _text(body: bytes | bytearray, content_type: str) -> str | None:
    """The body by the charset that the server names, else as UTF-8; None where it is no text, of which bytes would be lost."""
    at = content_type.lower().find("charset=")
    charset = content_type[at + 8 :].partition(";")[0].strip().strip("\"'") if at >= 0 else "utf-8"
    for encoding in (charset, "utf-8"):
        try:
            text = body.decode(encoding)
        except (LookupError, ValueError):  # no such charset, none for text, or it is not what it says
            continue
        return None if "\0" in text else text
    return None


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
