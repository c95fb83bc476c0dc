"""One curl handle: set up for one request after the other, and why it failed. Which run at once is decided elsewhere."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pycurl

from batchwork.workers.reactor.program.outbox import Failed, NotStarted, Unit
from batchwork.workers.reactor.program.responses import Response, masks, without_credentials

_FOLLOW_OBEYCODE = 2
"""libcurl >= 8.13: a method of one's own is kept or changed as the redirect's status says; true to older ones."""
_NOT_IDEMPOTENT = frozenset({"POST", "PATCH"})
_CA_VARIABLES = ("CURL_CA_BUNDLE", "SSL_CERT_FILE")
_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_METHOD = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]{1,50}")
_URL_MARKS = "%/:?#[]@!$&'()*+,;=~"
_ONLY_HTTP = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_TOO_LARGE = 100
"""CURLE_TOO_LARGE, which pycurl does not name."""
_DURATION = re.compile(r" after \d+ ms")
"""Would make each message different from the next."""
_NEVER_RETRIED = frozenset({
    pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_TOO_MANY_REDIRECTS, pycurl.E_FILESIZE_EXCEEDED, _TOO_LARGE,
})  # fmt: skip
_CONNECT = frozenset({
    pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY, pycurl.E_COULDNT_CONNECT, pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE, pycurl.E_SSL_CIPHER, pycurl.E_SSL_CERTPROBLEM,
})  # fmt: skip


class Manner:
    """What is the same for all requests of a step. Proxies are taken from the environment, ~/.netrc is not read."""

    def __init__(self, prepare: Mapping[str, Any], timeout_s: float | None) -> None:
        self.follow = int(prepare.get("follow_redirects", 5))
        self.verify = bool(prepare.get("verify", True))
        self.max_body = int(prepare.get("max_body", 10 << 20))
        self.timeout_s = timeout_s
        expected = prepare.get("expect_status") or [[200, 299]]
        self.expected = frozenset(status for low, high in expected for status in range(low, high + 1))
        named = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
        self.authorities = named or next(filter(os.path.isfile, _CA_FILES), None) or _certifi()

    def complaint(self, code: int, said: str) -> tuple[str, str]:
        """The type and the message of a failure, from curl's error code and what curl says to it."""
        known = {
            pycurl.E_FILESIZE_EXCEEDED: ("http", f"body larger than {_size(self.max_body)}"),
            pycurl.E_OPERATION_TIMEDOUT: ("timeout", f"timed out after {self.timeout_s or 0:g} s"),
            pycurl.E_TOO_MANY_REDIRECTS: ("http", f"more than {self.follow} redirects"),
            pycurl.E_URL_MALFORMAT: ("refused", f"not a URL: {said}"),
            _TOO_LARGE: ("http", said or "response headers are too large"),
        }
        if code in known:
            return known[code]
        if code == pycurl.E_UNSUPPORTED_PROTOCOL and said.startswith("Protocol "):
            return "refused", f"redirected to what is neither http nor https: {said}"
        kind = "connect" if code in _CONNECT else "http"
        return kind, said or f"curl error {code}"


