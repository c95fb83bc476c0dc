"""Secrets are taken out of texts in all forms in which they may appear; nothing else is."""

from __future__ import annotations

import base64
import json
import re
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.secrets import MASK, Masker, shown_url, too_short, url_passwords
from batchwork.secrets import masker as masker_of

SECRET = "cnry/\"7f+\\é 3'x="


@pytest.fixture(scope="module")
def masker() -> Masker:
    return Masker({"MY_TOKEN": SECRET})


FORMS = {
    "plain": SECRET,
    "url": quote(SECRET, safe=""),
    "url with slashes": quote(SECRET),
    "form": quote_plus(SECRET),
    "url in lower case": quote(SECRET, safe="").lower(),
    "json": json.dumps(SECRET),
    "json with letters": json.dumps(SECRET, ensure_ascii=False),
    "json in json": json.dumps(json.dumps({"a": SECRET})),
    "json in json in json": json.dumps(json.dumps(json.dumps({"a": SECRET}))),
    "repr": repr(SECRET),
    "repr of bytes": repr(SECRET.encode()),
    "repr in json": json.dumps(repr({"a": SECRET})),
    "hex": SECRET.encode().hex(),
    "HEX": SECRET.encode().hex().upper(),
    "shell": shlex.quote(SECRET),
    **{
        f"base64 after {before} before {after}": base64.b64encode(
            b"u" * before + SECRET.encode() + b"v" * after
        ).decode()
        for before in range(4)
        for after in range(4)
    },
    "base64 for urls": base64.urlsafe_b64encode(b"x" + SECRET.encode()).decode(),
}


@pytest.mark.fault("N01")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.promise("10.13")
def test_each_form_is_masked(form: str, masker: Masker) -> None:
    text = FORMS[form]
    cleaned = masker(f"before {text} after")
    assert MASK in cleaned and cleaned.startswith("before ") and cleaned.endswith(" after")
    for left in ("cnry", "7f+", "3'x="):
        assert left not in cleaned
    if text.isalnum():  # hexadecimal, base64: nothing but what depends on the neighbours is left
        assert len(cleaned) < len("before  after") + 3 + 8


LONG = "eyJhbGciOi" + "".join(map(chr, range(65, 123))) * 2  # as long as a JSON Web Token


@pytest.mark.parametrize("secret", [SECRET, LONG])
@pytest.mark.parametrize("before", range(60))
def test_base64_and_hexadecimal_may_be_broken_up(secret: str, before: int) -> None:
    masker = Masker({"MY_TOKEN": secret})
    octets = b"u" * before + secret.encode() + b"v" * 70
    digits = secret.encode().hex()
    lines = re.findall("..", octets.hex())
    for text, parts in (
        (base64.encodebytes(octets).decode(), base64.b64encode(secret.encode()).decode()),
        ("\n".join("".join(lines[at : at + 30]) for at in range(0, len(lines), 30)), digits),  # xxd -p
        ("\n".join(" " + " ".join(lines[at : at + 16]) for at in range(0, len(lines), 16)), digits),  # od -tx1
    ):
        for shown in (text, json.dumps({"stdout": text}), json.dumps(json.dumps(text))):
            cleaned = masker(shown)
            assert MASK in cleaned
            joined = re.sub(r"\s|\\+n", "", cleaned)
            assert not any(parts[at : at + 16] in joined for at in range(0, len(parts) - 16, 8))


@pytest.mark.parametrize("cut", ["\n… 17 bytes left out …\n", "…", " …"])
@pytest.mark.parametrize("kept", range(4, len(SECRET)))
def test_parts_of_secrets_are_masked_where_text_was_cut(cut: str, kept: int, masker: Masker) -> None:
    begun, ended = f"a{SECRET[:kept]}{cut}zzz", f"zzz{cut}{SECRET[-kept:]}b"
    for text, cleaned in ((begun, f"a{MASK}{cut}zzz"), (ended, f"zzz{cut}{MASK}b")):
        for found in (
            masker(text),
            json.loads(masker(json.dumps([text])))[0],
            json.loads(masker(json.dumps([text], ensure_ascii=False)))[0],
        ):
            assert found.replace(" ", "") == cleaned.replace(" ", "")  # a space beside the cut may be left


