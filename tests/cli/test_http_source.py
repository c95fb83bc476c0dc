"""Items that are elements of a paged service, from a real server on loopback that also fails, loops and redirects."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cli_bench import Bench, Command, bench_in

from batchwork.errors import SourceError
from batchwork.items.fields import open_source
from batchwork.items.web import requests

PAGES = 5


class Service(ThreadingHTTPServer):
    """`seen` are the paths and headers of requests, `failures` how often a page still fails first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.failures: Counter[str] = Counter()
        self.elsewhere = ""
        self.left = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        if self.server.failures[self.path] > 0:
            self.server.failures[self.path] -= 1
            self.answer(503, "busy", {"Retry-After": "0"})
            return
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        getattr(self, "on_" + parts.path.strip("/"), self.missing)(query)

    def answer(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def missing(self, _query: dict[str, str]) -> None:
        self.answer(404, {"error": "no such thing"})

    def elements(self, page: int) -> list[Any]:
        return [{"n": 10 * page + number, "text": "ü\ud800"} for number in range(3)] if page <= PAGES else []

    def on_link(self, query: dict[str, str]) -> None:
        page = int(query.get("p", "1"))
        links = {"Link": f'</link?p=1>; rel="first", </link?p={page + 1}>; rel="next"'} if page < PAGES else {}
        self.answer(200, self.elements(page), links)

    def on_url(self, query: dict[str, str]) -> None:
        page = int(query.get("p", "1"))
        following = f"url?p={page + 1}" if page < PAGES else None
        self.answer(200, {"data": {"rows": self.elements(page)}, "paging": {"next": following}})

    def on_cursor(self, query: dict[str, str]) -> None:
        page = int(query.get("after", "1"))
        self.answer(200, {"rows": self.elements(page), "after": page + 1 if page < PAGES else None})

    def on_page(self, query: dict[str, str]) -> None:
        self.answer(200, self.elements(int(query.get("page", "1"))))

    def on_loop(self, query: dict[str, str]) -> None:
        self.answer(200, {"rows": [query.get("p")], "next": "/loop?p=2"})

    def on_same(self, _query: dict[str, str]) -> None:
        self.answer(200, [1, 2])

    def on_text(self, _query: dict[str, str]) -> None:
        self.answer(200, b"<html>hello")

    def on_torn(self, query: dict[str, str]) -> None:
        """The answer breaks off as often as `n` says, then it is whole."""
        body = b"[1, 2, 3]"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        times = [path for path, _ in self.server.seen].count(self.path)
        self.wfile.write(body[:5] if times <= int(query["n"]) else body)

    def on_large(self, _query: dict[str, str]) -> None:
        self.answer(200, b"[1, 1e400]")

    def on_round(self, _query: dict[str, str]) -> None:
        self.answer(302, "", {"Location": "/round"})

    def on_local(self, _query: dict[str, str]) -> None:
        self.answer(302, "", {"Location": "file:///etc/passwd"})

    def on_hang(self, query: dict[str, str]) -> None:
        """Nothing, or half of an answer; until the other side goes away."""
        if "half" in query:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"[1")
        while self.connection.recv(100):
            pass
        self.server.left.set()

    def on_then(self, query: dict[str, str]) -> None:
        """One page, then none."""
        if "p" in query:
            self.on_hang(query)
        else:
            self.answer(200, [1, 2], {"Link": '</then?p=2>; rel="next"'})

    def on_away(self, _query: dict[str, str]) -> None:
        self.answer(302, "", {"Location": self.server.elsewhere + "/same"})


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def bench(work: Path, batchwork: Command, environ: Mapping[str, str]) -> Bench:
    return bench_in(work, batchwork, {**environ, "no_proxy": "127.0.0.1"})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PAUSE_S", 0.001)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def read(url: str, start: int = 0, size: int = 2, **fields: Any) -> list[Any]:
    source = open_source("http", {"url": url, **fields}, "", {})
    try:
        return [row for page in source.pages(start, size) for row in page]
    finally:
        source.close()


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("/link", {"next": "link"}),
    ("/url", {"next": "paging.next", "items": "data.rows"}),
    ("/cursor", {"next": {"cursor": "after"}, "items": "rows"}),
    ("/page?x=1", {"next": {"page": "page"}}),
]
ALL = [10 * page + number for page in range(1, PAGES + 1) for number in range(3)]


