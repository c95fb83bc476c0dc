"""What is made of HTTP responses: results, failures, waits, and nothing that was secret when it was sent."""

from __future__ import annotations

import base64
import json
from email.utils import formatdate
from typing import Any

import pytest

from batchwork.workers.reactor.program.http import credentials, responses
from batchwork.workers.reactor.program.http.responses import Response

JSON = [b"HTTP/1.1 200 OK\r\n", b"Content-Type: application/json\r\n", b"\r\n"]


def of(body: bytes, *headers: bytes, status: int = 200, masks: tuple[str, ...] = ()) -> dict[str, Any]:
    lines = [b"HTTP/1.1 %d Fine\r\n" % status, *headers, b"\r\n"]
    text = responses.response_result(Response(status, lines, body, 0.1234567), masks)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.promise("5.26")
def test_a_result_has_status_headers_text_json_and_time() -> None:
    lines = [
        b"HTTP/1.1 302 Found\r\n",
        b"Location: /x\r\n",
        b"\r\n",
        *JSON[:2],
        b"Set-Cookie: a=1\r\n",
        b"set-cookie: b=2\r\n",
    ]
    found = json.loads(
        responses.response_result(Response(200, lines, b'{"a": [1, 12345678901234567890]}', 0.1234567), ())
    )
    assert found == {
        "status_code": 200,
        "headers": {"content-type": "application/json", "set-cookie": "a=1, b=2"},
        "text": '{"a": [1, 12345678901234567890]}',
        "json": {"a": [1, 12345678901234567890]},
        "elapsed": 0.123457,
    }


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        (b"[1]", b"", [1]),
        (b" {}", b"text/plain", {}),
        (b"1", b"text/plain", None),
        (b"1", b"application/problem+json; charset=utf-8", 1),
        (b'\xef\xbb\xbf{"bom": 1}', b"application/json", {"bom": 1}),
        (b'{"a": NaN}', b"application/json", None),
        (b'{"a": 1e999}', b"application/json", None),
        (b'{"a": 2', b"application/json", None),
        (b"[" * 100_000 + b"]" * 100_000, b"application/json", None),
        (b"[" * 390 + b"]" * 390, b"application/json", "deep"),
        (b'["' + b"[" * 1000 + b'"]', b"application/json", ["[" * 1000]),
        (b"[" + b"[]," * 1000 + b"[]]", b"application/json", [[]] * 1001),
        (b"9" * 5000, b"application/json", None),
        (b"<html>", b"text/html", None),
        (b"", b"application/json", None),
    ],
)
@pytest.mark.promise("5.27")
def test_json_is_there_where_the_body_is_json(body: bytes, kind: bytes, value: object) -> None:
    found = of(body, b"Content-Type: " + kind + b"\r\n")["json"]
    assert found == value or (value == "deep" and isinstance(found, list))


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("é".encode("latin-1"), b"iso-8859-1", "é"),
        ("é".encode(), b"UTF-8", "é"),
        ("é".encode(), b'"utf-8"', "é"),
        (b"hi", b"rot13-nope", "hi"),
        (b"hi", b"rot13", "hi"),
        (b"\\ud800", b"unicode_escape", "\ud800"),
    ],
)
def test_text_is_decoded_by_the_charset_or_as_utf8(body: bytes, charset: bytes, text: str) -> None:
    assert of(body, b"Content-Type: text/plain; charset=" + charset + b"\r\n")["text"] == text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (bytes(range(256)), b"image/gif"),
        (b"\xff\xfe\x00bin\x80", b"text/plain; charset=utf-8"),
        ("é".encode("latin-1"), b"text/html"),
        (b"all below\x00 128", b"application/octet-stream"),
        (b"\xff", b"text/plain; charset=no-such-one"),
        (b"\x80", b"application/json"),
    ],
)
@pytest.mark.promise("5.28")
def test_a_body_that_is_no_text_stands_in_base64_and_loses_nothing(body: bytes, kind: bytes) -> None:
    found = of(body, b"Content-Type: " + kind + b"\r\n")
    assert base64.b64decode(found["body_base64"]) == body
    assert "text" not in found and found["json"] is None


def test_a_credential_in_a_body_that_is_no_text_is_masked_too() -> None:
    assert base64.b64decode(of(b"\xff sesame-1 \xfe", masks=("sesame-1",))["body_base64"]) == b"\xff *** \xfe"


@pytest.mark.promise("5.23")
def test_of_a_saved_body_there_are_place_and_size() -> None:
    text = responses.response_result(Response(200, [b"HTTP/1.1 200 OK\r\n"], b"", 0.5, ("got/a.png", 7)), ())
    assert json.loads(text) == {"status_code": 200, "headers": {}, "saved_to": "got/a.png", "size": 7, "elapsed": 0.5}