def test_ellipses_in_other_texts_change_nothing(masker: Masker) -> None:
    text = "well… it is… so … far\n…\n" * 200
    assert masker(text) == text


def test_other_text_stays_the_same_object(masker: Masker) -> None:
    text = "nothing to see here: a@b.c, https://x.y/z?u=1 0123456789" * 100
    assert masker(text) is text
    assert Masker({})("x") == "x"


def test_what_was_json_stays_json() -> None:
    masker = Masker({"PIN": "1234", "WORD": "true"})
    assert masker('{"n": 12345, "t": "a1234", "m": 7, "b": true}') == '{"n":"***","t":"a***","m":7,"b":true}'
    assert masker("12345") == '"***"'
    assert masker("12345 and more") == "***5 and more"
    assert json.loads(masker(json.dumps({"1234": [1234.5, {"x": "true"}]}))) == {"***": ["***", {"x": "***"}]}


@given(
    secret=st.text(min_size=4, max_size=30).filter(lambda text: len(text.strip()) >= 4), value=st.integers() | st.text()
)
def test_json_results_stay_json_whatever_the_secret_is(secret: str, value: object) -> None:
    masker = Masker({"S": secret})
    text = json.dumps({"a": [value, secret, f"x{secret}y"], "b": 1234, "c": None}, ensure_ascii=False)
    cleaned = json.loads(masker(text))
    assert secret not in cleaned["a"][1] or secret in MASK
    assert MASK in cleaned["a"][2]


def test_lines_of_a_long_secret_are_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIabcdefghijklmnop\nqrstuvwxyz0123456\n-----END KEY-----\n"
    masker = Masker({"KEY": key})
    assert masker(f"> {key}") == f"> {MASK}"
    assert masker("line MIIabcdefghijklmnop.") == f"line {MASK}."


@pytest.mark.parametrize("value", ["a", "ab1", "   x\n"])
def test_secrets_that_are_too_short_are_reported_and_left(value: str) -> None:
    masker = Masker({"MY_TOKEN": value, "OTHER": "long enough"})
    assert masker("a ab1    x\n") == "a ab1    x\n"
    assert too_short(["MY_TOKEN", "NOT_SET"], {"MY_TOKEN": value}) == ["MY_TOKEN"]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("postgres://me:hunter2@db/x failed", "postgres://me:***@db/x failed"),
        ('{"url":"http://u:p%40w@h:8080/"}', '{"url":"http://u:***@h:8080/"}'),
        ("http://u:p@ss@h/", "http://u:***@h/"),
        ("http://:pw@h", "http://:***@h"),
        ("http://u@h/a:b@c", "http://u@h/a:b@c"),
        ("http://h:80/x@y", "http://h:80/x@y"),
        ("git clone https://ghp_a1b2c3d4@h/x.git", "git clone https://***@h/x.git"),
        ('{"url":"https://sk_live_a1b2:@h"}', '{"url":"https://***:@h"}'),
        ("HTTPS://a1b2c3d4:x-oauth-basic@h/", "HTTPS://***:***@h/"),
        ("git@h:x https://h/@a1b2c3d4 https://{{ env.A }}@h", "git@h:x https://h/@a1b2c3d4 https://{{ env.A }}@h"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("authorization: Basic dTpw\r\nHost: x", "authorization: Basic ***\r\nHost: x"),
        ('{"Authorization": "Bearer abc"}', '{"Authorization": "Bearer ***"}'),
        ('["Authorization","Bearer abc"]', '["Authorization","Bearer ***"]'),
        ('"{\\"Authorization\\": \\"token abc\\"}"', '"{\\"Authorization\\": \\"token ***\\"}"'),
        ("{'Proxy-Authorization': 'abc'}", "{'Proxy-Authorization': '***'}"),
        ("Authorization=abc", "Authorization=***"),
        ("AUTHORIZATION: abc", "AUTHORIZATION: ***"),
        ("Authorization: Bearer {{ env.T }}", "Authorization: Bearer {{ env.T }}"),
        ("authorization, please", "authorization, please"),
    ],
)
def test_passwords_of_urls_and_authorization_headers_are_masked_undeclared(text: str, cleaned: str) -> None:
    assert Masker({})(text) == cleaned
    assert Masker({})(cleaned) == cleaned


