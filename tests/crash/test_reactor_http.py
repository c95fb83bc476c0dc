"""Servers that misbehave, and what is made of it: failures with names, no short body taken for a whole one, no secret told."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from misbehaving_server import TEXT, MisbehavingServer
from reactors import Reactor, get

from batchwork import proctree
from batchwork.censor import Censor
from batchwork.text.jsontext import Json

HTTP: dict[str, Json] = {
    "kind": "http",
    "expect_status": [[200, 299]],
    "follow_redirects": 5,
    "verify": True,
    "max_body": 1 << 20,
    "timeout_s": 20,
}
TOKEN = [["Authorization", "Bearer sesame-open-42"]]


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    one = MisbehavingServer()
    yield one
    one.close()


@pytest.fixture
def made() -> Iterator[list[Reactor]]:
    reactors: list[Reactor] = []
    yield reactors
    for reactor in reactors:
        reactor.executor.close()
        assert proctree.with_cookie(reactor.cookie) == []


@pytest.fixture
def reactor(made: list[Reactor]) -> Reactor:
    made.append(Reactor(HTTP, slots=16))
    return made[-1]


@pytest.mark.promise("5.42")
def test_every_method_arrives_as_it_was_meant(reactor: Reactor, server: MisbehavingServer) -> None:
    url = f"{server.url}/echo"
    ends = reactor.run([
        get(url),
        get(url, "POST", body="é=1"),
        get(url, "PUT", body="x" * 100_000),
        get(url, "PATCH"),
        get(url, "DELETE"),
        get(url, "OPTIONS", body="b"),
        get(url, headers=[["X-One", "1"], ["X-Empty", ""], ["X-Text", "é"], ["User-Agent", "me"]]),
        get(url, auth=["us", "pa:ss"]),
        get(f"{server.url}/nope", "HEAD"),
        get(f"{server.url}/echo/200?q=a b&ü={{}}"),
        get(f"{server.url}/no-content"),
    ])  # fmt: skip
    said = {offset: ends.results[offset]["json"] for offset in ends.results if offset < 8}
    assert [said[offset]["method"] for offset in range(6)] == ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    assert [said[offset]["body"][:5] for offset in range(6)] == ["", "é=1", "xxxxx", "", "", "b"]
    assert said[3]["headers"]["content-length"] == "0"
    assert "content-type" not in said[1]["headers"] and "expect" not in said[2]["headers"]
    headers = said[6]["headers"]
    assert (headers["x-one"], headers["x-empty"], headers["user-agent"]) == ("1", "", "me")
    assert headers["x-text"].encode("latin-1").decode() == "é"
    assert "***" in said[7]["headers"]["authorization"]
    assert ends.failures[8].status_code == 404
    assert "/echo/200?q=a%20b&%C3%BC=%7B%7D" in {request.path for request in server.requests}
    assert ends.results[10]["status_code"] == 204 and ends.results[10]["text"] == ""


def test_connections_are_kept_and_never_more_than_slots(made: list[Reactor], server: MisbehavingServer) -> None:
    made.append(Reactor(HTTP, slots=4))
    ends = made[0].run([get(f"{server.url}/echo") for _ in range(200)])
    assert len(ends.results) == 200
    assert server.most_at_once <= 4
    assert server.connections <= 4


@pytest.mark.fault("G15")
@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("empty", "http", "Empty reply"),
        ("garbage", "http", "HTTP/0.9"),
        ("bad-status", "http", "HTTP/1"),
        ("bad-chunk", "http", "chunk"),
        ("short", "http", "missing"),
        ("reset", "http", "reset"),
        ("bad-gzip", "http", ""),
    ],
)
def test_a_broken_answer_is_a_failure_that_may_be_retried(
    reactor: Reactor, server: MisbehavingServer, path: str, kind: str, message: str
) -> None:
    failure = reactor.run([get(f"{server.url}/{path}")]).failures[0]
    assert failure.type == kind and failure.retryable and failure.status_code is None
    assert message in failure.message


@pytest.mark.fault("G15")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.promise("5.29")
def test_a_compressed_body_is_whole_or_a_failure(reactor: Reactor, server: MisbehavingServer, coding: str) -> None:
    shares = [0, 1, 50, 99, 100]
    ends = reactor.run([get(f"{server.url}/cut/{coding}/{share}") for share in shares])
    assert ends.results[4]["text"].encode() == TEXT
    for offset in range(4):
        failure = ends.failures[offset]
        assert failure.retryable and "ended before it was whole" in failure.message, f"{shares[offset]} %"


def test_only_what_can_be_read_is_asked_for(reactor: Reactor, server: MisbehavingServer) -> None:
    ends = reactor.run([
        get(f"{server.url}/echo"),
        get(f"{server.url}/echo", headers=[["accept-encoding", "br, gzip, zstd"]]),
        get(f"{server.url}/cut/br/100"),
    ])  # fmt: skip
    asked = [ends.results[offset]["json"]["headers"]["accept-encoding"] for offset in (0, 1)]
    assert asked == ["gzip, deflate", "gzip"]
    assert "`br`" in ends.failures[2].message


@pytest.mark.fault("G07")
@pytest.mark.parametrize("path", ["big", "claims-big", "bomb", "big-header", "many-headers"])
@pytest.mark.promise("5.21")
def test_what_is_too_large_is_not_read_to_its_end(reactor: Reactor, server: MisbehavingServer, path: str) -> None:
    failure = reactor.run([get(f"{server.url}/{path}")]).failures[0]
    assert failure.type == "http" and not failure.retryable
    assert ("headers" if "header" in path else "body larger than 1 MiB") in failure.message
    status = Path(f"/proc/{reactor.pid}/status").read_text()
    assert int(status.partition("VmHWM:")[2].split()[0]) < 96 << 10


@pytest.mark.fault("G01", "G02")
@pytest.mark.promise("5.18")
def test_the_deadline_is_for_all_of_it(made: list[Reactor], server: MisbehavingServer) -> None:
    made.append(Reactor({**HTTP, "timeout_s": 0.4}))
    ends = made[0].run([get(f"{server.url}/{path}") for path in ("hang", "drip/body", "drip/header")])
    for offset in range(3):
        assert ends.failures[offset].type == "timeout"
        assert ends.failures[offset].message == "timed out after 0.4 s"
        assert 0.35 < ends.seconds[offset] < 1.5


@pytest.mark.fault("G03", "G04", "G05")
def test_statuses_and_waits(reactor: Reactor, server: MisbehavingServer) -> None:
    paths = ["404", "500", "429/7", "503/2.5", "302"]
    ends = reactor.run([get(f"{server.url}/status/{path}") for path in paths])
    assert [ends.failures[offset].status_code for offset in range(5)] == [404, 500, 429, 503, 302]
    assert [ends.failures[offset].retry_after_s for offset in range(5)] == [None, None, 7.0, 2.5, None]
    assert ends.failures[0].message == "HTTP 404 Whatever: because"
    assert all(failure.retryable for failure in ends.failures.values())


@pytest.mark.promise("5.17")
def test_expected_statuses_are_no_failures(made: list[Reactor], server: MisbehavingServer) -> None:
    made.append(Reactor({**HTTP, "expect_status": [[200, 200], [404, 404]], "follow_redirects": 0}))
    ends = made[0].run(
        [get(f"{server.url}/status/{status}") for status in (404, 204, 200)] + [get(f"{server.url}/to/")]
    )
    assert {offset: ends.results[offset]["status_code"] for offset in ends.results} == {0: 404, 2: 200}
    assert (ends.failures[1].status_code, ends.failures[3].status_code) == (204, 302)


# ---------------------------------------------------------------- redirects and addresses


@pytest.mark.fault("G09")
@pytest.mark.promise("5.19")
def test_redirects_are_followed_so_far_and_no_farther(reactor: Reactor, server: MisbehavingServer) -> None:
    ends = reactor.run([get(f"{server.url}/chain/5"), get(f"{server.url}/chain/6"), get(f"{server.url}/chain/20")])
    assert ends.results[0]["text"] == "end"
    for offset in (1, 2):
        assert ends.failures[offset].message == "more than 5 redirects"
        assert not ends.failures[offset].retryable


@pytest.mark.fault("G11", "G12")
@pytest.mark.parametrize(
    "where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "dict://127.0.0.1/x"]
)
@pytest.mark.promise("5.25")
def test_only_http_and_https_also_on_redirects(reactor: Reactor, server: MisbehavingServer, where: str) -> None:
    ends = reactor.run([get(where), get(f"{server.url}/to/{where}")])
    for offset in (0, 1):
        assert ends.failures[offset].type == "refused"
        assert not ends.failures[offset].retryable
        assert (
            "http and https" in ends.failures[offset].message
            or "neither http nor https" in ends.failures[offset].message
        )


@pytest.mark.promise("10.13")
def test_credentials_stay_with_their_origin(reactor: Reactor, server: MisbehavingServer) -> None:
    other = MisbehavingServer("127.0.0.2")
    server.elsewhere = other.url
    ends = reactor.run([
        get(f"{server.url}/to/", headers=[*TOKEN, ["Cookie", "a=b"]]),
        get(f"{server.url}/to/", auth=["user", "password"]),
        get(f"{server.url.replace('//', '//user:password@')}/to/"),
        get(f"{server.url}/to//echo", headers=TOKEN),
    ])  # fmt: skip
    other.close()
    assert len(ends.results) == 4
    assert len(other.requests) == 3
    for request in other.requests:
        assert "authorization" not in request.headers and "cookie" not in request.headers
    assert all("authorization" in request.headers for request in server.requests)


SENT = [
    ["Authorization", "Bearer sesame-open-42"], ["Cookie", "sid=sesame-open-42"], ["X-API-Key", "sesame-open-42"],
    ["Idempotency-Key", "sesame-open-42"], ["Accept", "text/x"], ["Content-Type", "text/y"], ["User-Agent", "me"],
]  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_headers_stay_with_their_origin_whatever_the_redirect(
    reactor: Reactor, server: MisbehavingServer, status: int
) -> None:
    other = MisbehavingServer("127.0.0.2")
    server.elsewhere = other.url
    urls = [f"{server.url}/redirect/{status}/{where}" for where in ("other", "here")]
    ends = reactor.run([get(url, "PUT", headers=SENT, body="b", idempotent=True) for url in urls])
    other.close()
    assert len(ends.results) == 2
    (there,) = other.requests
    assert "sesame" not in str(there)
    assert (there.headers["accept"], there.headers["user-agent"]) == ("text/x", "me")
    assert there.method == ("GET" if status == 303 else "PUT") and there.body == (b"" if status == 303 else b"b")
    here = next(request for request in server.requests if request.path == "/echo")
    assert str(here).count("sesame") == 4


def test_the_deadline_holds_over_redirects(made: list[Reactor], server: MisbehavingServer) -> None:
    made.append(Reactor({**HTTP, "timeout_s": 0.5}))
    failure = made[0].run([get(f"{server.url}/to//hang")]).failures[0]
    assert (failure.type, failure.message) == ("timeout", "timed out after 0.5 s")


def test_the_same_host_on_another_port_is_another_origin(reactor: Reactor, server: MisbehavingServer) -> None:
    other = MisbehavingServer()
    server.elsewhere = other.url
    reactor.run([get(f"{server.url}/to/", headers=TOKEN), get(f"{server.url}/to/", auth=["user", "password"])])
    other.close()
    assert [request.headers.get("authorization") for request in other.requests] == [None, None]


def test_what_cannot_be_a_request_is_refused_before_it_is_sent(reactor: Reactor, server: MisbehavingServer) -> None:
    ends = reactor.run([
        get("http://h\r\nX: 1"),
        get(server.url, headers=[["X", "1\r\nInjected: yes"]]),
        get(server.url, headers=[["X\r\nInjected", "1"]]),
        get(server.url, headers=[["X", "a\0b"]]),
        get("no url at all"),
        get("http://"),
        get("http://[::1/"),
        get(server.url, "POST", body="\ud800"),
        get(server.url, "GET\r\nX"),
    ])  # fmt: skip
    assert set(ends.failures) == set(range(9))
    for failure in ends.failures.values():
        assert failure.type == "refused" and not failure.retryable
    assert server.requests == []


def test_who_cannot_be_reached(reactor: Reactor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ends = reactor.run([get(f"http://127.0.0.1:{port}/"), get("http://no.such.invalid/"), get(f"http://[::1]:{port}/")])
    for failure in ends.failures.values():
        assert failure.type == "connect" and failure.retryable
        assert " ms" not in failure.message  # alike failures have the same message
    assert "no.such.invalid" in ends.failures[1].message


def test_proxies_are_those_of_the_environment_and_netrc_is_not_read(
    made: list[Reactor], server: MisbehavingServer, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login user password from-netrc\n")
    environ = {"http_proxy": server.url, "no_proxy": "127.0.0.1", "HOME": str(tmp_path)}
    made.append(Reactor(HTTP, environ=environ))
    ends = made[0].run([get("http://far.invalid/echo"), get(f"{server.url}/echo")])
    assert ends.failures[0].status_code == 404  # the proxy was asked for the whole URL, which it does not know
    assert {request.path for request in server.requests} == {"http://far.invalid/echo", "/echo"}
    assert all("authorization" not in request.headers for request in server.requests)


# ---------------------------------------------------------------- files


def saved(url: str, path: Path, **fields: Json) -> dict[str, Json]:
    return get(url, save_to=str(path), **fields)


@pytest.fixture
def saving(made: list[Reactor]) -> Reactor:
    made.append(Reactor({**HTTP, "max_body": None}))
    return made[-1]


@pytest.mark.promise("5.22")
def test_a_body_is_saved_whole_however_large(saving: Reactor, server: MisbehavingServer, tmp_path: Path) -> None:
    ends = saving.run([
        saved(f"{server.url}/big-file", tmp_path / "deep" / "big"),
        saved(f"{server.url}/cut/gzip/100", tmp_path / "text"),
        saved(f"{server.url}/no-content", tmp_path / "empty"),
        saved(f"{server.url}/redirect/302/here", tmp_path / "said"),
    ])  # fmt: skip
    assert (ends.results[0]["saved_to"], ends.results[0]["size"]) == (str(tmp_path / "deep" / "big"), 64 << 20)
    assert (tmp_path / "deep" / "big").read_bytes() == b"x" * (64 << 20)
    assert (tmp_path / "text").read_bytes() == TEXT and ends.results[1]["size"] == len(TEXT)
    assert (tmp_path / "empty").read_bytes() == b"" and b'"method"' in (tmp_path / "said").read_bytes()
    assert "text" not in ends.results[0]
    status = Path(f"/proc/{saving.pid}/status").read_text()
    assert int(status.partition("VmHWM:")[2].split()[0]) < 96 << 10
    assert sorted(os.listdir(tmp_path)) == ["deep", "empty", "said", "text"]


@pytest.mark.parametrize("path", ["short", "cut/gzip/99", "bad-chunk", "reset", "status/404", "cut/br/100"])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.promise("5.22")
def test_of_a_failure_no_file_is_left_and_an_old_one_is_kept(
    saving: Reactor, server: MisbehavingServer, tmp_path: Path, path: str, old: bool
) -> None:
    there = tmp_path / "file"
    if old:
        there.write_bytes(b"old")
    failure = saving.run([saved(f"{server.url}/{path}", there)]).failures[0]
    assert failure.type == "http"
    assert os.listdir(tmp_path) == ["file"] * old and (not old or there.read_bytes() == b"old")


def test_a_file_that_is_too_large_or_has_no_place_is_a_failure(
    made: list[Reactor], server: MisbehavingServer, tmp_path: Path
) -> None:
    made.append(Reactor(HTTP))
    (tmp_path / "file").write_bytes(b"")
    ends = made[0].run([
        saved(f"{server.url}/big-file", tmp_path / "big"),
        saved(f"{server.url}/echo", tmp_path),
        saved(f"{server.url}/echo", tmp_path / "file" / "below"),
    ])  # fmt: skip
    assert ends.failures[0].message == "body larger than 1 MiB" and not ends.failures[0].retryable
    assert ends.failures[1].type == ends.failures[2].type == "file"
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_cancelled_leaves_no_file(saving: Reactor, server: MisbehavingServer, tmp_path: Path) -> None:
    ends = saving.submit([saved(f"{server.url}/drip/body", tmp_path / "file")])
    saving.until(lambda: server.requests)
    saving.executor.cancel()
    saving.finish()
    assert ends.cancelled == {0} and os.listdir(tmp_path) == []


@pytest.mark.promise("5.14")
def test_files_are_sent_as_they_are(reactor: Reactor, server: MisbehavingServer, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x" * 300_000)
    (tmp_path / "none").write_bytes(b"")
    file: Json = {"file": str(tmp_path / "in")}
    ends = reactor.run([
        get(f"{server.url}/echo", "PUT", body=file),
        get(f"{server.url}/echo", "POST", body={"file": str(tmp_path / "none")}),
        get(f"{server.url}/redirect/307/here", "POST", body=file, headers=[["Content-Type", "x/y"]], idempotent=True),
        get(f"{server.url}/echo", "POST", body="after"),
    ])  # fmt: skip
    said = [ends.results[offset]["json"] for offset in range(4)]
    assert [(each["method"], len(each["body"])) for each in said] == [
        ("PUT", 300_000),
        ("POST", 0),
        ("POST", 300_000),
        ("POST", 5),
    ]
    assert said[0]["headers"]["content-length"] == "300000" and said[2]["headers"]["content-type"] == "x/y"


@pytest.mark.promise("5.15")
def test_parts_are_sent_with_their_names_and_types(reactor: Reactor, server: MisbehavingServer, tmp_path: Path) -> None:
    (tmp_path / "in.bin").write_bytes(b"inside")
    parts: Json = [
        {"name": "a", "text": "é"},
        {"name": 'q"uote', "text": "b", "type": "text/csv"},
        {"name": "f", "file": str(tmp_path / "in.bin")},
        {"name": "g", "file": str(tmp_path / "in.bin"), "filename": 'ev"il\r\n.png', "type": "image/png"},
    ]
    said = reactor.run([get(f"{server.url}/echo", "POST", body={"multipart": parts})]).results[0]["json"]
    kind, _, mark = said["headers"]["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    bodies = said["body"].split(f"--{mark}")[1:-1]
    assert [body.partition("\r\n\r\n")[2].strip() for body in bodies] == ["é", "b", "inside", "inside"]
    assert 'name="f"; filename="in.bin"' in bodies[2]
    assert "Content-Type: text/csv" in bodies[1] and "Content-Type: image/png" in bodies[3]
    assert len(bodies[3].partition("\r\n\r\n")[0].strip().splitlines()) <= 3, "no header is injected"


def test_what_cannot_be_read_is_not_sent(reactor: Reactor, server: MisbehavingServer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    paths = [tmp_path / "missing", tmp_path, tmp_path / "pipe"]
    bodies: list[Json] = [{"file": str(path)} for path in paths]
    bodies += [{"multipart": [{"name": "f", "file": str(path)}]} for path in paths]
    ends = reactor.run([get(server.url, "PUT", body=body) for body in bodies])
    assert {failure.type for failure in ends.failures.values()} == {"refused"} and len(ends.failures) == 6
    assert server.requests == []


@pytest.mark.fault("G13")
@pytest.mark.promise("5.24")
def test_private_addresses_are_not_connected_to(
    made: list[Reactor], server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    made.append(Reactor({**HTTP, "deny_private": True}))
    port = server.url.rpartition(":")[2]
    names = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
    ends = made[0].run([get(f"http://{name}:{port}/echo") for name in names])
    assert len(ends.failures) == len(names) and server.requests == []
    for failure in ends.failures.values():
        assert failure.type == "refused" and not failure.retryable, failure
        assert "not public" in failure.message


# ---------------------------------------------------------------- effects


@pytest.mark.fault("G16")
@pytest.mark.promise("3.46")
def test_a_post_that_may_have_arrived_is_not_retried(reactor: Reactor, server: MisbehavingServer) -> None:
    urls = [f"{server.url}/{path}" for path in ("empty", "reset", "short", "status/503")]
    for method in ("POST", "PATCH"):
        ends = reactor.run([get(url, method) for url in urls])
        for failure in ends.failures.values():
            assert not failure.retryable
            assert f"not retried, because the {method} may have arrived; say `idempotent: true`" in failure.message
    ends = reactor.run([get(url, "POST", idempotent=True) for url in urls] + [get(url, "PUT") for url in urls])
    assert all(failure.retryable for failure in ends.failures.values())


def test_a_post_that_was_never_sent_may_be_retried(reactor: Reactor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    failure = reactor.run([get(f"http://127.0.0.1:{port}/", "POST")]).failures[0]
    assert failure.type == "connect" and failure.retryable


@pytest.mark.promise("3.46")
def test_a_timed_out_post_is_not_retried(made: list[Reactor], server: MisbehavingServer) -> None:
    made.append(Reactor({**HTTP, "timeout_s": 0.3}))
    failure = made[0].run([get(f"{server.url}/hang", "POST")]).failures[0]
    assert failure.type == "timeout" and not failure.retryable


@pytest.mark.fault("G16")
def test_a_post_is_never_sent_twice_behind_our_back(made: list[Reactor], server: MisbehavingServer) -> None:
    """A kept connection that closes unanswered makes libcurl repeat the request; a POST must not be."""
    made.append(Reactor(HTTP, slots=1))
    ends = made[0].run([get(f"{server.url}/once", "POST"), get(f"{server.url}/once", "POST")])
    assert len(ends) == 2
    assert len(server.requests) == 2


# ---------------------------------------------------------------- secrets, stopping, faults


def test_nothing_that_was_sent_as_a_credential_comes_back(reactor: Reactor, server: MisbehavingServer) -> None:
    ends = reactor.run([
        get(f"{server.url}/echo/200", headers=TOKEN),
        get(f"{server.url}/echo/500", headers=TOKEN),
        get(f"{server.url}/echo/500", auth=["user", "pass-word"]),
        get(f"{server.url.replace('//', '//user:pass-word@')}/echo/500"),
        get("http://user:pass-word@no.such.invalid/"),
        get("http://user:pass-word@h\n/", headers=TOKEN),
    ])  # fmt: skip
    told = repr(ends)
    assert "sesame" not in told and "pass-word" not in told and "dXNlcjpwYXNzLXdvcmQ" not in told
    assert "***" in ends.failures[1].message
    sent = [request.headers["authorization"] for request in server.requests]
    assert sorted(sent) == ["Basic dXNlcjpwYXNzLXdvcmQ="] * 2 + ["Bearer sesame-open-42"] * 2


def test_results_failures_and_logs_are_cleaned(made: list[Reactor], server: MisbehavingServer) -> None:
    made.append(Reactor(HTTP))
    made[0].censor = Censor(["PASSWORD"], {"PASSWORD": "hunter2"})
    ends = made[0].run([get(f"{server.url}/echo/{status}", "POST", body="hunter2") for status in (200, 500)])
    assert "hunter2" not in repr(ends) and ends.results[0]["json"]["body"] == "***"


def test_cancel_gives_up_requests_at_once(made: list[Reactor], server: MisbehavingServer) -> None:
    made.append(Reactor(HTTP, slots=2))
    ends = made[0].submit([get(f"{server.url}/hang")] * 3)
    made[0].until(lambda: len(server.requests) == 2)
    made[0].executor.cancel()
    made[0].finish()
    assert (ends.cancelled, ends.returned) == ({0, 1}, {2})
    assert made[0].run([get(f"{server.url}/echo")]).results[0]["status_code"] == 200


def test_the_fault_point_before_sending(
    made: list[Reactor], server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHWORK_TESTING", "1")
    monkeypatch.setenv("BATCHWORK_FAULT", "http.send:raise@1")
    made.append(Reactor(HTTP, slots=1))
    ends = made[0].run([get(f"{server.url}/echo", "POST"), get(f"{server.url}/echo")])
    assert ends.failures[0].type == "connect" and ends.failures[0].retryable
    assert set(ends.results) == {1} and len(server.requests) == 1


# ---------------------------------------------------------------- TLS


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                    with context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(65536)
                        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.mark.promise("5.20")
def test_certificates_are_checked_unless_told(made: list[Reactor], certificate: Path, tls_port: int) -> None:
    urls = [f"https://localhost:{tls_port}/", f"https://127.0.0.1:{tls_port}/"]
    made.append(Reactor(HTTP))
    made.append(Reactor(HTTP, environ={"CURL_CA_BUNDLE": str(certificate / "cert.pem")}))
    made.append(Reactor({**HTTP, "verify": False}))
    for failure in made[0].run([get(url) for url in urls]).failures.values():
        assert failure.type == "connect" and not failure.retryable
        assert "certificate" in failure.message.lower()
        for told in ("is not trusted", "trusted is what ", "CURL_CA_BUNDLE or SSL_CERT_FILE names another file"):
            assert told in failure.message
    assert "the certificate of localhost is not" in made[0].run([get(urls[0])]).failures[0].message
    trusting = made[1].run([get(url) for url in urls])
    assert not trusting.failures.keys() - {1}, trusting
    assert trusting.results[0]["text"] == "ok"
    assert "127.0.0.1" in trusting.failures[1].message  # the name in it is another
    assert str(certificate / "cert.pem") in trusting.failures[1].message
    assert set(made[2].run([get(url) for url in urls]).results) == {0, 1}
    made.append(Reactor(HTTP, environ={"CURL_CA_BUNDLE": "", "SSL_CERT_FILE": str(certificate / "cert.pem")}))
    assert made[3].run([get(urls[0])]).results[0]["text"] == "ok"
