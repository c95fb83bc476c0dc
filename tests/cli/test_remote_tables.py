"""Tables behind URLs, as a user meets them: of web servers, also behind TLS, and of a store of objects that speaks S3."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from cli_bench import Bench, Command, bench_in

from cli.web_files import WebFiles

ROWS = 40_000
LEDGER = '{type: shell, command: "echo {{ item.n }} >> ledger"}'
NOTHING = "{type: python, code: \"return item['n']\"}"


@pytest.fixture
def bench(work: Path, batchwork: Command, environ: Mapping[str, str]) -> Bench:
    return bench_in(work, batchwork, environ)


@pytest.fixture
def site() -> Iterator[WebFiles]:
    site = WebFiles()
    yield site
    site.close()


def parquet(rows: int, group: int, wide: int = 100) -> bytes:
    """A file of rows of which `n` takes little room, and `blob` nearly all."""
    random = Random(7)
    content = pa.table({"n": range(rows), "blob": [random.randbytes(wide).hex() for _ in range(rows)]})
    file = io.BytesIO()
    pa.parquet.write_table(content, file, row_group_size=group)
    return file.getvalue()


LARGE = parquet(ROWS, 4_000)
SMALL = parquet(200, 50, 4)


class Relay:
    """Passes connections on to a port, and counts the bytes that come back."""

    def __init__(self, port: int) -> None:
        self._to, self.bytes = port, 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:  # it is closed
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass, args=(near, far, 0), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, 1), daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, counted: int) -> None:
        try:
            while data := source.recv(65_536):
                self.bytes += counted * len(data)
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:  # the other end has gone
            to.close()

    def close(self) -> None:
        self._listening.close()


# ---------------------------------------------------------------- how much is fetched


@pytest.mark.promise("11.10")
@pytest.mark.parametrize(
    ("items", "count", "most"),
    [
        ("columns: [n]", ROWS, 0.1),
        ("columns: [n], limit: 10", 10, 0.05),
        ("limit: 10", 10, 0.2),
        ("filter: '{{ item.n >= 39990 }}', columns: [n]", 10, 0.1),
        ("skip: 0", ROWS, 1.05),
    ],
)
def test_only_what_is_wanted_is_fetched_from_a_web_server(
    bench: Bench, site: WebFiles, items: str, count: int, most: float
) -> None:
    site.files = {"/t.parquet": LARGE}
    bench.write(f"{{from: parquet, path: '{site.url}/t.parquet', {items}}}", NOTHING)
    bench.command("run", "w.yaml", "--quiet")
    assert bench.counts() == {"total": count, "succeeded": count}
    assert site.sent["/t.parquet"] < most * len(LARGE)


@pytest.mark.promise("11.10")
def test_only_what_is_wanted_is_fetched_from_s3(bench: Bench, bucket: Any, s3: Mapping[str, str]) -> None:
    bucket.put_object(Bucket="bucket", Key="in/t.parquet", Body=LARGE)
    relay = Relay(int(s3["AWS_ENDPOINT_URL"].rpartition(":")[2]))
    environ = {**s3, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}"}
    try:
        for columns, most in (("[n]", 0.1), ("[blob, n]", 1.1)):
            before = relay.bytes
            bench.write(f"{{from: parquet, path: 's3://bucket/in/*.parquet', columns: {columns}}}", NOTHING)
            bench.command("run", "w.yaml", "--quiet", env=environ)
            assert bench.counts() == {"total": ROWS, "succeeded": ROWS}
            assert relay.bytes - before < most * len(LARGE)
    finally:
        relay.close()


def test_large_row_groups_are_not_fetched_whole_for_one_column(bench: Bench, site: WebFiles) -> None:
    site.files = {"/t.parquet": parquet(ROWS, ROWS, 250)}
    bench.write(f"{{from: parquet, path: '{site.url}/t.parquet', columns: [n]}}", NOTHING)
    bench.command("run", "w.yaml", "--quiet")
    assert bench.counts() == {"total": ROWS, "succeeded": ROWS}
    assert site.sent["/t.parquet"] < 0.1 * len(site.files["/t.parquet"])


# ---------------------------------------------------------------- kills, and what breaks off


def killed_and_resumed(bench: Bench, path: str, wait_for: Callable[..., None]) -> None:
    """A run that is killed half way does each row once, but for those that ran at the kill."""
    bench.write(
        f"{{from: parquet, path: '{path}', columns: [n]}}", LEDGER, 'max_parallel: 2\n      key: "{{ item.n }}"'
    )
    bench.kill_half_way(wait_for)
    assert len(bench.ledger()) < 200
    bench.command("resume", env=bench.environ)
    assert bench.counts() == {"total": 200, "succeeded": 200}
    assert {*bench.ledger()} == {str(number) for number in range(200)}
    assert len(bench.ledger()) <= 202


def test_a_kill_and_a_resume_over_s3(
    bench: Bench, bucket: Any, s3: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    bucket.put_object(Bucket="bucket", Key="in/t.parquet", Body=SMALL)
    bench.environ = {**bench.environ, **s3}
    killed_and_resumed(bench, "s3://bucket/in/t.parquet", wait_for)


def test_a_kill_and_a_resume_over_a_web_server(bench: Bench, site: WebFiles, wait_for: Callable[..., None]) -> None:
    site.files = {"/t.parquet": SMALL}
    killed_and_resumed(bench, f"{site.url}/t.parquet", wait_for)


def test_a_kill_and_a_resume_over_tls(bench: Bench, certificate: Path, wait_for: Callable[..., None]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    site = WebFiles(context)
    site.files = {"/t.parquet": SMALL}
    try:
        bench.write(f"{{from: parquet, path: '{site.url}/t.parquet'}}", NOTHING)
        refused = bench.command("run", "w.yaml", expect=1)
        assert "certificate" in refused.stdout.lower()
        bench.environ = {**bench.environ, "SSL_CERT_FILE": str(certificate / "cert.pem")}
        killed_and_resumed(bench, f"{site.url}/t.parquet", wait_for)
    finally:
        site.close()


def test_reading_that_breaks_off_goes_on(bench: Bench, site: WebFiles) -> None:
    site.files = {"/t.parquet": LARGE}
    site.breaks["/t.parquet"] = 300_000  # less than a row group has
    site.after_break = lambda: site.breaks.update({"/t.parquet": site.breaks["/t.parquet"] * 2})
    bench.write(f"{{from: parquet, path: '{site.url}/t.parquet'}}", NOTHING)
    bench.command("run", "w.yaml", "--quiet")
    assert bench.counts() == {"total": ROWS, "succeeded": ROWS}
    assert site.breaks["/t.parquet"] > 300_000


# ---------------------------------------------------------------- what goes wrong


def test_what_is_secret_in_a_url_is_in_no_error(bench: Bench, site: WebFiles) -> None:
    secrets = ["s3cretpassw0rd", "0123456789abcdefSIGNED"]
    site.password, site.files = f"me:{secrets[0]}", {"/t.parquet": LARGE}
    site.breaks["/t.parquet"] = 100_000
    url = site.url.replace("//", f"//me:{secrets[0]}@") + f"/t.parquet?X-Amz-Signature={secrets[1]}"
    bench.write(f"{{from: parquet, path: '{url}'}}", NOTHING)
    said = bench.command("run", "w.yaml", expect=1)
    assert "/t.parquet" in said.stdout
    assert not any(secret in said.stdout + said.stderr for secret in secrets)
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "/t.parquet cannot be read as Parquet"),
        (LARGE[:50_000], "/t.parquet cannot be read as Parquet"),
        (None, "/t.parquet: no such file"),
    ],
)
def test_a_file_that_is_no_table_is_a_clear_error(
    bench: Bench, site: WebFiles, content: bytes | None, message: str
) -> None:
    site.files = {} if content is None else {"/t.parquet": content}
    bench.write(f"{{from: parquet, path: '{site.url}/t.parquet'}}", NOTHING)
    said = bench.command("run", "w.yaml", expect=1)
    assert site.url + message in said.stdout
    assert "Traceback" not in said.stdout + said.stderr


def test_a_table_without_rows_is_no_item(bench: Bench, bucket: Any, s3: Mapping[str, str]) -> None:
    bucket.put_object(Bucket="bucket", Key="in/t.parquet", Body=parquet(0, 10))
    bench.write("{from: parquet, path: 's3://bucket/in/t.parquet'}", NOTHING)
    bench.command("run", "w.yaml", env=s3)
    assert bench.counts() == {}


def test_a_server_that_gives_only_whole_files_is_a_clear_error(bench: Bench, site: WebFiles) -> None:
    site.files, site.ranges = {"/t.parquet": LARGE}, False
    bench.write(f"{{from: parquet, path: '{site.url}/t.parquet'}}", NOTHING)
    said = bench.command("run", "w.yaml", expect=1)
    assert "gives only whole files" in said.stdout
    assert "Traceback" not in said.stdout + said.stderr