def test_passwords_of_urls_in_the_environment_are_secrets() -> None:
    clean = masker_of(
        ["MY_TOKEN", "NOT_SET"], {"MY_TOKEN": "tok-12345", "DB": "postgres://u:hunt%2Fer2@h/x", "HOME": "/root"}
    )
    assert clean("tok-12345 hunt/er2 hunt%2Fer2 /root") == "*** *** *** /root"
    assert url_passwords(["http://a:b@c"]) == ["b", "b"] or set(url_passwords(["http://a:b@c"])) == {"b"}


@pytest.mark.parametrize(
    "text", ["://" * 100_000 + "@", "a://" + "b" * 500_000 + ":@", "authorization: " * 50_000, ":" * 500_000 + "://@"]
)
def test_masking_takes_time_in_proportion_to_the_text(text: str, masker: Masker) -> None:
    assert len(masker(text)) <= len(text) + 10  # comes back at all


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("https://h/x?a=1", "https://h/x?a=1", set()),
        ("https://me:pass%21word@h/x", "https://me:***@h/x", {"pass%21word", "pass!word"}),
        ("https://ghp_token123@h/x", "https://***@h/x", set()),
        ("https://git@h/x", "https://***@h/x", set()),
        ("https://sk_live_0123456789:@h/x", "https://***:@h/x", {"sk_live_0123456789"}),
        ("https://ghp_0123456789abcdef@h/x", "https://***@h/x", {"ghp_0123456789abcdef"}),
        (
            "https://ghp_0123456789abcd%2Bf:x-oauth-basic@h/x",
            "https://***:***@h/x",
            {"ghp_0123456789abcd%2Bf", "ghp_0123456789abcd+f", "x-oauth-basic"},
        ),
        ("https://somebody-with-a-long-name:secret@h", "https://somebody-with-a-long-name:***@h", {"secret"}),
        ("ssh://somebody-with-a-long-name@h/x", "ssh://***@h/x", set()),
        (
            "https://h/x?X-Amz-Expires=60&X-Amz-Signature=0123456789abcdef&v=1",
            "https://h/x?X-Amz-Expires=60&X-Amz-Signature=***&v=1",
            {"0123456789abcdef"},
        ),
        (
            "https://h/x?sv=1&sig=abcdefgh%2Bijklmnop",
            "https://h/x?sv=1&sig=***",
            {"abcdefgh%2Bijklmnop", "abcdefgh+ijklmnop"},
        ),
        ("https://h/x?access_token=0123456789abcdef#f", "https://h/x?access_token=***#f", {"0123456789abcdef"}),
        ("https://h/x?page_token=0123456789abcdef", "https://h/x?page_token=0123456789abcdef", set()),
        ("https://h/x?token={{ env.TOKEN_OF_MINE }}", "https://h/x?token={{ env.TOKEN_OF_MINE }}", set()),
        ("https://h/x?token=yes", "https://h/x?token=yes", set()),
        ("s3://bucket/a@b:c@d", "s3://bucket/a@b:c@d", set()),
    ],
)
def test_credentials_in_urls(url: str, shown: str, secrets: set[str]) -> None:
    assert shown_url(url) == shown
    assert set(url_passwords([f"path: '{url}'"])) == secrets