@pytest.mark.promise("11.36")
@pytest.mark.parametrize(("path", "fields"), WAYS)
def test_all_pages_are_read_in_each_way(service: Service, path: str, fields: dict[str, Any]):
    service.failures[path] = 2
    rows = read(service.url + path, **fields)
    assert [row["n"] for row in rows] == ALL
    assert rows[0]["text"] == "ü\ud800"
    assert [row["n"] for row in read(service.url + path, start=4, **fields)] == ALL[4:]
    assert len(read(service.url + path, **{**fields, "next": None})) == 3


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        ("/gone", {}, r"page 1 \(http://127.0.0.1:\d+/gone\): HTTP 404 {\"error\": \"no such thing\"}"),
        ("/text", {}, "page 1 .*the answer is not JSON: .*<html>hello"),
        ("/loop", {"items": "rows", "next": "next"}, "page 2 leads back to page 2"),
        ("/same", {"next": {"page": "p"}}, "page 2 holds the same as page 1"),
        ("/torn?n=99", {}, r"page 1 \(.*the answer breaks off after 5 bytes"),
        ("/large", {}, "the answer is not JSON: the number 1e400 is too large"),
        ("/round", {}, "HTTP 302 .*infinite loop"),
        ("/local", {}, "HTTP 302 .*not allowed"),
        ("/url", {"items": "rows"}, "page 1: there is no `rows` in the answer.*`data` and"),
        ("/url", {"items": "paging"}, "page 1: `paging` is no list but a mapping with"),
    ],
)
def test_what_is_wrong_is_said_with_the_page(service: Service, path: str, fields: dict[str, Any], message: str):
    with pytest.raises(SourceError) as caught:
        read(service.url + path, **fields)
    assert re.search(message, caught.value.message)


def test_an_answer_that_breaks_off_is_asked_for_again(service: Service):
    assert read(service.url + "/torn?n=2") == [1, 2, 3]


def test_a_page_that_keeps_failing_is_asked_for_five_times(service: Service):
    service.failures["/link?p=2"] = 99
    with pytest.raises(SourceError, match=r"page 2 .*HTTP 503"):
        read(service.url + "/link", next="link")
    assert [path for path, _ in service.seen].count("/link?p=2") == requests.TRIES


def test_credentials_go_to_their_origin_only(service: Service):
    with Service() as other:
        thread = Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        service.elsewhere = other.url
        fields = {"auth": {"bearer": "swordfish"}, "headers": {"X-Api-Key": "sesame123", "X-Not": None}}
        assert read(service.url + "/away", **fields) == [1, 2]
        other.shutdown()
        thread.join()
    headers = service.seen[0][1]
    assert headers["Authorization"] == "Bearer swordfish"
    assert {name.lower(): text for name, text in headers.items()}["x-api-key"] == "sesame123"
    told = json.dumps(other.seen)
    assert "swordfish" not in told
    assert "sesame123" not in told


def test_secrets_are_neither_shown_nor_stored(bench: Bench, service: Service):
    items = f"{{from: http, url: '{service.url}/gone', auth: [me, '{{{{ params.pw }}}}'], headers: {{X-Api-Key: sesame123}}}}"
    bench.write(items, '{type: echo, message: "{{ item }}"}')
    said = bench.command("run", "w.yaml", "pw=swordfish", expect=1)
    assert "HTTP 404" in said.stdout
    stored = [path.read_bytes() for path in (bench.work / ".batchwork").rglob("*") if path.is_file()]
    for secret in ("swordfish", "sesame123"):
        assert secret not in said.stdout + said.stderr
        assert not any(secret.encode() in content for content in stored)


