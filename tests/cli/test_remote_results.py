"""Results that go to URLs: of a store of objects that speaks S3, and of what cannot be written."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import boto3
import pyarrow.parquet
import pytest
from moto.server import ThreadedMotoServer

Command = Callable[..., "CompletedProcess[str]"]

FLOW = r"""
params: {bad: -1}
steps:
  - name: s
    task: batch
    inputs:
      items: {from: range, stop: 1500}
      task: {type: python, inputs: {bad: "{{ params.bad }}"}, code: "return {'n': 'text' if item == bad else item}"}
      results: {to: "TO"}
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[Mapping[str, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "KEYOFATEST",
        "AWS_SECRET_ACCESS_KEY": "VERYSECRETOFATEST",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    server.stop()


@pytest.fixture
def read(s3: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bytes | None]:
    """What is in the bucket under a name."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")

    def of(key: str) -> bytes | None:
        keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="bucket").get("Contents", ())]
        return client.get_object(Bucket="bucket", Key=key)["Body"].read() if key in keys else None

    return of


@pytest.mark.promise("8.05")
def test_results_in_s3_are_whole_or_not_there(
    read: Callable[[str], Any], s3: Mapping[str, str], batchwork: Command, work: Path
) -> None:
    (work / "flow.yaml").write_text(FLOW.replace("TO", "s3://bucket/d/t.parquet"))
    said = batchwork("run", "flow.yaml", "bad=1200", expect=1, env=s3).stderr
    assert "row 1201 (index 1200, key 1200), column `n`" in said
    assert read("d/t.parquet") is None
    batchwork("run", "flow.yaml", env=s3)
    assert pyarrow.parquet.read_table(io.BytesIO(read("d/t.parquet"))).column("n").to_pylist() == [*range(1500)]
    batchwork("results", "-o", "s3://bucket/t.csv.gz", env=s3)
    text = gzip.decompress(read("t.csv.gz")).decode()
    assert [int(row["n"]) for row in csv.DictReader(io.StringIO(text, newline=""))] == [*range(1500)]
    batchwork("results", "-o", "s3://nobucket/t.csv", expect=4, env=s3)


def test_passwords_of_urls_are_neither_shown_nor_kept(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(FLOW.replace("TO", "ftp://me:s3cretpassw0rd@127.0.0.1:9/t.csv"))
    done = batchwork("run", "flow.yaml", expect=1)
    said = [done, *(batchwork(*words) for words in (["errors"], ["status", "--json"]))]
    assert "ftp://me:***@127.0.0.1:9/t.csv" in done.stderr
    assert not any("s3cretpassw0rd" in one.stdout + one.stderr for one in said)
    kept = b"".join(path.read_bytes() for path in (work / ".batchwork").rglob("*") if path.is_file())
    assert b"s3cretpassw0rd" not in kept
