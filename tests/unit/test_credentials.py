"""Credentials that nobody declares: which headers carry some, what of a value is one, where they stand in a workflow."""

from __future__ import annotations

import pytest

from batchwork.plan.credentials.written import credentials_in
from batchwork.plan.knowns import Circumstances
from batchwork.plan.resolve import load_plan
from batchwork.text.credentials import credentials_of, is_credential_header


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-API-Key", "api-key", "apikey",
        "x-apikey", "X-Auth-Token", "X-Auth-Key", "X-Access-Token", "X-Amz-Security-Token", "X-Goog-Api-Key", "PRIVATE-TOKEN",
        "Ocp-Apim-Subscription-Key", "X-Functions-Key", "x-vault-token", "X-Secret", "X-Password", "X-Hub-Signature",
        "X-Application-Key", "Client-Secret", "X_API_KEY",
    ],
)  # fmt: skip
def test_headers_that_carry_credentials(name: str) -> None:
    assert is_credential_header(name)


@pytest.mark.parametrize(
    "name",
    [
        "Accept", "Content-Type", "User-Agent", "Idempotency-Key", "X-Request-ID", "X-Tokens", "Keep-Alive", "Key",
        "X-Authority", "Author", "X-Cookies-Accepted", "Partition-Key", "Cache-Control", "",
    ],
)  # fmt: skip
def test_headers_that_carry_none(name: str) -> None:
    assert not is_credential_header(name)


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("Authorization", "Bearer abc def", {"Bearer abc def", "abc def"}),
        ("Authorization", "abcdef", {"abcdef"}),
        ("authorization", "basic dXM6cGE6c3M=", {"basic dXM6cGE6c3M=", "dXM6cGE6c3M=", "pa:ss"}),
        ("Authorization", "Basic nonsense", {"Basic nonsense", "nonsense"}),
        ("X-API-Key", " k ", {"k"}),
        ("Cookie", "a=b; sid=12345678", {"a=b; sid=12345678", "12345678"}),
        ("Cookie", "", set()),
    ],
)
def test_what_of_a_value_is_secret(name: str, value: str, secrets: set[str]) -> None:
    assert set(credentials_of(name, value)) == secrets


@pytest.mark.parametrize(
    "text",
    [
        "steps:\n  - task: http_request\n    inputs:\n      headers:\n        X-API-Key: s3same\n",
        "{steps: [{inputs: {headers: {X-API-Key: s3same, Accept: b}}}]}",
        "a: [{auth: {user: me, password: s3same}}]",
        "a: {auth: [me, s3same]}",
        "a: {auth: {bearer: s3same}}",
        "a: http://me:s3same@h/",
        "a: http://me:s3%73ame@h/",
        "a: [\nX-API-Key: s3same\n",
        "a: ]\nb: {headers: {'X-API-Key': 's3same', \"Accept\": b}}",
    ],
)
def test_what_is_written_is_found_also_where_a_file_cannot_be_read(text: str) -> None:
    assert "s3same" in credentials_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "headers: {Accept: s3same, X-API-Key: '{{ env.KEY }}'}",
        "auth: {username: s3same}",
        "auth: {mode: s3same}",
        "auth: s3same",
        "params: {auth: {password: s3same}, headers: {X-API-Key: s3same}}",
        "a: {auth: [s3same]}",
        "auth: [s3same, '{{ env.PASSWORD }}']",
        "token: s3same",
        "X-API-Key: s3same",
    ],
)
def test_what_is_no_credential_is_not_found(text: str) -> None:
    assert "s3same" not in credentials_in(text)


def plan(text: str, words: list[str], environ: dict[str, str]) -> tuple[str, ...]:
    return load_plan("w.yaml", text, Circumstances(words, None, environ, None, 2)).credentials


FLOW = """
params: {pw: none, dsn: none, auth: [], user: none}
env: {TOKEN: "{{ params.pw }}-made"}
steps:
  - name: s
    task: http_request
    inputs: {url: "http://h/", %s}
"""


@pytest.mark.parametrize(
    ("inputs", "words", "secret"),
    [
        ("auth: [me, '{{ params.pw }}']", ["pw=s3same"], "s3same"),
        ("auth: {bearer: '{{ pw }}'}", ["pw=s3same"], "s3same"),
        ("auth: '{{ auth }}'", ["auth=[me, s3same]"], "s3same"),
        ("headers: {Authorization: 'Bearer {{ args.pw }}'}", ["pw=s3same"], "s3same"),
        ("headers: {X-API-Key: '{{ env.GIVEN }}'}", [], "of-the-environment"),
        ("headers: {X-API-Key: '{{ env.TOKEN }}'}", ["pw=s3same"], "s3same-made"),
        ("params: {a: '{{ dsn }}'}", ["dsn=postgres://me:s3same@h/"], "s3same"),
    ],
)
def test_what_parameters_and_environment_bring_in_is_found(inputs: str, words: list[str], secret: str) -> None:
    assert secret in plan(FLOW % inputs, words, {"GIVEN": "of-the-environment"})


def test_what_is_known_only_with_an_item_is_left_to_the_request() -> None:
    assert plan(FLOW % "auth: ['{{ user }}', '{{ attempt }}'], headers: {X-API-Key: 'k{{ key }}'}", [], {}) == ()
