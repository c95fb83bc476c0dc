"""The task type `http_request`: one request for each unit. It is sent by the reactor, not here; URLs are in urls.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

import msgspec

from batchwork.errors import BindError, Problem, RenderError
from batchwork.ports import Compiled, Scope, Setting, WorkerKind, Written
from batchwork.tasks.fields import Given, constant, constant_problems, flag, read_problems, seconds, size, value_of
from batchwork.tasks.urls import BoundUrl, compile_url, url_problems, url_warnings, with_params
from batchwork.template import Value, json_text, text_of
from batchwork.text.jsontext import Json
from batchwork.text.patterns import pattern

TIMEOUT_S = 60.0
REDIRECTS = 5
BODY_MAX = 10 << 20

_token = pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_STATUS_RANGE = pattern(r"([1-5])xx\Z|([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?\Z", re.IGNORECASE)
_unsendable = pattern(r"[\x00-\x08\x0a-\x1f\x7f]")
_COMMON = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")
_CONSTANT = ("expect_status", "timeout", "follow_redirects", "verify", "max_body", "idempotent")


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class HttpRequestFields(msgspec.Struct):
    """What may be written in an `http_request` task."""

    url: Annotated[str, _about("Where to: http or https. Values in its path and query are percent-encoded.")]
    method: Annotated[str, _about("GET, POST, PUT …")] = "GET"
    headers: Annotated[
        dict[str, Any] | None, _about("Headers; a list gives one several times, null leaves it out.")
    ] = None
    params: Annotated[
        dict[str, Any] | None, _about("Query parameters, encoded; a list repeats one, null leaves it out.")
    ] = None
    json: Annotated[Any, _about("A body that is sent as JSON.")] = None
    data: Annotated[str | dict[str, Any] | None, _about("A body: text as it is, a mapping as a form.")] = None
    auth: Annotated[
        dict[str, Any] | list[Any] | None, _about("{username, password}, [username, password] or {bearer: token}.")
    ] = None
    expect_status: Annotated[
        int | str | list[Any], _about("Statuses that count as success: 200, [200, 404], 2xx, 200-299.")
    ] = "2xx"
    timeout: Annotated[float | str, _about("Seconds for all of a request, redirects and body too; or 30s, 5m.")] = 60
    follow_redirects: Annotated[
        int | bool, _about("How many redirects are followed; credentials stay with their origin.")
    ] = 5
    verify: Annotated[bool, _about("Whether the server's certificate is checked.")] = True
    max_body: Annotated[int | str, _about("Largest body of a response.")] = "10 MiB"
    idempotent: Annotated[
        bool, _about("The server acts only once on the same Idempotency-Key, so POST and PATCH may be retried.")
    ] = False


class HttpRequestTask:
    """Send an HTTP request. The result is {status_code, headers, text, json, elapsed}."""

    name: ClassVar[str] = "http_request"
    Fields: ClassVar[type] = HttpRequestFields
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = 8

    def compile(self, task: Written) -> Compiled:
        fields = task.fields
        return Compiled(
            program=lambda setting: _program(fields, setting),
            problems=[*_problems(fields)],
            warnings=[*_warnings(fields)],
        )


def _program(fields: Given, setting: Setting) -> HttpProgram:
    otherwise = TIMEOUT_S if setting.timeout_s is None else setting.timeout_s
    prepare = {
        "kind": "http",
        "expect_status": constant(fields, "expect_status", setting, statuses, [[200, 299]]),
        "follow_redirects": constant(fields, "follow_redirects", setting, redirects, REDIRECTS),
        "verify": constant(fields, "verify", setting, flag, True),
        "max_body": constant(fields, "max_body", setting, size, BODY_MAX),
        "timeout_s": constant(fields, "timeout", setting, seconds, otherwise),
    }
    idempotent = constant(fields, "idempotent", setting, flag, False)
    used = frozenset(("idempotency_key",)) if idempotent else frozenset[str]()
    url = fields["url"]
    assert isinstance(url, Value)
    return HttpProgram(
        prepare=prepare,
        uses=used.union(*(value.roots for value in fields.values())) & setting.unit_names,
        idempotent=idempotent,
        url=compile_url(url),
        method=value_of(fields, "method"),
        headers=value_of(fields, "headers"),
        params=value_of(fields, "params"),
        json=value_of(fields, "json"),
        body=value_of(fields, "data"),
        auth=value_of(fields, "auth"),
    )


# ---------------------------------------------------------------- checks


def _problems(fields: Given) -> Iterator[Problem]:
    url = value_of(fields, "url")
    if url is not None:
        yield from url_problems(url)
    method = value_of(fields, "method")
    if method is not None and method.is_constant:
        try:
            checked_method(method.json)
        except BindError as error:
            yield Problem(method.place, error.message, error.hint)
    yield from _header_problems(fields)
    yield from _auth_problems(fields)
    data = value_of(fields, "data")
    if data is not None and "json" in fields:
        yield Problem(data.place, "`data` and `json` exclude each other: a request has one body")
    yield from constant_problems(fields, _CONSTANT)
    yield from read_problems(fields, _READERS)


def _warnings(fields: Given) -> Iterator[Problem]:
    url, verify = value_of(fields, "url"), value_of(fields, "verify")
    if url is not None:
        yield from url_warnings(url)
    if verify is not None and verify.json is False:
        message = "`verify: false` lets anybody on the way read and change what is sent"
        yield Problem(verify.place, message, "for a server with a certificate of your own, set SSL_CERT_FILE")


def checked_method(value: object) -> str:
    """The method in capitals. Raises BindError."""
    method = value.upper() if isinstance(value, str) else ""
    if not _token.match(method):
        raise BindError(f"{value!r} is not an HTTP method", f"a method is one word, such as {', '.join(_COMMON)}")
    if method == "CONNECT":
        raise BindError("the method CONNECT opens a tunnel, which is of no use here")
    return method


def _header_problems(fields: Given) -> Iterator[Problem]:
    headers = value_of(fields, "headers")
    if headers is None or not isinstance(headers.json, dict):
        return
    try:
        if headers.is_constant:
            list(header_pairs(headers.json))
        for name in headers.json:
            if "{{" not in name:
                _checked_name(name)
    except RenderError as error:
        yield Problem(headers.place, error.message, error.hint)
    if "auth" in fields and any(name.lower() == "authorization" for name in headers.json):
        yield Problem(fields["auth"].place, "`auth` and a header Authorization exclude each other")


def _auth_problems(fields: Given) -> Iterator[Problem]:
    auth = value_of(fields, "auth")
    if auth is None or auth.json is None:
        return
    shape = auth.json
    if isinstance(shape, dict) and shape.keys() not in ({"username", "password"}, {"bearer"}):
        yield Problem(
            auth.place, "`auth` has `username` and `password`, or `bearer`", f"it has {', '.join(shape) or 'nothing'}"
        )
    elif isinstance(shape, list) and len(shape) != 2:
        yield Problem(auth.place, "`auth` as a list is [username, password]")


def statuses(value: object) -> list[list[int]]:
    """Ranges of statuses, both ends included. Raises ValueError."""
    found = []
    for part in value if isinstance(value, list) and value else [value]:
        match = _STATUS_RANGE.match(str(part).strip()) if isinstance(part, int | str) else None
        if match is None:
            raise ValueError("statuses, such as 200, [200, 404], 2xx or 200-299")
        if match[1]:
            found.append([int(match[1]) * 100, int(match[1]) * 100 + 99])
        else:
            found.append([int(match[2]), int(match[3] or match[2])])
    return found


def redirects(value: object) -> int:
    if isinstance(value, bool):
        return REDIRECTS if value else 0
    if isinstance(value, int) and 0 <= value <= 50:
        return value
    raise ValueError("true, false, or how many redirects are followed, at most 50")


_READERS = {
    "expect_status": statuses,
    "timeout": seconds,
    "follow_redirects": redirects,
    "max_body": size,
    "verify": flag,
}


# ---------------------------------------------------------------- bound for one unit


class HttpProgram(msgspec.Struct):
    """Requests for a reactor. The payload is the whole request."""

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    idempotent: bool
    url: BoundUrl
    method: Value | None
    headers: Value | None
    params: Value | None
    json: Value | None
    body: Value | None
    auth: Value | None
    worker: WorkerKind = "reactor"
    takes_item: bool = False
    says: bool = False
    _method: str = ""

    def __post_init__(self) -> None:
        if self.method is None or self.method.is_constant:
            self._method = checked_method(self.method.json) if self.method is not None else "GET"

    def bind(self, scope: Scope) -> Json:
        url = self.url.text(scope)
        if self.params is not None and (params := self.params.render(scope)) is not None:
            url = with_params(url, params)
        method = self._method or checked_method(self.method.render(scope) if self.method is not None else "GET")
        headers = list(header_pairs(self.headers.render(scope))) if self.headers is not None else []
        there = {name.lower() for name, _ in headers}
        body, kind = self._body(scope)
        if body is not None and "content-type" not in there:
            headers.append(("Content-Type", kind))
        auth = self._auth(scope, headers) if self.auth is not None else None
        if self.idempotent and "idempotency-key" not in there:
            headers.append(("Idempotency-Key", _checked_value("Idempotency-Key", str(scope["idempotency_key"]))))
        return {
            "method": method,
            "url": url,
            "headers": [[name, value] for name, value in headers],
            "body": body,
            "auth": auth,
            "idempotent": self.idempotent,
        }

    def _body(self, scope: Scope) -> tuple[str | None, str]:
        if self.json is not None and not (self.json.is_constant and self.json.json is None):
            return json_text(self.json.render(scope)), "application/json"
        value = self.body.render(scope) if self.body is not None else None
        if value is None:
            return None, ""
        try:
            if isinstance(value, Mapping):
                pairs = [(str(name), part) for name, parts in value.items() for part in _each(parts)]
                form = urlencode([(name, text_of(part)) for name, part in pairs if part is not None])
                return form, "application/x-www-form-urlencoded"
            text = text_of(value)
            text.encode()
        except UnicodeEncodeError as error:
            raise BindError(f"`data` contains {str(error.object)[error.start]!a}, half of a character") from None
        return text, "text/plain; charset=utf-8"

    def _auth(self, scope: Scope, headers: list[tuple[str, str]]) -> Json:
        value = self.auth.render(scope) if self.auth is not None else None
        if value is None:
            return None
        if isinstance(value, Mapping) and value.keys() == {"bearer"}:
            headers.append(("Authorization", _checked_value("Authorization", f"Bearer {text_of(value['bearer'])}")))
            return None
        if isinstance(value, Mapping) and value.keys() == {"username", "password"}:
            value = [value["username"], value["password"]]
        if not isinstance(value, list) or len(value) != 2:
            raise RenderError("`auth` must be {username, password}, [username, password] or {bearer}")
        user, password = (_checked_value("auth", text_of(part), edges=True) for part in value)
        if ":" in user:
            raise BindError("the username of `auth` has a colon in it, which Basic authentication cannot carry")
        return [user, password]


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else (value,)


def header_pairs(value: object) -> Iterator[tuple[str, str]]:
    """Headers as pairs, each of them sendable. Raises RenderError, BindError."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise RenderError("`headers` must be a mapping of names to values")
    for name, parts in value.items():
        for part in _each(parts):
            if part is not None:
                yield _checked_name(str(name)), _checked_value(str(name), text_of(part))


def _checked_name(name: str) -> str:
    if not _token.match(name):
        raise BindError(f"`{name}` cannot be the name of a header")
    return name


def _checked_value(name: str, text: str, *, edges: bool = False) -> str:
    if text.isascii() and text.isprintable() and text[:1] != " " and text[-1:] != " ":
        return text
    if _unsendable.search(text):
        kind = "a line end" if "\r" in text or "\n" in text else "a NUL" if "\0" in text else "a control character"
        raise BindError(
            f"the header {name} has {kind} in it, and is not sent" if name != "auth" else f"`auth` has {kind} in it"
        )
    if text != text.strip(" \t") and not edges:
        raise BindError(f"the header {name} begins or ends with white space, which HTTP takes away")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BindError(f"the header {name} contains {text[error.start]!a}, half of a character") from None
    return text
