"""What is asked of a server, and what is asked next where it says to ask elsewhere. Pure: nothing is sent here.

Redirects are not left to libcurl: it takes `Authorization` and cookies out where they lead to another origin, and sends
every other header on, an API key for example.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from batchwork.workers.reactor.program.outbox import NotStarted

URL_MARKS = "%/:?#[]@!$&'()*+,;=~"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HARMLESS = frozenset({"user-agent", "content-type"})
"""Headers that go along to another origin, and those that begin with `accept`."""


class Ask(NamedTuple):
    """A request. `body` is a text, `{"file": path}`, `{"multipart": parts}`, or None; `auth` is user and password.

    `body_stays`: the body holds what no other origin may get.
    """

    method: str
    url: str
    headers: list[list[str]]
    body: str | Mapping[str, Any] | None
    auth: list[str] | None
    body_stays: bool = False


def asked(payload: Mapping[str, Any]) -> Ask:
    """The request that a unit's payload describes. Raises NotStarted where it cannot be sent."""
    return Ask(
        str(payload["method"]).upper(),
        sendable(str(payload["url"])),
        payload.get("headers") or [],
        payload.get("body"),
        payload.get("auth"),
        bool(payload.get("body_stays")),
    )


def redirected(ask: Ask, status: int, target: str) -> Ask:
    """The request after an answer that says to ask `target`. Raises NotStarted where that is not to be asked."""
    try:
        url = sendable(target)
        same = origin(ask.url) == origin(url)
    except (NotStarted, ValueError) as error:
        raise NotStarted(f"redirected to what is neither http nor https, or no URL: {error}") from None
    ask = _as_get(ask) if _becomes_get(ask.method, status) else ask
    if same:
        return ask._replace(url=_with_login(url, ask.url))
    if ask.body is not None and ask.body_stays:
        raise NotStarted("redirected to another origin, which the body may not be sent to: a declared secret is in it")
    return ask._replace(url=url, headers=[pair for pair in ask.headers if _goes_along(pair[0])], auth=None)


def _becomes_get(method: str, status: int) -> bool:
    return (status in {301, 302} and method == "POST") or (status == 303 and method not in {"GET", "HEAD"})


def _as_get(ask: Ask) -> Ask:
    headers = [pair for pair in ask.headers if not pair[0].lower().startswith("content-")]
    return ask._replace(method="GET", headers=headers, body=None)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS.get(scheme, 0)


def _goes_along(name: str) -> bool:
    name = name.lower()
    return name in _HARMLESS or name.startswith("accept")


def _with_login(url: str, before: str) -> str:
    """The URL with the user and password of the one before, at the same origin, unless it has its own."""
    login, at, _ = urlsplit(before).netloc.rpartition("@")
    parts = urlsplit(url)
    if not at or "@" in parts.netloc:
        return url
    return parts._replace(netloc=f"{login}@{parts.netloc}").geturl()


def sendable(url: str) -> str:
    """The URL in ASCII. Raises NotStarted for what is neither http nor https, and for control characters."""
    scheme = url.partition(":")[0].lower()
    if scheme not in {"http", "https"}:
        raise NotStarted(f"only http and https URLs are requested, not {scheme[:20]!r}" if ":" in url else "not a URL")
    if _CONTROL.search(url):
        raise NotStarted("the URL has a control character (a line feed?) in it")
    if url.isascii() and " " not in url:
        return url
    try:
        parts = urlsplit(url)
        network = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
        rest = parts._replace(scheme="", netloc="").geturl()
        return f"{scheme}://{network}{quote(rest, safe=URL_MARKS)}"
    except (ValueError, UnicodeError) as error:
        raise NotStarted(f"not a URL: {error}") from error
