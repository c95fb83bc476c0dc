"""One curl handle: set up for one request after the other, and why it failed. Which run at once is decided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pycurl

from batchwork.workers.reactor.program.http.addresses import open_public
from batchwork.workers.reactor.program.http.arriving import Arriving, Room, Wanted
from batchwork.workers.reactor.program.http.asking import URL_MARKS, Ask, asked, origin, redirected
from batchwork.workers.reactor.program.http.bodies import set_body
from batchwork.workers.reactor.program.http.credentials import masks, without_credentials
from batchwork.workers.reactor.program.http.decoding import ASKED_FOR, readable_encodings
from batchwork.workers.reactor.program.http.manner import Manner, never_again
from batchwork.workers.reactor.program.http.responses import Response
from batchwork.workers.reactor.program.outbox import Failed, NotStarted, Unit

_NOT_IDEMPOTENT = frozenset({"POST", "PATCH"})
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_METHOD = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]{1,50}")
_ONLY_HTTP = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_SPLITTING = re.compile(r"[\r\n\0]")
_ASKED_FOR = f"Accept-Encoding: {ASKED_FOR}".encode()
_DURATION = re.compile(r" after \d+ ms")
"""Would make each message different from the next."""


class Transfer:
    """A request and its response. `begin` readies the handle, which may keep its connection from the last request."""

    def __init__(self, manner: Manner) -> None:
        self.handle = pycurl.Curl()
        self.unit: Unit | None = None
        self._manner = manner
        self._answer = Arriving(Room(manner.max_body, manner.max_file, manner.too_large))
        self._ask: Ask | None = None
        self._shape: tuple[object, ...] = ()
        self._redirects = 0
        self._denied: list[str] = []

    def begin(self, unit: Unit) -> None:
        """Set up the handle for a unit. Raises NotStarted."""
        self.unit = unit
        self._redirects = 0
        ask = asked(unit.payload)
        if not _METHOD.fullmatch(ask.method):
            raise NotStarted(f"{ask.method[:20]!r} is not an HTTP method")
        self._set(ask, self._manner.timeout_s)

    def led_on(self, elapsed_s: float) -> bool:
        """Whether the answer leads elsewhere and the handle is set up to ask there. Raises NotStarted."""
        target = self.handle.getinfo_raw(pycurl.REDIRECT_URL) if self._answer.leads_on() else None
        if not target or self._ask is None:
            return False
        if self._redirects >= self._manner.follow:
            raise NotStarted(f"more than {self._manner.follow} redirects")
        self._redirects += 1
        ask = redirected(self._ask, self._answer.status(), _in_ascii(target))
        timeout_s = self._manner.timeout_s
        self._set(ask, timeout_s and max(0.001, timeout_s - elapsed_s))
        return True

    @property
    def masks(self) -> tuple[str, ...]:
        """What must not be seen of what was sent."""
        return masks(self._payload)

    @property
    def _payload(self) -> Mapping[str, Any]:
        assert self.unit is not None
        return self.unit.payload

    @property
    def _repeatable(self) -> bool:
        return str(self._payload["method"]).upper() not in _NOT_IDEMPOTENT or bool(self._payload.get("idempotent"))

    # ------------------------------------------------------------ setting up

    def _set(self, ask: Ask, timeout_s: float | None) -> None:
        before, self._ask = self._ask, None
        self._answer.clear(Wanted(self._save_to, follow=self._manner.follow > 0))
        self._denied.clear()
        try:
            anew = self._set_shape(ask, timeout_s)
            if anew or before is None or before.headers != ask.headers:
                lines = _header_lines(ask.headers, typed=isinstance(ask.body, Mapping))
                self.handle.setopt(pycurl.HTTPHEADER, lines)
            self.handle.setopt(pycurl.URL, ask.url)
            if _has_body(ask):
                set_body(self.handle, ask.body)
        except (UnicodeEncodeError, pycurl.error) as error:
            self._shape = ()
            raise NotStarted(f"cannot be sent: {error}") from error
        self._ask = ask

    def _save_to(self, status: int) -> str | None:
        """The file that a body goes to; one of an answer that was not asked for is read, not saved."""
        path = self._payload.get("save_to")
        return str(path) if path is not None and status in self._manner.expected else None

    def _set_shape(self, ask: Ask, timeout_s: float | None) -> bool:
        """Set up what is mostly the same for one request and the next. Whether it was set up anew."""
        kind = "text" if ask.body is None or isinstance(ask.body, str) else "".join(ask.body)
        shape = (ask.method, _has_body(ask) and kind, self._repeatable, ask.auth, timeout_s)
        if shape == self._shape:
            return False
        self.handle.reset()
        self._set_always(timeout_s)
        self._set_trust()
        if ask.auth is not None:
            self.handle.setopt(pycurl.USERNAME, str(ask.auth[0]).encode())
            self.handle.setopt(pycurl.PASSWORD, str(ask.auth[1]).encode())
        if not self._repeatable:
            # On a kept connection that turns out to be closed libcurl sends a request a second time, unasked.
            self.handle.setopt(pycurl.FRESH_CONNECT, 1)
        if ask.method == "HEAD":
            self.handle.setopt(pycurl.NOBODY, 1)
        elif ask.method != ("POST" if _has_body(ask) else "GET"):
            self.handle.setopt(pycurl.CUSTOMREQUEST, ask.method)
        self._shape = shape
        return True

    def _set_always(self, timeout_s: float | None) -> None:
        handle = self.handle
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.WRITEFUNCTION, self._answer.take)
        handle.setopt(pycurl.HEADERFUNCTION, self._answer.lines.append)
        handle.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        handle.setopt(pycurl.USERAGENT, "batchwork")
        handle.setopt(pycurl.PROTOCOLS, _ONLY_HTTP)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        if timeout_s is not None:
            handle.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout_s * 1000)))

    def _set_trust(self) -> None:
        """Whom requests may go to."""
        handle, manner = self.handle, self._manner
        if not manner.verify:
            handle.setopt(pycurl.SSL_VERIFYPEER, 0)
            handle.setopt(pycurl.SSL_VERIFYHOST, 0)
        elif manner.authorities:
            handle.setopt(pycurl.CAINFO, manner.authorities)
        if manner.deny_private:
            handle.setopt(pycurl.PROXY, "")  # what a proxy would reach is not known here
            handle.setopt(pycurl.OPENSOCKETFUNCTION, open_public(self._denied))

    # ------------------------------------------------------------ its end

    def response(self, elapsed_s: float) -> Response | Failed:
        """What came, `elapsed_s` after it was begun to be asked for; or what is wrong with it."""
        answer = self._answer
        wrong = answer.complete(bodiless=self._ask is not None and self._ask.method == "HEAD")
        if wrong is not None:
            answer.drop()
            return wrong
        saving, answer.saving = answer.saving, None
        saved = (str(self._payload["save_to"]), saving.size) if saving is not None else None
        code = self.handle.getinfo(pycurl.RESPONSE_CODE)
        body, answer.body = answer.body, bytearray()  # it may be large, and this transfer waits long
        return Response(code, answer.lines, body, elapsed_s, saved)

    def drop(self) -> None:
        """Leave nothing of an answer that is given up."""
        self._answer.drop()

    def failure(self, code: int, said: str) -> Failed:
        """Why curl gave up: its error code and what it says to it."""
        self.drop()
        sent = self.handle.getinfo(pycurl.REQUEST_SIZE) > 0 or self._redirects > 0
        if self._answer.failure is not None:
            return self.guarded(self._answer.failure, sent=True)
        if self._denied:
            message = f"{self._host()} has the address {self._denied[0]}, which is not public (`deny_private`)"
            return self.guarded({"type": "refused", "message": message, "retryable": False}, sent=sent)
        said = _DURATION.sub("", without_credentials(said, self.masks))
        kind, message = self._manner.complaint(code, said, self._host())
        failed: Failed = {"type": kind, "message": message}
        if kind == "refused" or never_again(code):
            failed["retryable"] = False
        return self.guarded(failed, sent=sent)

    def guarded(self, failed: Failed, *, sent: bool) -> Failed:
        """The failure, not to be retried where the request may have had its effect and may not be repeated."""
        if sent and not self._repeatable and failed.get("retryable", True):
            method = str(self._payload["method"]).upper()
            failed["retryable"] = False
            failed["message"] = (
                f"{failed['message']} (not retried, because the {method} may have arrived; say `idempotent: true` "
                "if it may be sent again)"
            )
        return failed

    def _host(self) -> str:
        try:
            return origin(self._ask.url)[1] if self._ask is not None else "the server"
        except ValueError:
            return "the server"


def _has_body(ask: Ask) -> bool:
    return ask.body is not None or ask.method in _BODY_METHODS


def _in_ascii(url: bytes) -> str:
    """Where a `Location` leads, its bytes as they came, percent-encoded where they are not ASCII."""
    from urllib.parse import quote

    return url.decode() if url.isascii() else quote(url, safe=URL_MARKS)


def _header_lines(headers: Any, *, typed: bool) -> list[bytes]:
    """The headers as curl takes them; its own additions are switched off where they would surprise.

    `typed`: the body says itself what it is. Of encodings only those are asked for that can be read.
    """
    lines, names = [b"Expect:"], set()
    for name, value in headers:
        if _SPLITTING.search(line := f"{name}: {value}"):
            raise NotStarted(f"the header {str(name)[:50]!r} has a line end or a NUL in it")
        names.add(low := str(name).lower())
        if low == "accept-encoding":
            line = f"{name}: {readable_encodings(str(value))}"
        lines.append(line.encode() if str(value).strip() else f"{name};".encode())
    if "accept-encoding" not in names:
        lines.append(_ASKED_FOR)
    if "content-type" not in names and not typed:
        lines.append(b"Content-Type:")
    return lines