class Arriving:
    """What has come of an answer: its header lines, and its body, up to `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.lines: list[bytes] = []
        self.body = bytearray()
        self.too_large = False
        self._limit = limit

    def clear(self) -> None:
        """Another answer is to come; a body that was handed on is left alone."""
        self.lines.clear()
        self.body = bytearray()
        self.too_large = False

    def take(self, part: bytes) -> int | None:
        """Keep a part of the body."""
        if len(self.body) + len(part) > self._limit:
            self.too_large = True
            return 0  # fewer than there were: libcurl stops
        self.body += part
        return None


class Transfer:
    """A request and its response. `begin` readies the handle, which may keep its connection from the last request."""

    def __init__(self, manner: Manner) -> None:
        self.handle = pycurl.Curl()
        self.unit: Unit | None = None
        self.masks: tuple[str, ...] = ()
        self._manner = manner
        self._answer = Arriving(manner.max_body)
        self._repeatable = True
        self._shape: tuple[object, ...] = ()
        self._headers: object = None

    def begin(self, unit: Unit) -> None:
        """Set up the handle for a unit. Raises NotStarted."""
        payload = unit.payload
        self.unit = unit
        self._answer.clear()
        self.masks = masks(payload)
        method, url = str(payload["method"]).upper(), _sendable(str(payload["url"]))
        if not _METHOD.fullmatch(method):
            raise NotStarted(f"{method[:20]!r} is not an HTTP method")
        self._repeatable = method not in _NOT_IDEMPOTENT or bool(payload.get("idempotent"))
        has_body = payload.get("body") is not None or method in {"POST", "PUT", "PATCH"}
        auth, headers = payload.get("auth"), payload.get("headers") or []
        shape = (method, has_body, self._repeatable, auth)
        if shape != self._shape:
            self._set_shape(method, has_body, auth)
            self._shape, self._headers = shape, None
        handle = self.handle
        try:
            handle.setopt(pycurl.URL, url)
            if headers != self._headers:
                handle.setopt(pycurl.HTTPHEADER, _header_lines(headers))
                self._headers = headers
            if has_body:
                handle.setopt(pycurl.POSTFIELDS, str(payload.get("body") or "").encode())
        except (UnicodeEncodeError, pycurl.error) as error:
            self._shape = ()
            raise NotStarted(f"cannot be sent: {error}") from error

    def _set_shape(self, method: str, has_body: bool, auth: object) -> None:
        handle, manner = self.handle, self._manner
        handle.reset()
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.WRITEFUNCTION, self._answer.take)
        handle.setopt(pycurl.HEADERFUNCTION, self._answer.lines.append)
        handle.setopt(pycurl.ACCEPT_ENCODING, "")
        handle.setopt(pycurl.USERAGENT, "batchwork")
        handle.setopt(pycurl.PROTOCOLS, _ONLY_HTTP)
        handle.setopt(pycurl.REDIR_PROTOCOLS, _ONLY_HTTP)
        handle.setopt(pycurl.FOLLOWLOCATION, _FOLLOW_OBEYCODE if manner.follow else 0)
        handle.setopt(pycurl.MAXREDIRS, manner.follow)
        handle.setopt(pycurl.MAXFILESIZE_LARGE, manner.max_body)
        if manner.timeout_s is not None:
            handle.setopt(pycurl.TIMEOUT_MS, max(1, int(manner.timeout_s * 1000)))
        if not manner.verify:
            handle.setopt(pycurl.SSL_VERIFYPEER, 0)
            handle.setopt(pycurl.SSL_VERIFYHOST, 0)
        elif manner.authorities:
            handle.setopt(pycurl.CAINFO, manner.authorities)
        if isinstance(auth, list):
            handle.setopt(pycurl.USERNAME, str(auth[0]).encode())
            handle.setopt(pycurl.PASSWORD, str(auth[1]).encode())
        if not self._repeatable:
            # On a kept connection that turns out to be closed libcurl sends a request a second time, unasked.
            handle.setopt(pycurl.FRESH_CONNECT, 1)
        if method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)
        elif method != ("POST" if has_body else "GET"):
            handle.setopt(pycurl.CUSTOMREQUEST, method)

    # ------------------------------------------------------------ its end

    def response(self) -> Response:
        code, took_s = self.handle.getinfo(pycurl.RESPONSE_CODE), self.handle.getinfo(pycurl.TOTAL_TIME)
        body, self._answer.body = self._answer.body, bytearray()  # it may be large, and this transfer waits long
        return Response(code, self._answer.lines, body, took_s)

    def failure(self, code: int, said: str) -> Failed:
        """Why curl gave up: its error code and what it says to it."""
        said = _DURATION.sub("", without_credentials(said, self.masks))
        if self._answer.too_large:
            code = pycurl.E_FILESIZE_EXCEEDED
        kind, message = self._manner.complaint(code, said)
        failed: Failed = {"type": kind, "message": message}
        if kind == "refused" or code in _NEVER_RETRIED:
            failed["retryable"] = False
        return self.guarded(failed, sent=self.handle.getinfo(pycurl.REQUEST_SIZE) > 0)

    def guarded(self, failed: Failed, *, sent: bool) -> Failed:
        """The failure, not to be retried where the request may have had its effect and may not be repeated."""
        if sent and not self._repeatable and failed.get("retryable", True):
            method = self._shape[0] if self._shape else "request"
            failed["retryable"] = False
            failed["message"] = (
                f"{failed['message']} (not retried, because the {method} may have arrived; say `idempotent: true` "
                "if it may be sent again)"
            )
        return failed


def _sendable(url: str) -> str:
    """The URL in ASCII. Raises NotStarted for what is neither http nor https, and for control characters."""
    scheme = url.partition(":")[0].lower()
    if scheme not in {"http", "https"}:
        raise NotStarted(f"only http and https URLs are requested, not {scheme[:20]!r}" if ":" in url else "not a URL")
    if any(character < " " or character == "\x7f" for character in url):
        raise NotStarted("the URL has a control character (a line feed?) in it")
    if url.isascii() and " " not in url:
        return url
    try:
        parts = urlsplit(url)
        network = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
        rest = parts._replace(scheme="", netloc="").geturl()
        return f"{scheme}://{network}{quote(rest, safe=_URL_MARKS)}"
    except (ValueError, UnicodeError) as error:
        raise NotStarted(f"not a URL: {error}") from error


def _header_lines(headers: object) -> list[bytes]:
    """The headers as curl takes them; its own additions are switched off where they would surprise."""
    assert isinstance(headers, list)
    lines = [b"Expect:"]
    for name, value in headers:
        if any(mark in f"{name}{value}" for mark in "\r\n\0"):
            raise NotStarted(f"the header {str(name)[:50]!r} has a line end or a NUL in it")
        lines.append(f"{name}: {value}".encode() if str(value).strip() else f"{name};".encode())
    if not any(str(name).lower() == "content-type" for name, _ in headers):
        lines.append(b"Content-Type:")
    return lines


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"


def _certifi() -> str | None:
    try:
        return str(importlib.import_module("certifi").where())
    except ImportError:
        return None
