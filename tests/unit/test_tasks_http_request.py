"""The http_request task: what is wrong with its fields, what is risky, what a reactor gets for one unit."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from batchwork.errors import BindError, Place, RenderError
from batchwork.ports import Compiled, Program, Setting, Written
from batchwork.tasks.http_request.task import HttpRequestTask
from batchwork.template import Value, text_of
from batchwork.text.jsontext import Json

TASK = HttpRequestTask()
UNIT = {"item": "a b/ç", "key": "k", "index": 3, "attempt": 2, "idempotency_key": "run/step/k"}
NAMES = frozenset(UNIT) | {"env", "params", "base"}


def fields(**written: Json) -> dict[str, Value]:
    return {name: Value.of(value, Place("w.yaml", 6, 10)) for name, value in written.items()}


def compiled(**written: Json) -> Compiled:
    return TASK.compile(Written(fields(**written), NAMES, Place("w.yaml", 5, 1)))


def program(timeout_s: float | None = None, **written: Json) -> Program:
    setting = Setting("s", {"params": {"n": 7}}, frozenset(UNIT) | {"batch"}, {}, "/w", "/w", timeout_s)
    return compiled(**written).program(setting)


def bind(scope: dict[str, object] | None = None, **written: Json) -> dict[str, Json]:
    payload = program(**{"url": "http://h/", **written}).bind({**UNIT, **(scope or {})})
    assert isinstance(payload, dict)
    json.dumps(payload)
    return payload


def said(kind: str, **written: Json) -> list[str]:
    found = compiled(**written)
    problems = found.problems if kind == "check" else found.warnings
    return [f"{problem.message} {problem.hint}" for problem in problems]


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ({"url": "example.com/{{ item }}"}, "scheme"),
        ({"url": "example.com"}, "http://"),
        ({"url": "localhost:8080/x"}, "scheme"),
        ({"url": "file:///etc/passwd"}, "scheme is `file`"),
        ({"url": "file:///{{ item }}"}, "scheme is `file`"),
        ({"url": "ftp://h/x"}, "scheme is `ftp`"),
        ({"url": "javascript:alert(1)"}, "scheme"),
        ({"url": "http:///x"}, "no host"),
        ({"url": "http://[::1/"}, "not a URL"),
        ({"url": "http://h:99999/"}, "not a URL"),
        ({"url": "http://h/\r\nX: 1"}, "control character"),
        ({"url": "http://h/{% if x %}a{% endif %}"}, "{% %}"),
        ({"method": "GE T"}, "method"),
        ({"method": ""}, "method"),
        ({"method": "CONNECT"}, "method CONNECT"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "line end"),
        ({"headers": {"X A": "1"}}, "`X A` cannot be the name of a header"),
        ({"headers": {"X\n": "{{ item }}"}}, "cannot be the name"),
        ({"headers": {"authorization": "x"}, "auth": ["u", "p"]}, "exclude each other"),
        ({"json": 1, "data": "x"}, "exclude each other"),
        ({"auth": ["u"]}, "[username, password]"),
        ({"auth": {"user": "u"}}, "`username` and `password`, or `bearer`"),
        ({"expect_status": "ok"}, "`expect_status` must be statuses"),
        ({"expect_status": [200, 999]}, "`expect_status` must be statuses"),
        ({"timeout": "soon"}, "`timeout` must be a duration"),
        ({"timeout": 0}, "`timeout` must be a duration"),
        ({"timeout": "{{ item }}"}, "the same for all items"),
        ({"follow_redirects": -1}, "`follow_redirects` must be"),
        ({"max_body": "x"}, "`max_body` must be a size"),
    ],
)
def test_what_is_wrong_is_said_beforehand(written: dict[str, Json], what: str) -> None:
    found = said("check", **{"url": "http://h/", **written})
    assert len(found) == 1
    assert what in found[0]


@pytest.mark.parametrize(
    "written",
    [
        {"url": "{{ item }}"},
        {"url": "{{ base }}/x/{{ item }}?a={{ item }}"},
        {"url": "https://u:p@h:8080/x?y=1#z", "method": "get"},
        {"url": "http://[::1]:8080/"},
        {"url": "http://h/ü x"},
        {"url": "http://h/", "method": "{{ item }}", "headers": {"X": "{{ item }}", "Y": ["1", "2"], "Z": None}},
        {
            "url": "http://h/",
            "auth": {"bearer": "{{ env.T }}"},
            "timeout": "5m",
            "expect_status": [200, "3xx", "400-404"],
        },
        {
            "url": "http://h/",
            "auth": {"username": "u", "password": "p"},
            "max_body": "1 GiB",
            "follow_redirects": False,
        },
    ],
)
def test_what_is_right_has_no_problems(written: dict[str, Json]) -> None:
    assert said("check", **written) == []
    assert said("warn", **written) == []


def test_what_is_risky_is_warned_of() -> None:
    assert "host" in said("warn", url="http://{{ item }}/x")[0]
    assert "host" in said("warn", url="https://api.{{ item.region }}.example.com/x")[0]
    assert said("warn", url="http://{{ params.host }}/x") == []
    assert "verify: false" in said("warn", url="http://h/", verify=False)[0]


@pytest.mark.parametrize(
    ("url", "bound"),
    [
        ("http://h/x/{{ item }}", "http://h/x/a%20b%2F%C3%A7"),
        ("http://h/?q={{ item }}&n={{ index }}", "http://h/?q=a%20b%2F%C3%A7&n=3"),
        ("http://h/x?q={{ [1, 'a'] }}", "http://h/x?q=%5B1%2C%22a%22%5D"),
        ("http://h/#{{ item }}", "http://h/#a%20b%2F%C3%A7"),
        ("http://h/{{ item | urlencode }}", "http://h/a%20b/%C3%A7"),
        ("{{ base }}/u/{{ item }}", "https://b:1/v1/u/a%20b%2F%C3%A7"),
        ("{{ base }}{{ path }}", "https://b:1/v1/p/q?r=1"),
        ("{{ base }}?q={{ item }}", "https://b:1/v1?q=a%20b%2F%C3%A7"),
        ("{{ scheme }}://{{ host }}/{{ item }}", "https://ex.org:80/a%20b%2F%C3%A7"),
        ("http://localhost:{{ port }}/", "http://localhost:8080/"),
        ("http://{{ item }}:{{ item }}@h/", "http://a%20b%2F%C3%A7:a%20b%2F%C3%A7@h/"),
        ("{{ whole }}", "HTTP://H/ü x"),
    ],
)
def test_values_stand_in_urls_encoded_for_their_place(url: str, bound: str) -> None:
    scope: dict[str, object] = {
        "base": "https://b:1/v1", "path": "/p/q?r=1", "scheme": "https", "host": "ex.org:80", "port": 8080, "whole": "HTTP://H/ü x",
    }  # fmt: skip
    assert bind(scope, url=url)["url"] == bound


@pytest.mark.parametrize(
    ("url", "item", "why"),
    [
        ("{{ item }}", "file:///etc/passwd", "only http and https"),
        ("{{ item }}", "FILE:///etc/passwd", "only http and https"),
        ("{{ item }}", "gopher://h/", "only http and https"),
        ("{{ item }}", "h/x", "scheme"),
        ("{{ item }}", "", "scheme"),
        ("{{ item }}", 5, "scheme"),
        ("{{ item }}", "http://h\r\nX: 1", "control character"),
        ("{{ item }}", "http://h/\0", "control character"),
        ("{{ item }}", "http:///x", "no host"),
        ("{{ item }}", "http://h/\ud800", "half of a character"),
        ("http://{{ item }}/x", "evil.org/y?", "host"),
        ("http://{{ item }}/x", "a@evil.org", "host"),
        ("http://{{ item }}/x", "evil.org#", "host"),
        ("http://{{ item }}/x", "evil.org\\", "host"),
        ("http://{{ item }}/x", "", "host"),
        ("http://{{ item }}/x", "http://[::1]/", "host"),
        ("http://h/{{ item }}", "..", "another path"),
        ("http://h/{{ item }}", ".", "another path"),
        ("http://h/a{{ item }}", "\udcff", "half of a character"),
        ("http://h/?a={{ item }}", "\udcff", "half of a character"),
    ],
)
def test_values_that_make_no_url_are_refused(url: str, item: object, why: str) -> None:
    with pytest.raises(BindError) as caught:
        bind({"item": item}, url=url)
    assert why in f"{caught.value.message} {caught.value.hint}"


def test_a_password_is_not_in_the_message() -> None:
    with pytest.raises(BindError) as caught:
        bind({"item": "http://u:hunter2@[x/"}, url="{{ item }}")
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("params", "bound"),
    [
        (
            {"a": "x y&z", "b": 1, "c": True, "d": None, "e": [1, "2", None], "f": {"g": 1}},
            "?a=x%20y%26z&b=1&c=true&e=1&e=2&f=%7B%22g%22%3A1%7D",
        ),
        ({}, ""),
        (None, ""),
        ({"{{ key }}": "{{ item }}"}, "?k=a%20b%2F%C3%A7"),
        ("{{ {'z': item} }}", "?z=a%20b%2F%C3%A7"),
    ],
)
@pytest.mark.promise("5.42")
def test_params_are_encoded(params: Json, bound: str) -> None:
    assert bind(params=params)["url"] == f"http://h/{bound}"


def test_params_join_a_query() -> None:
    assert bind(url="http://h/?x=1#f", params={"a": 1})["url"] == "http://h/?x=1&a=1#f"
    with pytest.raises(RenderError, match="`params` must be a mapping"):
        bind(params="{{ item }}")


@pytest.mark.promise("5.42")
def test_headers() -> None:
    payload = bind(
        headers={"X-A": "v {{ item }}", "N": 5, "L": ["1", "2"], "Z": None, "E": ""}, auth={"bearer": "{{ key }}"}
    )
    assert payload["headers"] == [
        ["X-A", "v a b/ç"],
        ["N", "5"],
        ["L", "1"],
        ["L", "2"],
        ["E", ""],
        ["Authorization", "Bearer k"],
    ]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("a\r\nX: 1", "line end"),
        ("a\n", "line end"),
        ("a\0b", "NUL"),
        ("\x1b[2J", "control character"),
        (" a", "white space"),
        ("a\t", "white space"),
        ("\udcff", "half of a character"),
    ],
)
def test_headers_that_cannot_be_carried_are_refused(item: str, why: str) -> None:
    with pytest.raises(BindError, match=why):
        bind({"item": item}, headers={"X": "{{ item }}"})
    with pytest.raises(BindError):
        bind({"item": item}, headers={"{{ item }}": "x"})


@pytest.mark.parametrize(
    ("written", "body", "kind"),
    [
        ({"json": {"a": "{{ item }}", "b": ["{{ index }}", None]}}, '{"a":"a b/ç","b":[3,null]}', "application/json"),
        ({"json": "{{ none }}"}, "null", "application/json"),
        ({"json": "{{ big }}"}, str(2**70), "application/json"),
        ({"data": "x {{ item }}"}, "x a b/ç", "text/plain; charset=utf-8"),
        (
            {"data": {"a": "{{ item }}", "b": [1, 2], "c": None}},
            "a=a+b%2F%C3%A7&b=1&b=2",
            "application/x-www-form-urlencoded",
        ),
        ({"data": "{{ {'a': 1} }}"}, "a=1", "application/x-www-form-urlencoded"),
    ],
)
@pytest.mark.promise("5.42")
def test_bodies(written: dict[str, Json], body: str, kind: str) -> None:
    payload = bind({"big": 2**70}, method="post", **written)
    assert (payload["method"], payload["body"]) == ("POST", body)
    assert payload["headers"] == [["Content-Type", kind]]
    own = bind({"big": 1}, headers={"content-type": "x/y"}, **written)
    assert own["headers"] == [["content-type", "x/y"]]


def test_no_body() -> None:
    assert bind()["body"] is None and bind()["headers"] == []
    assert bind(json=None)["body"] is None
    with pytest.raises(BindError, match="half of a character"):
        bind({"item": "\udcff"}, data="{{ item }}")
    with pytest.raises(BindError, match="half of a character"):
        bind({"item": "\udcff"}, data={"a": "{{ item }}"})
    assert bind({"item": "\udcff"}, json="{{ item }}")["body"] == '"\\udcff"'


@pytest.mark.promise("5.14")
def test_a_file_is_named_and_read_by_who_sends_it() -> None:
    payload = bind(data={"file": "in/{{ item }}"}, method="PUT")
    assert payload["body"] == {"file": "in/a b/ç"}
    assert payload["headers"] == [["Content-Type", "application/octet-stream"]]
    assert bind(data={"file": "x", "other": 1})["body"] == "file=x&other=1", "a form with such a field, among others"
    for path in ("", "a\0b"):
        with pytest.raises(BindError, match="name of a file"):
            bind({"item": path}, data={"file": "{{ item }}"})


@pytest.mark.promise("5.15")
def test_multipart_has_texts_files_and_lists_of_them() -> None:
    payload = bind(
        multipart={
            "plain": "{{ item }}", "number": 7, "none": None, "many": ["a", {"text": "b", "type": "text/csv"}],
            "up": {"file": "{{ item }}.png", "filename": "x.png", "type": "image/png"},
        }
    )  # fmt: skip
    assert payload["body"] == {
        "multipart": [
            {"name": "plain", "text": "a b/ç"}, {"name": "number", "text": "7"}, {"name": "many", "text": "a"},
            {"name": "many", "text": "b", "type": "text/csv"},
            {"name": "up", "file": "a b/ç.png", "filename": "x.png", "type": "image/png"},
        ]
    }  # fmt: skip
    assert payload["headers"] == []
    for value in ("a\0b", "\udcff"):
        with pytest.raises(BindError, match="multipart"):
            bind({"item": value}, multipart={"a": "{{ item }}"})
    with pytest.raises(BindError, match="line end"):
        bind({"item": "a\r\nX: 1"}, multipart={"a": {"text": "b", "type": "{{ item }}"}})


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ({"json": 1, "data": "x"}, "`json` and `data` exclude each other"),
        ({"json": 1, "multipart": {"a": 1}}, "`json` and `multipart` exclude each other"),
        ({"json": 1, "data": "x", "multipart": {"a": 1}}, "`json`, `data` and `multipart` exclude"),
        ({"multipart": {"a": {"path": "x"}}}, "unknown field `path` in a part of `multipart` did you mean `file`"),
        ({"multipart": {"a": {"file": "x", "text": "y"}}}, "either `file` or `text`"),
        ({"multipart": {"a": [{"type": "x/y"}]}}, "either `file` or `text`"),
        ({"save_to": "got/"}, "cannot be the path of a file"),
        ({"save_to": ""}, "cannot be the path of a file"),
        ({"deny_private": "yes"}, "`deny_private` must be true or false"),
        ({"deny_private": "{{ item }}"}, "the same for all items"),
    ],
)
def test_what_is_wrong_with_bodies_and_places_is_said_beforehand(written: dict[str, Json], what: str) -> None:
    assert what in " ".join(said("check", **{"url": "http://h/", **written}))


def test_where_a_body_is_saved() -> None:
    assert bind(save_to="got/{{ key }}.png")["save_to"] == "got/k.png"
    assert bind(save_to="../{{ item }}")["save_to"] == "../a b/ç", "what the author writes may lead out"
    assert "save_to" not in bind() and "save_to" not in bind(save_to="{{ none }}", scope={"none": None})
    assert program(url="http://h/", save_to="x").prepare["max_body"] is None
    assert program(url="http://h/", save_to="x", max_body="1 MiB").prepare["max_body"] == 1 << 20
    assert program(url="http://h/", deny_private=True).prepare["deny_private"] is True


@pytest.mark.parametrize("item", ["..", "../x", "a/../../x", "/../x"])
@pytest.mark.parametrize("place", ["got/{{ item }}", "{{ item }}", "../{{ item }}"])
def test_no_value_leads_out_of_the_folder(item: str, place: str) -> None:
    with pytest.raises(BindError, match=r"leads out of its folder"):
        bind({"item": item}, save_to=place)


@pytest.mark.parametrize("item", ["", "a/", "a\0b"])
def test_no_value_makes_a_path_that_is_none(item: str) -> None:
    with pytest.raises(BindError, match="cannot be the path"):
        bind({"item": item}, save_to="{{ item }}")


def test_saving_all_items_in_one_place_is_warned_of() -> None:
    assert "the same for all items" in " ".join(said("warn", url="http://h/", save_to="one"))
    assert said("warn", url="http://h/", save_to="{{ index }}") == []


@pytest.mark.promise("5.16")
def test_credentials() -> None:
    assert bind(auth=["u", "{{ item }}"])["auth"] == ["u", "a b/ç"]
    assert bind(auth={"username": "u", "password": 5})["auth"] == ["u", "5"]
    assert bind(auth="{{ ['u', key] }}")["auth"] == ["u", "k"]
    with pytest.raises(BindError, match="colon"):
        bind(auth=["a:b", "c"])
    with pytest.raises(RenderError, match="`auth` must be"):
        bind(auth="{{ item }}")


@pytest.mark.fault("G16")
@pytest.mark.promise("3.45", "5.43")
def test_idempotent_requests_carry_their_key() -> None:
    payload = bind(method="POST", idempotent=True)
    assert payload["idempotent"] is True and ["Idempotency-Key", "run/step/k"] in payload["headers"]  # type: ignore[operator]
    own = bind(idempotent=True, headers={"idempotency-key": "mine"})
    assert own["headers"] == [["idempotency-key", "mine"]]
    assert bind(method="POST")["idempotent"] is False
    assert "idempotency_key" in program(url="http://h/", idempotent=True).uses


def test_what_is_the_same_for_all_units_is_prepared() -> None:
    made = program(url="http://h/")
    assert made.worker == "reactor" and not made.says and not made.takes_item
    assert made.prepare == {
        "kind": "http", "expect_status": [[200, 299]], "follow_redirects": 5, "verify": True, "max_body": 10 << 20, "timeout_s": 60.0,
    }  # fmt: skip
    made = program(
        url="http://h/", expect_status=[200, "3xx", "400-404"], follow_redirects=False, verify=False, max_body="1 MiB", timeout="{{ params.n }}"
    )  # fmt: skip
    assert made.prepare == {
        "kind": "http", "expect_status": [[200, 200], [300, 399], [400, 404]], "follow_redirects": 0, "verify": False,
        "max_body": 1 << 20, "timeout_s": 7.0,
    }  # fmt: skip


def test_the_nearest_timeout_wins() -> None:
    assert program(url="http://h/", timeout_s=120.0).prepare["timeout_s"] == 120.0
    assert program(url="http://h/", timeout_s=120.0, timeout=5).prepare["timeout_s"] == 5.0


def test_a_rendered_method_is_checked() -> None:
    assert bind({"item": "put"}, method="{{ item }}")["method"] == "PUT"
    with pytest.raises(BindError, match="method"):
        bind({"item": "GE T"}, method="{{ item }}")


@pytest.mark.fault("F02")
def test_nasty_items_arrive_unchanged_or_are_refused(shared: Path) -> None:
    refused = set()
    for line in (shared / "faultkit" / "nasty_items.jsonl").read_text().splitlines():
        item = json.loads(line)
        text = text_of(item)
        params: Json = {"c": "{{ item }}"} if isinstance(item, str) else {}
        try:
            url = str(bind({"item": item}, url="http://h/ok/{{ item }}?a={{ item }}&b=1", params=params)["url"])
        except BindError:
            refused.add(text)
            continue
        parts = urlsplit(url)
        assert parts.netloc == "h"
        assert unquote(parts.path.removeprefix("/ok/")) == text
        found = parse_qsl(parts.query, keep_blank_values=True)
        assert found == [("a", text), ("b", "1"), *([("c", text)] if params else [])]
    assert refused == {".", "\udcff"}


@pytest.mark.parametrize(
    ("written", "stays"),
    [
        ({"json": {"client_secret": "{{ env.KEY }}"}}, True),
        ({"data": {"client_secret": "{{ env.KEY }}"}}, True),
        ({"data": "key={{ env.KEY }}"}, True),
        ({"multipart": {"a": "{{ env.KEY }}"}}, True),
        ({"json": {"a": "{{ item }}"}}, False),
        ({"headers": {"X-API-Key": "{{ env.KEY }}"}}, False),
    ],
)
def test_a_body_with_a_declared_secret_is_marked(written: dict[str, Json], stays: bool) -> None:
    environ = {"KEY": "s3same/'ü\"-open"}
    setting = Setting("s", {"env": environ}, frozenset(UNIT), environ, "/w", "/w", None, ("KEY",))
    made = compiled(url="http://h/", method="POST", **written).program(setting)
    payload = made.bind({**UNIT, "env": environ})
    assert isinstance(payload, dict)
    assert payload.get("body_stays", False) is stays
