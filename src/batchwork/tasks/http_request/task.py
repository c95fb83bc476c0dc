"""The task type `http_request`: what may be written, and what is wrong or risky about it. Nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import msgspec

from batchwork.errors import BindError, Problem, RenderError
from batchwork.ports import Compiled, Setting, Written
from batchwork.secrets import masker
from batchwork.tasks.fields import (
    Given,
    about,
    bytes_of,
    constant,
    constant_problems,
    flag,
    read_problems,
    seconds,
    value_of,
)
from batchwork.tasks.http_request.body import Body, body_problems
from batchwork.tasks.http_request.headers import checked_method, checked_name, each, header_pairs
from batchwork.tasks.http_request.place import place_problems, place_warnings, save_place
from batchwork.tasks.http_request.program import Head, HttpProgram
from batchwork.tasks.http_request.urls import compile_url, url_problems, url_warnings
from batchwork.template import Value
from batchwork.text.patterns import pattern

REQUEST_S = 60.0
REDIRECTS = 5
BODY_MAX = 10 << 20

_STATUS_RANGE = pattern(r"([1-5])xx\Z|([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?\Z", re.IGNORECASE)
_CONSTANT = ("expect_status", "timeout", "follow_redirects", "verify", "max_body", "idempotent", "deny_private")


class HttpRequestFields(msgspec.Struct):
    """What may be written in an `http_request` task."""

    url: Annotated[str, about("Where to: http or https. Values in its path and query are percent-encoded.")]
    method: Annotated[str, about("GET, POST, PUT …")] = "GET"
    headers: Annotated[dict[str, Any] | None, about("Headers; a list gives one several times, null leaves it out.")] = (
        None
    )
    params: Annotated[
        dict[str, Any] | None, about("Query parameters, encoded; a list repeats one, null leaves it out.")
    ] = None
    json: Annotated[Any, about("A body that is sent as JSON.")] = None
    data: Annotated[
        str | dict[str, Any] | None,
        about("A body: text as it is, a mapping as a form, {file: path} what a file holds."),
    ] = None
    multipart: Annotated[
        dict[str, Any] | None,
        about("A form with files: values, {file, filename, type} or {text, type}, or lists of them."),
    ] = None
    auth: Annotated[
        dict[str, Any] | list[Any] | None, about("{username, password}, [username, password] or {bearer: token}.")
    ] = None
    expect_status: Annotated[
        int | str | list[Any], about("Statuses that count as success: 200, [200, 404], 2xx, 200-299.")
    ] = "2xx"
    timeout: Annotated[float | str, about("Seconds for all of a request, redirects and body too; or 30s, 5m.")] = 60
    follow_redirects: Annotated[
        int | bool, about("How many redirects are followed; no credentials go to another origin.")
    ] = 5
    verify: Annotated[bool, about("Whether the server's certificate is checked.")] = True
    max_body: Annotated[int | str, about("Largest body of a response; with save_to any, unless it is written.")] = (
        "10 MiB"
    )
    save_to: Annotated[
        str | None,
        about("A file that the body is streamed to: whole or not there. Folders are made, an old file replaced."),
    ] = None
    deny_private: Annotated[
        bool, about("Connect to public addresses only: not to this machine or its network, and past no proxy.")
    ] = False
    idempotent: Annotated[
        bool, about("The server acts only once on the same Idempotency-Key, so POST and PATCH may be retried.")
    ] = False


class HttpRequestTask:
    """Send an HTTP request. The result is {status_code, headers, text, json, elapsed}.

    `body_base64` stands instead of `text` where the body is no text, `saved_to` and `size` with `save_to`.
    """

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
            warnings=[*_warnings(fields, task.names)],
        )


def _program(fields: Given, setting: Setting) -> HttpProgram:
    prepare = {
        "kind": "http",
        "expect_status": constant(fields, "expect_status", setting, statuses, [[200, 299]]),
        "follow_redirects": constant(fields, "follow_redirects", setting, redirects, REDIRECTS),
        "verify": constant(fields, "verify", setting, flag, True),
        "max_body": constant(fields, "max_body", setting, bytes_of, None if "save_to" in fields else BODY_MAX),
        "timeout_s": constant(fields, "timeout", setting, seconds, setting.timeout_s or REQUEST_S),
    }
    if constant(fields, "deny_private", setting, flag, False):
        prepare["deny_private"] = True
    idempotent = constant(fields, "idempotent", setting, flag, False)
    used = frozenset[str]().union(*(value.roots for value in fields.values()))
    if idempotent:
        used |= {"idempotency_key"}
    url = fields["url"]
    assert isinstance(url, Value)
    return HttpProgram(
        prepare=prepare,
        uses=used & setting.unit_names,
        url=compile_url(url, value_of(fields, "params")),
        method=_method(value_of(fields, "method")),
        head=Head(value_of(fields, "headers"), value_of(fields, "auth"), idempotent),
        body=Body(value_of(fields, "json"), value_of(fields, "data"), value_of(fields, "multipart")),
        save_to=save_place(value_of(fields, "save_to")),
        holds_secret=masker(setting.secrets, setting.environ).finds if setting.secrets else None,
    )


def _method(value: Value | None) -> Value | str:
    """The method, checked where it is the same for all units. Raises BindError."""
    if value is None:
        return "GET"
    if value.is_constant:
        return checked_method(value.json)
    return value


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
    yield from body_problems(fields)
    yield from place_problems(value_of(fields, "save_to"))
    yield from constant_problems(fields, _CONSTANT)
    yield from read_problems(fields, _READERS)


def _warnings(fields: Given, names: frozenset[str]) -> Iterator[Problem]:
    yield from place_warnings(value_of(fields, "save_to"), names)
    url, verify = value_of(fields, "url"), value_of(fields, "verify")
    if url is not None:
        yield from url_warnings(url)
    if verify is not None and verify.json is False:
        message = "`verify: false` lets anybody on the way read and change what is sent"
        yield Problem(verify.place, message, "for a server with a certificate of your own, set SSL_CERT_FILE")


def _header_problems(fields: Given) -> Iterator[Problem]:
    headers = value_of(fields, "headers")
    if headers is None or not isinstance(headers.json, dict):
        return
    try:
        if headers.is_constant:
            list(header_pairs(headers.json))
        for name in headers.json:
            if "{{" not in name:
                checked_name(name)
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
    for part in each(value) or [value]:
        match = _STATUS_RANGE.match(str(part).strip())
        if match is None:
            raise ValueError("statuses, such as 200, [200, 404], 2xx or 200-299")
        if match[1]:
            found.append([int(match[1]) * 100, int(match[1]) * 100 + 99])
        else:
            found.append([int(match[2]), int(match[3] or match[2])])
    return found


def redirects(value: object) -> int:
    if value is True:
        return REDIRECTS
    if isinstance(value, int) and 0 <= value <= 50:
        return int(value)  # `false` is 0
    raise ValueError("true, false, or how many redirects are followed, at most 50")


_READERS = {
    "expect_status": statuses,
    "timeout": seconds,
    "follow_redirects": redirects,
    "max_body": bytes_of,
    "verify": flag,
    "deny_private": flag,
}
