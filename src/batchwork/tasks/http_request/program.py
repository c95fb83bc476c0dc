"""An HTTP request made ready: the request of each unit, encoded and checked. Sent by the reactor, not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from batchwork.errors import BindError, RenderError
from batchwork.ports import Scope
from batchwork.tasks.fields import rendered
from batchwork.tasks.http_request.body import Body
from batchwork.tasks.http_request.headers import checked_credential, checked_method, checked_value, header_pairs
from batchwork.tasks.http_request.place import SavePlace
from batchwork.tasks.http_request.urls import BoundUrl
from batchwork.template import Value, text_of
from batchwork.text.jsontext import Json, encode


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


class Head(Struct, frozen=True):
    """The headers of a request, with its credentials."""

    headers: Value | None
    auth: Value | None
    idempotent: bool

    def sent(self, scope: Scope, kind: str) -> tuple[list[tuple[str, str]], list[Json] | None]:
        """All headers, `kind` as the content type unless one is written; user and password. Raises RenderError, BindError."""
        headers = list(header_pairs(rendered(self.headers, scope)))
        auth = rendered(self.auth, scope)
        bearer = _bearer(auth)
        there = {name.lower() for name, _ in headers}
        if kind and "content-type" not in there:
            headers.append(("Content-Type", kind))
        if bearer is not None:
            headers.append(("Authorization", bearer))
        if self.idempotent and "idempotency-key" not in there:
            headers.append(("Idempotency-Key", checked_value("Idempotency-Key", str(scope["idempotency_key"]))))
        return headers, _username_and_password(auth)


class HttpProgram(Struct):
    """Requests for a reactor. The payload is the whole request. `method` is checked already where it is a text.

    `holds_secret` tells of a body whether a declared secret is in it, which no redirect may take to another origin.
    """

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    url: BoundUrl
    method: Value | str
    head: Head
    body: Body
    save_to: SavePlace | None = None
    holds_secret: Callable[[str], bool] | None = None

    worker = "reactor"
    takes_item = False
    says = False

    def bind(self, scope: Scope) -> Json:
        url = self.url.text(scope)
        method = self.method if isinstance(self.method, str) else checked_method(self.method.render(scope))
        body, kind = self.body.sent(scope)
        headers, auth = self.head.sent(scope, kind)
        payload: dict[str, Json] = {
            "method": method,
            "url": url,
            "headers": [[name, value] for name, value in headers],
            "body": body,
            "auth": auth,
            "idempotent": self.head.idempotent,
        }
        if self.holds_secret is not None and body is not None and self.holds_secret(encode(body)):
            payload["body_stays"] = True
        if self.save_to is not None and (path := self.save_to.path(scope)) is not None:
            payload["save_to"] = path
        return payload
