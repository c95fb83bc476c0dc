"""Real servers on loopback, each a process of its own: PostgreSQL, and a store of objects that speaks S3. No test is here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import postgres

_MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that is there meanwhile. Skips the test where the package is missing."""
    with postgres.server() as server:
        yield server.url


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """The variables by which clients of S3 find a server that is there meanwhile. Skips the test where the package is missing."""
    pytest.importorskip("moto.server", reason="no S3 server (moto) here", exc_type=ImportError)
    command = [sys.executable, "-W", "ignore", "-c", _MOTO]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            host, port = server.stdout.readline().split()
            yield {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ACCESS_KEY_ID": "KEYOFATEST",
                "AWS_SECRET_ACCESS_KEY": "VERYSECRETOFATEST",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            server.kill()
