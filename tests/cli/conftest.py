"""Golden files: what the program prints, kept in tests/cli/golden. BATCHWORK_GOLDEN=write writes them anew."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "golden"

Golden = Callable[[str, str], None]


def steady(text: str) -> str:
    """`text` without what differs from run to run: ids, times, durations, speeds, folders."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN", text)
    text = re.sub(r"(/tmp|/var|/private)\S*/(?=\S)", "FOLDER/", text)
    text = re.sub(r"\b\d+(\.\d+)? (µs|ms|s|min \d\d s)\b(?! apart)", "TIME", text)
    text = re.sub(r"\b[\d,.]+/(s|min|h)\b", "RATE", text)
    text = re.sub(r"\b(python/|reactor-)\d+", r"\1PID", text)
    text = re.sub(r"^  (CPU \d+ %|machine  |speed  ).*\n", "", text, flags=re.M)
    return re.sub(r" +(?=TIME|RATE|duration|rate\b)", " ", text)


@pytest.fixture
def golden() -> Golden:
    """`golden(name, text)`: the text, made steady, is what the golden file holds."""

    def check(name: str, text: str) -> None:
        path = FOLDER / f"{name}.txt"
        found = steady(text)
        if os.environ.get("BATCHWORK_GOLDEN") == "write":
            path.write_text(found)
        assert path.exists(), f"{path} is not there; BATCHWORK_GOLDEN=write writes it"
        assert found == path.read_text()

    return check


@pytest.fixture(scope="session")
def s3() -> Iterator[Mapping[str, str]]:
    """What says in an environment where a server is that speaks S3."""
    from moto.server import ThreadedMotoServer  # most tests need none

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environ = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "KEYOFATEST",
        "AWS_SECRET_ACCESS_KEY": "VERYSECRETOFATEST",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    yield environ
    server.stop()


@pytest.fixture
def bucket(s3: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of that server, with an empty bucket called `bucket`."""
    import boto3

    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="bucket"):
        for entry in page.get("Contents", ()):
            client.delete_object(Bucket="bucket", Key=entry["Key"])
    return client