@pytest.mark.promise("11.36")
def test_a_killed_run_goes_on(bench: Bench, service: Service, wait_for: Callable[..., None]):
    items = f"{{from: http, url: '{service.url}/page', next: {{page: page}}}}"
    bench.write(
        f"{{from: product, of: {{e: {items}, k: {{from: range, count: 4}}}}}}",
        "{type: shell, command: 'echo {{ item.e.n }}-{{ item.k }} >> ledger; sleep 0.01'}",
    )
    bench.kill_half_way(wait_for)
    bench.command("resume")
    done = Counter(bench.ledger())
    assert {*done} == {f"{n}-{k}" for n in ALL for k in range(4)}
    assert sum(done.values()) - len(done) <= 2


@pytest.mark.parametrize("path", ["/hang", "/hang?half=1", "/then"])
def test_a_request_in_flight_is_cut_when_the_source_is_closed(
    service: Service, path: str, wait_for: Callable[..., None]
):
    source = open_source("http", {"url": service.url + path, "next": "link"}, "", {})
    said, reader = reading(source)
    wait_for(lambda: len(service.seen) == (2 if path == "/then" else 1), "the request")
    source.close()
    reader.join()
    assert re.search(r"page [12] \(.*\): reading was stopped", said[-1])
    assert service.left.wait(30)
    with pytest.raises(SourceError, match="reading was stopped"):
        next(iter(source.pages(0, 2)))


def test_a_name_that_is_looked_up_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    asked, over = Event(), Event()

    def look_up(*_where: object, **_how: object) -> list[Any]:
        asked.set()
        over.wait()
        return []

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    source = open_source("http", {"url": "http://nowhere.invalid/"}, "", {})
    said, reader = reading(source)
    asked.wait()
    source.close()
    reader.join()
    over.set()
    assert "reading was stopped" in said[-1]


def reading(source: Any) -> tuple[list[str], Thread]:
    """Reads a source in a thread: what it said at its end."""
    said: list[str] = []

    def read_all() -> None:
        try:
            for _ in source.pages(0, 2):
                pass
        except SourceError as error:
            said.append(error.message)

    thread = Thread(target=read_all, daemon=True)
    thread.start()
    return said, thread


@pytest.mark.parametrize(
    ("path", "task", "expect"),
    [
        ("/hang", "{type: echo, message: x}", 130),
        ("/then", "{type: echo, message: x}", 130),
        ("/then", "{type: shell, command: 'exit 1'}", 1),
    ],
)
def test_a_run_ends_while_a_service_does_not_answer(
    bench: Bench, service: Service, wait_for: Callable[..., None], path: str, task: str, expect: int
):
    """By Ctrl-C, and where an item fails the step."""
    bench.write(f"{{from: http, url: '{service.url}{path}', next: link}}", task, "continue_on_error: false")
    process = subprocess.Popen(["batchwork", "run", "w.yaml"], env=bench.environ, cwd=bench.work)
    wait_for(lambda: len(service.seen) == (1 if path == "/hang" else 2), "the request")
    if expect == 130:
        process.send_signal(signal.SIGINT)
    assert process.wait() == expect
    assert service.left.wait(30)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("url: 'ftp://x/y'", "`url` of `from: http` must begin with http:// or https://"),
        ("url: 'http://x/y', next: {}", "`next` must be `link`, a path in the answer"),
        ("url: 'http://x/y', next: {page: p, stop: 1}", "`next` has no `stop`"),
        ("url: 'http://x/y', headers: [1]", "`headers` of `from: http` must be a mapping"),
    ],
)
def test_fields_are_checked_beforehand(bench: Bench, fields: str, message: str):
    bench.write(f"{{from: http, {fields}}}", '{type: echo, message: "{{ item }}"}')
    assert message in bench.command("validate", "w.yaml", expect=2).stderr
