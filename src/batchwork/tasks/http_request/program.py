"""An HTTP request made ready: the request of each unit, encoded and checked. Sent by the reactor, not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from batchwork.errors import BindError, RenderError
from batchwork.ports import Scope
from batchwork.tasks.fields import rendered
from batchwork.tasks.http_request.headers import checked_credential, checked_method, checked_value, each, header_pairs
from batchwork.tasks.http_request.urls import BoundUrl
from batchwork.template import Value, json_text, text_of
from batchwork.text.jsontext import Json


class Body(Struct, frozen=True):
    """What is sent: `json`, or `data`, or nothing."""

    json: Value | None
    data: Value | None

    def sent(self, scope: Scope) -> tuple[str | None, str]:
        """The text and its content type. Raises RenderError, BindError."""
        if self.json is not None and not (self.json.is_constant and self.json.json is None):
            return json_text(self.json.render(scope)), "application/json"
        value = rendered(self.data, scope)
        if value is None:
            return None, ""
        try:
            if isinstance(value, Mapping):
                return _form(value), "application/x-www-form-urlencoded"
            text = text_of(value)
            text.encode()
        except UnicodeEncodeError as error:
            raise BindError(f"`data` contains {str(error.object)[error.start]!a}, half of a character") from None
        return text, "text/plain; charset=utf-8"


def _form(value: Mapping[str, object]) -> str:
    pairs = [(str(name), part) for name, parts in value.items() for part in each(parts)]
    return urlencode([(name, text_of(part)) for name, part in pairs if part is not None])


def _bearer(auth: object) -> str | None:
    """The header that carries a token; None where `auth` has no token. Raises BindError."""
    if not isinstance(auth, Mapping) or auth.keys() != {"bearer"}:
        return None
    return checked_value("Authorization", f"Bearer {text_of(auth['bearer'])}")


def _username_and_password(auth: object) -> list[Json] | None:
    """None where `auth` has a token, or is not given. Raises RenderError, BindError."""
    if auth is None or (isinstance(auth, Mapping) and auth.keys() == {"bearer"}):
        return None
    if isinstance(auth, Mapping) and auth.keys() == {"username", "password"}:
        auth = [auth["username"], auth["password"]]
    if not isinstance(auth, list) or len(auth) != 2:
        raise RenderError("`auth` must be {username, password}, [username, password] or {bearer}")
    user, password = (checked_credential(text_of(part)) for part in auth)
    if ":" in user:
        raise BindError("the username of `auth` has a colon in it, which Basic authentication cannot carry")
    return [user, password]


class HttpProgram(Struct):
    """Requests for a reactor. The payload is the whole request. `method` is checked already where it is a text."""

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    idempotent: bool
    url: BoundUrl
    method: Value | str
    headers: Value | None
    body: Body
    auth: Value | None

    worker = "reactor"
    takes_item = False
    says = False

    def bind(self, scope: Scope) -> Json:
        url = self.url.text(scope)
        method = self.method if isinstance(self.method, str) else checked_method(self.method.render(scope))
        headers = list(header_pairs(rendered(self.headers, scope)))
        body, kind = self.body.sent(scope)
        auth = rendered(self.auth, scope)
        bearer = _bearer(auth)
        self._complete(headers, kind, bearer, scope)
        return {
            "method": method,
            "url": url,
            "headers": [[name, value] for name, value in headers],
            "body": body,
            "auth": _username_and_password(auth),
            "idempotent": self.idempotent,
        }

    def _complete(self, headers: list[tuple[str, str]], kind: str, bearer: str | None, scope: Scope) -> None:
        """Add the headers that the author has not written."""
        there = {name.lower() for name, _ in headers}
        if kind and "content-type" not in there:
            headers.append(("Content-Type", kind))
        if bearer is not None:
            headers.append(("Authorization", bearer))
        if self.idempotent and "idempotency-key" not in there:
            headers.append(("Idempotency-Key", checked_value("Idempotency-Key", str(scope["idempotency_key"]))))