@pytest.mark.parametrize("status", [400, 404, 422, 500, 503])
@pytest.mark.promise("5.27")
def test_json_is_read_whatever_the_status(status: int) -> None:
    body = b'{"error": {"code": 7, "long": "' + b"x" * 5000 + b'"}}'
    lines = [b"HTTP/1.1 %d No\r\n" % status, b"Content-Type: application/problem+json\r\n"]
    kept = json.loads(str(responses.unexpected(Response(status, lines, body, 0.1), (), 0.0)["result"]))
    assert kept["json"]["error"]["code"] == 7 and len(kept["text"]) < 2100


def test_an_unexpected_body_that_is_no_text_is_left_out() -> None:
    failed = responses.unexpected(Response(500, [b"HTTP/1.1 500 No\r\n"], b"\xff\x00", 0.1), (), 0.0)
    assert failed["message"] == "HTTP 500 No: … 2 bytes that are no text left out …"


@pytest.mark.promise("5.17")
def test_an_unexpected_status_is_a_failure_with_an_excerpt() -> None:
    lines = [b"HTTP/1.1 503 Service Unavailable\r\n", b"Retry-After: 7\r\n", b"\r\n"]
    failed = responses.unexpected(Response(503, lines, b"over\n\nloaded " + b"x" * 100_000, 0.1), (), 0.0)
    assert failed["type"] == "http" and failed["status_code"] == 503 and failed["retry_after_s"] == 7.0
    assert str(failed["message"]).startswith("HTTP 503 Service Unavailable: over loaded xxx")
    assert len(str(failed["message"])) < 250
    kept = json.loads(str(failed["result"]))
    assert kept["status_code"] == 503 and len(kept["text"]) < 2100


def test_retry_after_is_seconds_or_a_date() -> None:
    assert responses.retry_after("120", 0.0) == 120.0
    assert responses.retry_after(formatdate(1_000_060, usegmt=True), 1_000_000.0) == 60.0
    assert responses.retry_after(formatdate(1_000_000, usegmt=True), 1_000_060.0) == 0.0
    for nonsense in ("", "soon", "-5", "Mon, 99 Foo 2025", "9" * 400):
        assert responses.retry_after(nonsense, 0.0) is None


# ---------------------------------------------------------------- credentials


def payload(
    url: str = "http://h/", headers: list[list[str]] | None = None, auth: list[str] | None = None
) -> dict[str, object]:
    return {"method": "GET", "url": url, "headers": headers or [], "auth": auth}


def test_what_was_sent_as_credentials_is_masked_in_its_usual_forms() -> None:
    token = 'tok/en"42'
    found = credentials.masks(payload(headers=[["Authorization", f"Bearer {token}"], ["X", "seen"]]))
    for form in (token, f"Bearer {token}", "tok%2Fen%2242", base64.b64encode(token.encode()).decode(), 'tok/en\\"42'):
        assert token not in credentials.without_credentials(f"<{form}>", found)
        assert credentials.without_credentials(f"<{form}>", found) == "<***>"
    assert credentials.without_credentials("seen", found) == "seen"


def test_passwords_are_masked_wherever_they_came_from() -> None:
    by_auth = credentials.masks(payload(auth=["user", "pass word"]))
    assert credentials.without_credentials(
        f"Basic {base64.b64encode(b'user:pass word').decode()} pass word pass%20word", by_auth
    ) == ("Basic *** *** ***")
    by_url = credentials.masks(payload("http://user:s%65cret@h/"))
    assert credentials.without_credentials("secret http://user:s%65cret@h/", by_url) == "*** http://user:***@h/"
    assert credentials.masks(payload(auth=["user", "abc"])) != ()
    assert (
        credentials.without_credentials("abc", credentials.masks(payload(auth=["user", "abc"]))) == "abc"
    )  # too short: it is everywhere
    assert credentials.masks(payload("http://h/@")) == ()
    assert credentials.masks(payload("http://[::1/@")) == ()


def test_masks_reach_text_headers_json_and_messages() -> None:
    masks = credentials.masks(payload(headers=[["authorization", "Bearer sesame-1"]]))
    found = of(
        b'{"you": "sesame-1"}', b"X-Echo: Bearer sesame-1\r\n", b"Content-Type: application/json\r\n", masks=masks
    )
    assert "sesame" not in json.dumps(found)
    assert found["json"] == {"you": "***"} and found["headers"]["x-echo"] == "***"
    failed = responses.unexpected(Response(500, [b"HTTP/1.1 500 sesame-1\r\n"], b"sesame-1", 0.0), masks, 0.0)
    assert "sesame" not in json.dumps(failed)
